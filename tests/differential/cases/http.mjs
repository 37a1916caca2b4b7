// The forms that HTTP allows: connections, pipelines, odd heads and lengths.

import {
  UPGRADE,
  answer,
  ask,
  end,
  half,
  hear,
  join,
  open,
  park,
  parked,
  pause,
  poll,
  post,
  query,
  raw,
  send,
  silence,
  wsQuery,
} from '../lib/steps.mjs';

const LONG_TARGETS = [4000, 8000, 15_000, 17_000, 70_000];
const COUNTS = [10, 90, 200];

export default [
  {
    name: 'Connection: close on a handshake',
    steps: [ask('GET', query(), { headers: { Connection: 'close' } }), end('main')],
  },
  {
    name: 'Connection: close on an error',
    steps: [ask('GET', '/socket.io/', { headers: { Connection: 'close' } }), end('main')],
  },
  {
    name: 'Connection: close on a GET that waits',
    steps: [
      join(),
      park({ headers: { Connection: 'close' } }),
      post('42["message",1]'),
      parked(),
      end('poll'),
      post('42["message",2]'),
      poll(),
    ],
  },
  {
    name: 'Connection: close on a POST',
    steps: [
      join(),
      post('42["message",1]', { headers: { Connection: 'close' } }),
      end('post'),
      poll(),
    ],
  },
  {
    name: 'Connection: keep-alive',
    steps: [ask('GET', query(), { headers: { Connection: 'keep-alive' } }), ask('GET', query())],
  },
  {
    name: 'many requests on one connection',
    steps: [Array.from({ length: 20 }, () => ask('GET', query())), silence('main', 50)],
  },
  {
    name: 'an error does not end the connection',
    steps: [ask('GET', '/socket.io/'), ask('GET', query())],
  },
  {
    name: 'HTTP/1.0',
    steps: [ask('GET', query(), { version: '1.0' }), end('main')],
  },
  {
    name: 'HTTP/1.0 with an error',
    steps: [ask('GET', '/socket.io/', { version: '1.0' }), end('main')],
  },
  {
    name: 'HTTP/1.0 with keep-alive',
    steps: [
      ask('GET', query(), { version: '1.0', headers: { Connection: 'keep-alive' } }),
      silence('main', 100),
    ],
  },
  {
    name: 'HTTP/1.0 without Host',
    steps: [ask('GET', query(), { version: '1.0', headers: { Host: undefined } }), end('main')],
  },
  {
    name: 'HTTP/1.1 without Host',
    only: ['status'],
    steps: ask('GET', query(), { headers: { Host: undefined } }),
  },
  { name: 'HTTP/2.0', only: ['status'], steps: ask('GET', query(), { version: '2.0' }) },
  {
    name: 'two Host fields',
    only: ['status'],
    steps: ask('GET', query(), { headers: { Host: ['a', 'b'] } }),
  },
  {
    name: 'two handshakes in one packet',
    steps: [send('GET', query()), send('GET', query()), answer(), answer()],
  },
  {
    name: 'a pipeline: the first answer waits, the second is ready',
    steps: [
      join('a'),
      join('b'),
      post('42["message","b"]', { sid: 'b' }),
      send('GET', query('&sid={a}'), { on: 'pipe' }),
      send('GET', query('&sid={b}'), { on: 'pipe' }),
      silence('pipe', 200),
      post('42["message","a"]', { sid: 'a' }),
      answer('pipe'),
      answer('pipe'),
    ],
  },
  {
    name: 'a pipeline: a POST and the GET for its echo',
    steps: [
      join(),
      send('POST', query('&sid={sid}'), { on: 'pipe', body: '42["message",1]' }),
      send('GET', query('&sid={sid}'), { on: 'pipe' }),
      answer('pipe'),
      answer('pipe'),
    ],
  },
  {
    name: 'a pipeline: a handshake and an error',
    steps: [send('GET', query()), send('GET', '/socket.io/'), answer(), answer()],
  },
  {
    name: 'a head in pieces',
    steps: [
      raw('GET /socket.io/?EIO=4&tr'),
      pause(),
      raw('ansport=polling HTTP/1.1\r\nHo'),
      pause(),
      raw('st: server.example\r\n'),
      pause(),
      raw('\r\n'),
      answer(),
    ],
  },
  {
    name: 'lines that end in LF alone',
    only: ['status'],
    steps: [raw(`GET ${query()} HTTP/1.1\nHost: x\n\n`), answer()],
  },
  { name: 'empty lines ahead', steps: [raw('\r\n\r\n'), ask('GET', query())] },
  { name: 'no HTTP', only: ['status'], steps: [raw('hello\r\n\r\n'), answer()] },
  { name: 'a method in small letters', only: ['status'], steps: ask('get', query()) },
  {
    name: 'a name with a space',
    only: ['status'],
    steps: [raw(`GET ${query()} HTTP/1.1\r\nHost: x\r\nA b: c\r\n\r\n`), answer()],
  },
  {
    name: 'a space before the colon',
    only: ['status'],
    steps: [raw(`GET ${query()} HTTP/1.1\r\nHost: x\r\nA : c\r\n\r\n`), answer()],
  },
  {
    name: 'a folded field',
    only: ['status'],
    steps: [raw(`GET ${query()} HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n`), answer()],
  },
  { name: 'an empty field', steps: ask('GET', query(), { headers: { 'X-Empty': '' } }) },
  ...LONG_TARGETS.map((size) => ({
    name: `a target of ${size} bytes`,
    only: ['status'],
    steps: ask('GET', query(`&x=${'x'.repeat(size)}`)),
  })),
  ...LONG_TARGETS.map((size) => ({
    name: `a field of ${size} bytes`,
    only: ['status'],
    steps: ask('GET', query(), { headers: { 'X-Long': 'x'.repeat(size) } }),
  })),
  ...COUNTS.map((count) => ({
    name: `${count} fields`,
    only: ['status'],
    steps: ask('GET', query(), {
      headers: Object.fromEntries(Array.from({ length: count }, (_, n) => [`X-${n}`, 'x'])),
    }),
  })),
  {
    name: 'Expect: 100-continue on a POST',
    steps: [
      join(),
      send('POST', query('&sid={sid}'), {
        on: 'post',
        body: '42["message",1]',
        sent: '',
        headers: { Expect: '100-continue' },
      }),
      answer('post'),
      raw('42["message",1]', 'post'),
      answer('post'),
      poll(),
    ],
  },
  {
    name: 'Expect: 100-continue on a GET',
    steps: [send('GET', query(), { headers: { Expect: '100-continue' } }), answer(), answer()],
  },
  {
    name: 'Expect: something else',
    only: ['status'],
    steps: ask('GET', query(), { headers: { Expect: 'x' } }),
  },
  {
    name: 'two lengths that differ',
    only: ['status'],
    steps: [
      open(),
      ask('POST', query('&sid={sid}'), {
        on: 'post',
        body: '40',
        headers: { 'Content-Length': ['2', '3'] },
      }),
    ],
  },
  {
    name: 'a length and chunks',
    only: ['status'],
    steps: [
      open(),
      ask('POST', query('&sid={sid}'), {
        on: 'post',
        body: '2\r\n40\r\n0\r\n\r\n',
        headers: { 'Content-Length': '2', 'Transfer-Encoding': 'chunked' },
      }),
    ],
  },
  ...['x', '-1', '1.5', '', '+2', '99999999999999999999'].map((length) => ({
    name: `Content-Length: ${length || 'nothing'}`,
    only: ['status'],
    steps: [
      open(),
      ask('POST', query('&sid={sid}'), {
        on: 'post',
        body: '40',
        headers: { 'Content-Length': length },
      }),
    ],
  })),
  {
    name: 'Transfer-Encoding: gzip',
    only: ['status'],
    steps: [
      open(),
      ask('POST', query('&sid={sid}'), {
        on: 'post',
        body: '40',
        headers: { 'Transfer-Encoding': 'gzip' },
      }),
    ],
  },
  {
    name: 'our side is closed behind a handshake',
    steps: [send('GET', query()), half(), answer()],
  },
  {
    name: 'our side is closed behind a request that is wrong',
    steps: [send('GET', '/socket.io/'), half(), answer()],
  },
  {
    name: 'an Upgrade to something else',
    steps: ask('GET', query(), {
      headers: { Connection: 'Upgrade, HTTP2-Settings', Upgrade: 'h2c', 'HTTP2-Settings': 'x' },
    }),
  },
  {
    name: 'a WebSocket after a poll on the same connection',
    steps: [
      open('sid', { on: 'one' }),
      ask('GET', wsQuery('&sid={sid}'), { on: 'one', headers: UPGRADE }),
      raw([0x81, 0x86, 0, 0, 0, 0, ...Buffer.from('2probe')], 'one'),
      hear(1, 'one'),
    ],
  },
];
