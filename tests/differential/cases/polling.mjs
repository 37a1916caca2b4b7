// A polling session: GETs that wait, requests that overlap, bodies of every kind, the end.

import {
  answer,
  ask,
  cut,
  end,
  join,
  open,
  park,
  parked,
  pause,
  poll,
  post,
  posting,
  query,
  raw,
  silence,
} from '../lib/steps.mjs';

/** The session is over: whoever asks is told so. */
const gone = [poll({ on: 'later' })];
/** The session works. */
const alive = [post('42["message","alive"]'), poll({ on: 'later' })];

/** Payloads that a joined session posts; what follows is the next poll and whether it lives. */
const PAYLOADS = [
  ['an event', '42["message",1]'],
  ['two events', '42["message",1]\x1e42["message",2]'],
  ['twenty events', Array.from({ length: 20 }, (_, n) => `42["message",${n}]`).join('\x1e')],
  ['a pong that nobody asked for', '3'],
  ['a pong and an event', '3\x1e42["message",1]'],
  ['a pong with data', '3probe\x1e42["message",1]'],
  ['a ping', '2'],
  ['a probe', '2probe'],
  ['an event and a ping', '42["message",1]\x1e2'],
  ['an open packet', '0\x1e42["message",1]'],
  ['an open packet with data', '0{}\x1e42["message",1]'],
  ['an upgrade packet', '5\x1e42["message",1]'],
  ['a noop', '6\x1e42["message",1]'],
  ['a noop alone', '6'],
  ['nothing', ''],
  ['a separator', '\x1e'],
  ['two separators', '\x1e\x1e'],
  ['an event and a separator', '42["message",1]\x1e'],
  ['a separator and an event', '\x1e42["message",1]'],
  ['an event, nothing, an event', '42["message",1]\x1e\x1e42["message",2]'],
  ['a bare message', '4'],
  ['type 7', '7'],
  ['type 9', '9x'],
  ['no type', 'abc'],
  ['a letter', 'a'],
  ['a space before', ' 42["message",1]'],
  ['a line end behind', '42["message",1]\n'],
  ['a byte order mark', '\ufeff42["message",1]'],
  ['a NUL', '\x00'],
  ['an event and a bad packet', '42["message",1]\x1eabc'],
  ['a bad packet and an event', 'abc\x1e42["message",1]'],
  ['a version 3 payload', '15:42["message",1]'],
  ['binary that nobody awaits', 'bAQID'],
  ['binary without data', 'b'],
  ['binary with bad base64', 'b!!!!'],
  ['emoji', '42["message","😀ñ€"]'],
  ['an escaped separator', '42["message","\\u001e"]'],
  ['U+2028', '42["message","\u2028\u2029"]'],
  ['a lone surrogate, escaped', '42["message","\\ud800"]'],
];

/** Bodies that are no UTF-8, in an event. */
const BYTES = [
  ['a lone continuation byte', [0x80]],
  ['an overlong slash', [0xc0, 0xaf]],
  ['a surrogate', [0xed, 0xa0, 0x80]],
  ['a cut off character', [0xf0, 0x9f, 0x98]],
  ['0xff', [0xff]],
];

const TYPES = [
  'text/plain',
  'text/plain;charset=UTF-8',
  'text/plain; charset=latin1',
  'application/json',
  'application/octet-stream',
  'application/octet-stream; x=y',
  'Application/Octet-Stream',
  'multipart/form-data',
  'application/x-www-form-urlencoded',
  'nonsense',
  '',
];

const event = (bytes) =>
  Buffer.concat([Buffer.from('42["message","'), Buffer.from(bytes), Buffer.from('"]')]);
const messageOf = (size) => `42["message","${'x'.repeat(size - 16)}"]`;

/** Sizes around what the mode allows in a body (100). */
const SIZES = [99, 100, 101, 150, 10_000];

