// WebSocket handshakes, and sessions over WebSocket.

import {
  cut,
  end,
  frames,
  hear,
  join,
  openWs,
  pause,
  poll,
  post,
  query,
  raw,
  say,
  send,
  upgrade,
  wsQuery,
} from '../lib/steps.mjs';

const UNKNOWN = 'AAAAAAAAAAAAAAAAAAAA';
/** After an answer that refuses: is the connection ended? */
const refused = (target, options) => [upgrade(target, options), end('ws')];

const HEADERS = [
  ['no Sec-WebSocket-Key', { 'Sec-WebSocket-Key': undefined }],
  ['an empty key', { 'Sec-WebSocket-Key': '' }],
  ['a short key', { 'Sec-WebSocket-Key': 'AAAA' }],
  ['a key of other letters', { 'Sec-WebSocket-Key': '!!!!!!!!!!!!!!!!!!!!!!==' }],
  ['no Sec-WebSocket-Version', { 'Sec-WebSocket-Version': undefined }],
  ['version 8', { 'Sec-WebSocket-Version': '8' }],
  ['version 12', { 'Sec-WebSocket-Version': '12' }],
  ['version 14', { 'Sec-WebSocket-Version': '14' }],
  ['version 13 and 8', { 'Sec-WebSocket-Version': '13, 8' }],
  ['Upgrade: h2c', { Upgrade: 'h2c' }],
  ['Upgrade: WebSocket', { Upgrade: 'WebSocket' }],
  ['Upgrade: websocket, h2c', { Upgrade: 'websocket, h2c' }],
  ['Connection: upgrade', { Connection: 'upgrade' }],
  ['Connection: keep-alive, Upgrade', { Connection: 'keep-alive, Upgrade' }],
  ['Connection: keep-alive', { Connection: 'keep-alive' }],
  ['no Upgrade field', { Upgrade: undefined }],
  ['one protocol', { 'Sec-WebSocket-Protocol': 'one' }],
  ['two protocols', { 'Sec-WebSocket-Protocol': 'one, two' }],
  ['a broken protocol', { 'Sec-WebSocket-Protocol': 'one,,two' }],
  ['an empty protocol', { 'Sec-WebSocket-Protocol': '' }],
  [
    'permessage-deflate',
    { 'Sec-WebSocket-Extensions': 'permessage-deflate; client_max_window_bits' },
  ],
  ['a broken extension', { 'Sec-WebSocket-Extensions': ';;;' }],
  ['an Origin', { Origin: 'http://one.example' }],
  ['an Origin with a DEL', { Origin: 'x\u007f' }],
  ['no Host', { Host: undefined }],
];

const TARGETS = [
  ['no version', '/socket.io/?transport=websocket'],
  ['EIO=3', '/socket.io/?EIO=3&transport=websocket'],
  ['EIO=abc', '/socket.io/?EIO=abc&transport=websocket'],
  ['EIO twice, the last is 3', '/socket.io/?EIO=4&EIO=3&transport=websocket'],
  ['no transport', '/socket.io/?EIO=4'],
  ['transport=x', '/socket.io/?EIO=4&transport=x'],
  ['transport=webtransport', '/socket.io/?EIO=4&transport=webtransport'],
  ['transport=WebSocket', '/socket.io/?EIO=4&transport=WebSocket'],
  ['no query', '/socket.io/'],
  ['an unknown session', wsQuery(`&sid=${UNKNOWN}`)],
  ['an unknown session and EIO=3', `/socket.io/?EIO=3&transport=websocket&sid=${UNKNOWN}`],
  ['an unknown session over polling', query(`&sid=${UNKNOWN}`)],
  ['a session of strange letters', wsQuery('&sid=%F0%9F%98%80')],
  ['__proto__', wsQuery('&sid=__proto__')],
];

const alive = [post('42["message","alive"]', { on: 'alive' }), poll({ on: 'alive' })];
const aliveOver = (on) => [say('42["message","alive"]', on), hear(1, on)];

const handshakes = [
  { name: 'WebSocket: a session', steps: [openWs(), say('40'), hear(2), aliveOver('ws')] },
  ...HEADERS.map(([what, headers]) => ({
    name: `WebSocket: ${what}`,
    steps: refused(wsQuery(), { headers }).slice(0, 1),
  })),
  ...HEADERS.slice(0, 8).map(([what, headers]) => ({
    name: `WebSocket: ${what}, and the end`,
    only: ['end'],
    steps: refused(wsQuery(), { headers }),
  })),
  ...TARGETS.map(([what, target]) => ({ name: `WebSocket: ${what}`, steps: refused(target) })),
  { name: 'WebSocket: transport=polling', steps: [upgrade(query()), hear(1)] },
  {
    name: 'WebSocket: transport=polling of a session',
    steps: [join(), upgrade(query('&sid={sid}')), hear(1), alive],
  },
  { name: 'WebSocket: sid is empty', steps: [upgrade(wsQuery('&sid=')), hear(1)] },
  {
    name: 'WebSocket: a path below',
    steps: [upgrade('/socket.io/x?EIO=4&transport=websocket'), hear(1)],
  },
  {
    name: 'WebSocket: HTTP/1.0',
    only: ['status', 'end'],
    steps: refused(wsQuery(), { version: '1.0' }),
  },
  ...['POST', 'PUT', 'HEAD', 'OPTIONS', 'DELETE'].flatMap((method) => [
    { name: `WebSocket: by ${method}`, steps: refused(wsQuery(), { method }) },
    {
      name: `WebSocket: by ${method}, of a session`,
      steps: [join(), upgrade(wsQuery('&sid={sid}'), { method }), end('ws'), alive],
    },
  ]),
  {
    name: 'WebSocket: a foreign path',
    only: ['end'],
    steps: [
      send('GET', '/other/', {
        on: 'ws',
        headers: { Connection: 'Upgrade', Upgrade: 'websocket' },
      }),
      end('ws'),
    ],
  },
];

