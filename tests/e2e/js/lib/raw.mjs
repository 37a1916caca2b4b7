// Sessions without a client library, for what a stock client cannot say or does not show: exact
// bytes, broken packets, broken frames, broken requests.

import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { WebSocket } from 'ws';

import { within } from './wait.mjs';

export const WEBSOCKET_PATH = '/socket.io/?EIO=4&transport=websocket';

const open = new Set();

/** Ends the sessions of the test that has just finished. */
export function closeSessions() {
  for (const session of open) session.destroy();
  open.clear();
}

/** One Engine.IO session over WebSocket: frames in, frames out. */
export class Session {
  /** Frames as they came: text as a string, binary as a Buffer. Pings are answered, not kept. */
  frames = [];
  /** `{code, reason}` once it is over. */
  ended;
  #waiting = [];

  constructor(ws, { answerPings = true } = {}) {
    this.ws = ws;
    open.add(this);
    ws.on('message', (data, isBinary) => {
      const frame = isBinary ? data : data.toString('utf8');
      if (frame === '2' && answerPings) return ws.send('3');
      this.frames.push(frame);
      for (const check of this.#waiting) check();
    });
    ws.on('close', (code, reason) => {
      this.ended = { code, reason: reason.toString() };
      for (const check of this.#waiting) check();
    });
    // What matters of an error is the close that follows.
    ws.on('error', () => {});
  }

  /** Opens a session and takes its handshake. */
  static async open(relay, options = {}) {
    const { path = WEBSOCKET_PATH, protocols = [], headers } = options;
    const url = relay.url.replace('http', 'ws') + path;
    const ws = new WebSocket(url, protocols, { headers });
    const session = new Session(ws, options);
    // Together: the first frame may come with the 101.
    const first = session.next();
    first.catch(() => {});
    await within(5000, 'upgrade', (done, fail) => {
      ws.once('open', done);
      ws.once('error', fail);
    });
    session.handshake = JSON.parse((await first).slice(1));
    return session;
  }

  /** Opens a session and joins a namespace. */
  static async join(relay, { namespace = '/relay', ...options } = {}) {
    const session = await Session.open(relay, options);
    await session.enter(namespace);
    return session;
  }

  async enter(namespace) {
    this.send(namespace === '/' ? '40' : `40${namespace},`);
    const answer = await this.next();
    const expected = namespace === '/' ? '40{' : `40${namespace},{`;
    if (!answer.startsWith(expected)) throw new Error(`not admitted: ${answer}`);
    this.id = JSON.parse(answer.slice(expected.length - 1)).sid;
  }

  send(...frames) {
    for (const frame of frames) this.ws.send(frame);
  }

  /** The next frame that was not taken yet. */
  async next(what = 'frame') {
    await this.#when(what, () => this.frames.length > 0);
    return this.frames.shift();
  }

  /** Takes `count` frames. */
  async take(count) {
    await this.#when(`${count} frames`, () => this.frames.length >= count);
    return this.frames.splice(0, count);
  }

  /** Waits for the end: `{code, reason}`; 1005 is a close frame without a code. */
  async closed(ms) {
    await this.#when('close', () => this.ended, ms);
    return this.ended;
  }

  /** The session works: a message to itself comes back. Frames before it stay for the test. */
  async alive() {
    const token = randomBytes(6).toString('hex');
    const echo = `42/relay,["relay",{"alive":"${token}"}]`;
    this.send(echo);
    await this.#when('echo', () => this.frames.includes(echo));
    this.frames.splice(this.frames.indexOf(echo), 1);
  }

  #when(what, isTrue, ms = 10_000) {
    return within(ms, what, (done, fail) => {
      const check = () => {
        if (!isTrue() && !this.ended) return;
        this.#waiting = this.#waiting.filter((it) => it !== check);
        if (isTrue()) done();
        else fail(new Error(`closed (${this.ended.code}) instead of ${what}`));
      };
      this.#waiting.push(check);
      check();
    });
  }

  destroy() {
    this.ws.terminate();
  }
}

/** Opens sessions until there is one on each of `shards` shards; they come in order of shard. */
export async function oneOnEachShard(relay, shards) {
  const found = new Array(shards).fill(undefined);
  while (found.includes(undefined)) {
    const session = await Session.join(relay);
    const shard = shardOf(session.handshake.sid);
    if (found[shard]) session.destroy();
    else found[shard] = session;
  }
  return found;
}

/** A session id is 12 random bytes, then its shard, then its instance. */
function shardOf(sid) {
  return Buffer.from(sid, 'base64url')[12];
}

/** One TCP connection, for requests and frames that no library writes. */
export class Tcp {
  received = Buffer.alloc(0);
  ended = false;
  #waiting = [];