const closing = [
  { name: 'close by POST', steps: [join(), post('1'), gone] },
  { name: 'close by POST before CONNECT', steps: [open(), post('1'), gone] },
  { name: 'close by POST while a GET waits', steps: [join(), park(), post('1'), parked(), gone] },
  { name: 'close with data', steps: [join(), post('1bye'), gone] },
  {
    name: 'an event behind the close',
    steps: [join(), park(), post('1\x1e42["message",1]'), parked(), gone],
  },
  {
    name: 'an event ahead of the close',
    steps: [join(), park(), post('42["message",1]\x1e1'), parked(), gone],
  },
  {
    name: 'an event ahead of the close, no GET waits',
    steps: [join(), post('42["message",1]\x1e1'), gone],
  },
  { name: 'POST after the close', steps: [join(), post('1'), post('42["message",1]')] },
  { name: 'the second close', steps: [join(), post('1'), post('1')] },
];

const overlapping = [
  {
    name: 'a GET while a GET waits',
    steps: [join(), park(), poll({ on: 'second' }), parked(), gone],
  },
  {
    name: 'a GET while a GET waits, before CONNECT',
    steps: [open(), park(), poll({ on: 'second' }), parked(), gone],
  },
  {
    name: 'a third GET after a second one',
    steps: [join(), park(), poll({ on: 'second' }), poll({ on: 'third' }), parked()],
  },
  {
    name: 'a POST while a POST is on its way',
    steps: [
      join(),
      posting('42["message",1]', { on: 'first', sent: '42[' }),
      pause(),
      post('42["message",2]', { on: 'second' }),
      end('first'),
      gone,
    ],
  },
  {
    name: 'a POST while a POST is on its way and a GET waits',
    steps: [
      join(),
      park(),
      posting('42["message",1]', { on: 'first', sent: '42[' }),
      pause(),
      post('42["message",2]', { on: 'second' }),
      parked(),
      gone,
    ],
  },
  {
    name: 'a GET while a POST is on its way',
    steps: [
      join(),
      posting('42["message",1]', { on: 'first', sent: '42[' }),
      park(),
      raw('"message",1]', 'first'),
      answer('first'),
      parked(),
      alive,
    ],
  },
  { name: 'a GET that goes away', steps: [join(), park(), cut('poll'), pause(), gone] },
  {
    name: 'a GET that goes away, before CONNECT',
    steps: [open(), park(), cut('poll'), pause(), gone],
  },
  {
    name: 'a POST that goes away midway',
    steps: [
      join(),
      posting('42["message",1]', { sent: '42[' }),
      pause(),
      cut('post'),
      pause(),
      gone,
    ],
  },
  {
    name: 'a POST that goes away midway while a GET waits',
    steps: [
      join(),
      park(),
      posting('42["message",1]', { sent: '42[' }),
      pause(),
      cut('post'),
      parked(),
      gone,
    ],
  },
  {
    name: 'a GET that has nothing to tell',
    steps: [join(), park(), silence('poll', 600), post('1'), parked()],
  },
  {
    name: 'a GET that waits for an echo',
    steps: [join(), park(), post('42["message",1]'), parked(), alive],
  },
  { name: 'a GET after an echo', steps: [join(), post('42["message",1]'), poll(), alive] },
  {
    name: 'echoes of several POSTs in one poll',
    steps: [join(), [1, 2, 3].map((n) => post(`42["message",${n}]`)), poll()],
  },
  {
    name: 'GET and POST on one connection, one after the other',
    steps: [
      join(),
      [1, 2, 3].map((n) => [post(`42["message",${n}]`, { on: 'one' }), poll({ on: 'one' })]),
    ],
  },
  {
    name: 'a GET with a body',
    steps: [join(), post('42["message",1]'), poll({ body: 'x' }), alive],
  },
];

const bodies = [
  ...PAYLOADS.map(([what, payload]) => ({
    name: `POST: ${what}`,
    steps: [join(), post(payload), post('42["message","after"]'), poll()],
  })),
  ...PAYLOADS.filter(([what]) => !/event|pong|noop|emoji|escaped|U\+/.test(what)).map(
    ([what, payload]) => ({
      name: `POST while a GET waits: ${what}`,
      steps: [join(), park(), post(payload), parked(), gone],
    }),
  ),
  ...BYTES.map(([what, bytes]) => ({
    name: `POST no UTF-8: ${what}`,
    steps: [join(), post(event(bytes)), poll(), alive],
  })),
  ...TYPES.map((type) => ({
    name: `POST as ${type || 'an empty type'}`,
    steps: [join(), post('42["message",1]', { headers: { 'Content-Type': type } }), poll()],
  })),
  {
    name: 'POST without a type',
    steps: [join(), post('42["message",1]', { headers: { 'Content-Type': undefined } }), poll()],
  },
  {
    name: 'POST as application/octet-stream while a GET waits',
    steps: [
      join(),
      park(),
      post('x', { headers: { 'Content-Type': 'application/octet-stream' } }),
      parked(),
      gone,
    ],
  },
  {
    name: 'POST without a length',
    steps: [
      join(),
      ask('POST', query('&sid={sid}'), { on: 'post', headers: { 'Content-Type': 'text/plain' } }),
      gone,
    ],
  },
  { name: 'POST of length 0', steps: [join(), post(''), gone] },
  {
    name: 'POST by JSONP form',
    steps: [
      open('sid', {}),
      ask('POST', query('&sid={sid}&j=0'), { on: 'post', body: 'd=40' }),
      gone,
    ],
  },
];

