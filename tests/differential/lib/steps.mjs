// The words in which cases are written. A step is data; `script.mjs` carries it out.
//
// A connection has a name and is opened when it is first used. `{sid}` in a request line or header
// stands for the session id that `open` captured. Answers are named after their connection:
// `poll#2` is the second thing that was read from connection `poll`.

import { clientFrame } from './frames.mjs';

export const PATH = '/socket.io/';
/** The sample key of RFC 6455, so that both servers compute the same Sec-WebSocket-Accept. */
const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';
const TEXT = 'text/plain;charset=UTF-8';
/** For bytes to arrive and be handled before those that another connection sends next. */
const SETTLE_MS = 60;

/** Writes a request; a header that is `undefined` is left out. The body is sent as it is. */
export function send(method, target, options = {}) {
  const { on = 'main', version = '1.1', headers = {}, body, sent = body } = options;
  const fields = { Host: 'server.example', ...headers };
  if (body !== undefined && !('Transfer-Encoding' in fields) && !('Content-Length' in fields)) {
    fields['Content-Length'] = Buffer.byteLength(body);
  }
  const lines = Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .flatMap(([name, value]) => [value].flat().map((one) => `${name}: ${one}\r\n`));
  const head = `${method} ${target} HTTP/${version}\r\n${lines.join('')}\r\n`;
  return { do: 'send', on, head, body: sent === undefined ? undefined : Buffer.from(sent) };
}

/** Writes bytes that are no request, or a part of one. */
export const raw = (bytes, on = 'main') => ({ do: 'send', on, head: '', body: Buffer.from(bytes) });
/** Reads an answer and keeps the session id in it under `capture`. */
export const answer = (on = 'main', capture) => ({ do: 'answer', on, capture });
/** Reads `count` frames. */
export const hear = (count = 1, on = 'ws', capture) =>
  Array.from({ length: count }, () => ({ do: 'frame', on, capture }));
/** Nothing may come for a while. */
export const silence = (on, ms = 250) => ({ do: 'silence', on, ms });
/** Whether the server ends the connection. */
export const end = (on, ms = 3000) => ({ do: 'end', on, ms });
/** Ends the connection from our side. */
export const cut = (on) => ({ do: 'cut', on });
/** Ends our direction only. */
export const half = (on = 'main') => ({ do: 'half', on });
export const pause = (ms = SETTLE_MS) => ({ do: 'pause', ms });

/** A request and its answer. */
export function ask(method, target, options = {}) {
  return [send(method, target, options), answer(options.on, options.capture)];
}

export const query = (more = '') => `${PATH}?EIO=4&transport=polling${more}`;
const session = (sid) => query(`&sid={${sid}}`);

/** Opens a session by polling. */
export const open = (sid = 'sid', options = {}) =>
  ask('GET', query(), { on: 'open', capture: sid, ...options });
/** Polls: a GET that is answered at once, or soon. */
export const poll = (options = {}) =>
  ask('GET', session(options.sid ?? 'sid'), { on: 'poll', ...options });
/** A GET that waits for something to come. */
export const park = (options = {}) => [
  send('GET', session(options.sid ?? 'sid'), { on: 'poll', ...options }),
  pause(),
];
/** The answer to what `park` sent. */
export const parked = (on = 'poll') => answer(on);
/** Posts a payload. */
export const post = (body, { headers = {}, sid = 'sid', ...options } = {}) =>
  ask('POST', session(sid), {
    on: 'post',
    body,
    headers: { 'Content-Type': TEXT, ...headers },
    ...options,
  });
/** Posts a payload and does not wait for the answer. */
export const posting = (body, options = {}) => post(body, options)[0];

/** Opens a session and joins `/`: takes the CONNECT answer and the event `auth` off it. */
export const join = (sid = 'sid', options = {}) => [
  open(sid, options),
  post('40', { sid }),
  poll({ sid }),
];

/** The fields of a WebSocket handshake. */
export const UPGRADE = {
  Connection: 'Upgrade',
  Upgrade: 'websocket',
  'Sec-WebSocket-Version': '13',
  'Sec-WebSocket-Key': KEY,
};

export const wsQuery = (more = '') => `${PATH}?EIO=4&transport=websocket${more}`;
/** Asks for a WebSocket and reads the answer. */
export const upgrade = (target, { headers = {}, method = 'GET', on = 'ws', ...options } = {}) =>
  ask(method, target, { on, headers: { ...UPGRADE, ...headers }, ...options });
/** Opens a session over WebSocket. */
export const openWs = (sid = 'sid', options = {}) => [
  upgrade(wsQuery(), options),
  hear(1, options.on, sid),
];
/** Opens the WebSocket of an upgrade. */
export const probe = ({ sid = 'sid', ...options } = {}) =>
  upgrade(wsQuery(`&sid={${sid}}`), options);
/** Sends text frames. */
export const say = (texts, on = 'ws') =>
  frames(
    [texts].flat().map((one) => ['text', one]),
    on,
  );
/** Sends frames `[name, payload, options]`. */
export const frames = (list, on = 'ws') =>
  raw(Buffer.concat(list.map((one) => clientFrame(...one))), on);
/** The whole upgrade, up to the switch. */
export const upgraded = ({ sid = 'sid', on = 'ws' } = {}) => [
  probe({ sid, on }),
  say('2probe', on),
  hear(1, on),
  say('5', on),
  pause(),
];