  constructor(socket) {
    this.socket = socket;
    open.add(this);
    socket.on('data', (data) => {
      this.received = Buffer.concat([this.received, data]);
      this.#check();
    });
    // A reset is an end.
    socket.on('error', () => {});
    socket.on('close', () => this.#end());
    socket.on('end', () => this.#end());
  }

  /** With `allowHalfOpen` our side stays open when the server has closed its own. */
  static async open(relay, { allowHalfOpen = false } = {}) {
    const socket = connect({ port: relay.port, host: '127.0.0.1', allowHalfOpen });
    const tcp = new Tcp(socket);
    await once(socket, 'connect');
    return tcp;
  }

  /** Sends one request on a new connection and reads the whole answer, until it ends. */
  static async request(relay, head) {
    const tcp = await Tcp.open(relay);
    tcp.write(head);
    await tcp.closed();
    return tcp.answer();
  }

  /** Opens a WebSocket by hand; what comes after the 101 is left in `received`. */
  static async upgrade(relay, { path, ...options } = {}) {
    const tcp = await Tcp.open(relay, options);
    tcp.write(upgradeRequest({ path }));
    await tcp.until('101', () => tcp.received.includes('\r\n\r\n'));
    const { status } = tcp.answer();
    if (status !== 101) throw new Error(`no upgrade but ${status}`);
    tcp.received = tcp.received.subarray(tcp.received.indexOf('\r\n\r\n') + 4);
    return tcp;
  }

  write(data) {
    this.socket.write(data);
  }

  until(what, isTrue, ms = 10_000) {
    return within(ms, what, (done, fail) => {
      const check = () => {
        if (isTrue()) done();
        else if (this.ended) fail(new Error(`the connection ended instead of ${what}`));
      };
      this.#waiting.push(check);
      check();
    });
  }

  closed(ms) {
    return this.until('end of the connection', () => this.ended, ms);
  }

  /** The code of the close frame that ended the received frames; `null` for an empty one. */
  closeCode() {
    const last = serverFrames(this.received).at(-1);
    if (last?.opcode !== 8) return undefined;
    return last.payload.length ? last.payload.readUInt16BE(0) : null;
  }

  answer() {
    const text = this.received.toString('latin1');
    const end = text.indexOf('\r\n\r\n');
    const [first, ...lines] = text.slice(0, end).split('\r\n');
    const headers = Object.fromEntries(
      lines.map((line) => {
        const colon = line.indexOf(':');
        return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
      }),
    );
    return { first, status: Number(first.split(' ')[1]), headers, body: text.slice(end + 4) };
  }

  destroy() {
    this.socket.destroy();
  }

  #end() {
    this.ended = true;
    this.#check();
  }

  #check() {
    for (const check of this.#waiting) check();
  }
}

/** An upgrade request, with fields added, replaced, or left out when `undefined`. */
export function upgradeRequest({ method = 'GET', path = WEBSOCKET_PATH, headers = {} } = {}) {
  const fields = {
    Host: 'localhost',
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': randomBytes(16).toString('base64'),
    ...headers,
  };
  const lines = Object.entries(fields).filter(([, value]) => value !== undefined);
  const text = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  return Buffer.from(`${method} ${path} HTTP/1.1\r\n${text}\r\n`, 'latin1');
}

/**
 * A client's frame (RFC 6455 §5.2), legal unless told otherwise. `first` is the first byte: FIN and
 * opcode. `claimed` is the length that is written, whatever the payload's is.
 */
export function frame(first, payload = '', { masked = true, claimed } = {}) {
  const data = Buffer.from(payload);
  const length = BigInt(claimed ?? data.length);
  const header = [first];
  const bit = masked ? 0x80 : 0;
  if (length < 126n) header.push(bit | Number(length));
  else if (length < 65536n) header.push(bit | 126, Number(length >> 8n), Number(length & 255n));
  else {
    header.push(bit | 127);
    for (let shift = 56n; shift >= 0n; shift -= 8n) header.push(Number((length >> shift) & 255n));
  }
  // A mask of zeros is a mask, and keeps the payload readable.
  const mask = masked ? [0, 0, 0, 0] : [];
  return Buffer.concat([Buffer.from([...header, ...mask]), data]);
}

/** The whole frames in what a server sent. */
export function serverFrames(bytes) {
  const frames = [];
  for (let at = 0; at + 2 <= bytes.length; ) {
    let length = bytes[at + 1] & 0x7f;
    let start = at + 2;
    if (length === 126) {
      length = bytes.readUInt16BE(start);
      start += 2;
    } else if (length === 127) {
      length = Number(bytes.readBigUInt64BE(start));
      start += 8;
    }
    if (start + length > bytes.length) break;
    frames.push({ opcode: bytes[at] & 15, payload: bytes.subarray(start, start + length) });
    at = start + length;
  }
  return frames;
}