const chunk = (text) => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;
const chunked = (...texts) => texts.map(chunk).join('');
const inChunks = (body, headers = {}) =>
  posting(body, { headers: { 'Transfer-Encoding': 'chunked', ...headers } });

const sizes = [
  ...SIZES.flatMap((size) => [
    {
      name: `POST of ${size} bytes where 100 are allowed`,
      mode: 'small',
      steps: [
        open(),
        post('40'),
        poll(),
        post(messageOf(size)),
        end('post', 200),
        post('42["message",0]', { on: 'next' }),
        poll(),
      ],
    },
    {
      name: `POST of ${size} bytes where 100 are allowed, in chunks`,
      mode: 'small',
      steps: [
        open(),
        post('40'),
        poll(),
        inChunks(chunked(messageOf(size).slice(0, 50), messageOf(size).slice(50)) + chunk('')),
        answer('post'),
        post('42["message",0]', { on: 'next' }),
        poll(),
      ],
    },
  ]),
  {
    name: 'POST too large while a GET waits',
    mode: 'small',
    steps: [
      open(),
      post('40'),
      poll(),
      park(),
      post(messageOf(150)),
      post('42["message",0]', { on: 'next' }),
      parked(),
    ],
  },
  {
    name: 'POST too large by its length alone',
    mode: 'small',
    steps: [
      open(),
      post('40'),
      poll(),
      posting(messageOf(1000), { sent: 'x' }),
      silence('post', 300),
    ],
  },
  {
    name: 'POST too large in characters of two bytes',
    mode: 'small',
    steps: [
      open(),
      post('40'),
      poll(),
      post(`42["message","${'ñ'.repeat(43)}"]`),
      poll({ on: 'later' }),
    ],
  },
  {
    name: 'POST just small enough in characters of two bytes',
    mode: 'small',
    steps: [
      open(),
      post('40'),
      poll(),
      post(`42["message","${'ñ'.repeat(42)}"]`),
      poll({ on: 'later' }),
    ],
  },
  {
    // A GET waits, as with every stock client: a server may keep who does not take its echo waiting.
    name: 'POST of a million bytes',
    steps: [join(), park(), post(messageOf(1_000_000)), parked()],
  },
  {
    name: 'POST of a million bytes and one',
    steps: [join(), post(messageOf(1_000_001)), post('42["message",0]', { on: 'next' }), poll()],
  },
  {
    name: 'POST in chunks that cut a character',
    steps: [
      join(),
      inChunks(
        Buffer.concat([
          Buffer.from('10\r\n42["message","'),
          Buffer.from([0xf0, 0x9f]),
          Buffer.from('\r\n'),
          Buffer.from('4\r\n'),
          Buffer.from([0x98, 0x80]),
          Buffer.from('"]\r\n0\r\n\r\n'),
        ]),
      ),
      answer('post'),
      poll(),
    ],
  },
  {
    name: 'POST in chunks with extension and trailer',
    steps: [
      join(),
      inChunks('f;a=b\r\n42["message",1]\r\n0\r\nX-Trailer: y\r\n\r\n'),
      answer('post'),
      poll(),
    ],
  },
  { name: 'POST in no chunk', steps: [join(), inChunks(chunk('')), answer('post'), gone] },
  {
    name: 'POST in broken chunks',
    only: ['status'],
    steps: [join(), inChunks('zz\r\n'), answer('post')],
  },
];

export default [...closing, ...overlapping, ...bodies, ...sizes];