const over = [
  {
    name: 'over WebSocket: a close packet',
    steps: [openWs(), say('40'), hear(2), say('1'), hear(1)],
  },
  { name: 'over WebSocket: a ping', steps: [openWs(), say('2'), hear(1)] },
  { name: 'over WebSocket: a probe', steps: [openWs(), say('2probe'), hear(1)] },
  { name: 'over WebSocket: a pong', steps: [openWs(), say(['40', '3']), hear(2), aliveOver('ws')] },
  {
    name: 'over WebSocket: an upgrade packet',
    steps: [openWs(), say(['40', '5']), hear(2), aliveOver('ws')],
  },
  { name: 'over WebSocket: a noop', steps: [openWs(), say(['40', '6']), hear(2), aliveOver('ws')] },
  {
    name: 'over WebSocket: an open packet',
    steps: [openWs(), say(['40', '0{}']), hear(2), aliveOver('ws')],
  },
  { name: 'over WebSocket: an empty frame', steps: [openWs(), say(''), hear(1)] },
  { name: 'over WebSocket: letters', steps: [openWs(), say('abc'), hear(1)] },
  {
    name: 'over WebSocket: base64',
    steps: [
      openWs(),
      say('40'),
      hear(2),
      say(['451-["message",{"_placeholder":true,"num":0}]', 'bAQID']),
      hear(2),
    ],
  },
  {
    name: 'over WebSocket: a close frame',
    steps: [openWs(), frames([['close', [0x03, 0xe8]]]), hear(1), end('ws')],
  },
  {
    name: 'over WebSocket: an empty close frame',
    steps: [openWs(), frames([['close', []]]), hear(1), end('ws')],
  },
  {
    name: 'over WebSocket: a close frame with a reason',
    steps: [openWs(), frames([['close', [0x0f, 0xa0, 0x61]]]), hear(1)],
  },
  {
    name: 'over WebSocket: a close frame of one byte',
    steps: [openWs(), frames([['close', [1]]]), hear(1)],
  },
  {
    name: 'over WebSocket: a close frame with code 1005',
    steps: [openWs(), frames([['close', [0x03, 0xed]]]), hear(1)],
  },
  { name: 'over WebSocket: a ping frame', steps: [openWs(), frames([['ping', 'x']]), hear(1)] },
  {
    name: 'over WebSocket: an unmasked frame',
    steps: [openWs(), frames([['text', '40', { masked: false }]]), hear(1)],
  },
  {
    name: 'over WebSocket: no UTF-8',
    steps: [openWs(), frames([['text', [0x34, 0x80]]]), hear(1)],
  },
  {
    name: 'over WebSocket: opcode 3',
    steps: [openWs(), raw([0x83, 0x80, 0, 0, 0, 0], 'ws'), hear(1)],
  },
  {
    name: 'over WebSocket: a reserved bit',
    steps: [openWs(), raw([0xc1, 0x80, 0, 0, 0, 0], 'ws'), hear(1)],
  },
  {
    name: 'over WebSocket: fragments',
    steps: [
      openWs(),
      frames([
        ['text', '4', { fin: false }],
        ['ping', ''],
        ['continuation', '0'],
      ]),
      hear(3),
    ],
  },
  {
    name: 'over WebSocket: a continuation of nothing',
    steps: [openWs(), frames([['continuation', '40']]), hear(1)],
  },
  {
    name: 'over WebSocket: 100 bytes where 100 are allowed',
    mode: 'small',
    steps: [openWs(), say('40'), hear(2), say(`42["message","${'x'.repeat(84)}"]`), hear(1)],
  },
  {
    name: 'over WebSocket: 101 bytes where 100 are allowed',
    mode: 'small',
    steps: [openWs(), say('40'), hear(2), say(`42["message","${'x'.repeat(85)}"]`), hear(1)],
  },
  {
    name: 'over WebSocket: fragments of 101 bytes',
    mode: 'small',
    steps: [
      openWs(),
      frames([
        ['text', 'x'.repeat(60), { fin: false }],
        ['continuation', 'x'.repeat(41)],
      ]),
      hear(1),
    ],
  },
  {
    name: 'over WebSocket: polling with its session',
    steps: [openWs(), poll(), post('40'), say('40'), hear(2)],
  },
  {
    name: 'over WebSocket: the TCP connection ends',
    steps: [openWs(), cut('ws'), pause(), poll()],
  },
];

export default [...handshakes, ...over];
