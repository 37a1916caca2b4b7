// What is compressed and when; and the client that is served.

import { ask, join, park, parked, poll, post } from '../lib/steps.mjs';

const ENCODINGS = [
  undefined,
  '',
  'gzip',
  'GZIP',
  'deflate',
  'br',
  'zstd',
  'x-gzip',
  '*',
  'identity',
  'compress',
  'gzip, deflate, br',
  'deflate, gzip',
  'br, deflate',
  'identity, gzip',
  'gzip, identity',
  'gzip;q=0',
  'gzip;q=0, deflate',
  'gzip;q=0.5, deflate',
  'gzip;q=0.5, deflate;q=0.4',
  'deflate;q=0.5, gzip;q=0.5',
  '*;q=0',
  'gzip, *;q=0',
  '*;q=0.5, gzip;q=0',
  'identity;q=0',
  'identity;q=0, *;q=0',
  'identity, gzip;q=0.5',
  'identity;q=0.5, gzip',
  'gzip;q=1.0',
  'gzip;q=x',
  'gzip;q=2',
  'gzip;q=-1',
  'gzip; q=0',
  'gzip ;q=0',
  ',,gzip,',
  'gzip deflate',
];
/** Around the size from which polls are compressed, and one that our server leaves to another thread. */
const SIZES = [1022, 1023, 1024, 1025, 5000, 50_000];

const messageOf = (size) => `42["message","${'x'.repeat(size - 21)}"]`;
const echoOf = (size, headers) => [join(), post(messageOf(size)), poll({ headers })];

const compression = [
  ...ENCODINGS.map((encoding) => ({
    name: `Accept-Encoding: ${encoding ?? 'no such field'}`,
    steps: echoOf(5000, { 'Accept-Encoding': encoding }),
  })),
  ...SIZES.map((size) => ({
    name: `compression of a poll of ${size} bytes`,
    steps: echoOf(size, { 'Accept-Encoding': 'gzip' }),
  })),
  {
    name: 'compression of several packets, each below the size',
    steps: [
      join(),
      post(`${messageOf(600)}\x1e${messageOf(600)}`),
      poll({ headers: { 'Accept-Encoding': 'gzip' } }),
    ],
  },
  {
    name: 'compression of binary in base64',
    steps: [
      join(),
      post(`451-["message",{"_placeholder":true,"num":0}]\x1eb${'AAAA'.repeat(500)}`),
      poll({ headers: { 'Accept-Encoding': 'gzip' } }),
    ],
  },
  {
    name: 'compression of a GET that waited',
    steps: [
      join(),
      park({ headers: { 'Accept-Encoding': 'gzip' } }),
      post(messageOf(5000)),
      parked(),
    ],
  },
  {
    name: 'compression of an error',
    steps: ask('GET', '/socket.io/?EIO=4&transport=x', { headers: { 'Accept-Encoding': 'gzip' } }),
  },
  {
    name: 'two Accept-Encoding fields',
    steps: echoOf(5000, { 'Accept-Encoding': ['identity;q=0.1', 'deflate'] }),
  },
];

const BUNDLES = [
  'socket.io.js',
  'socket.io.min.js',
  'socket.io.esm.min.js',
  'socket.io.msgpack.min.js',
  'socket.io.js.map',
  'socket.io.min.js.map',
  'socket.io.esm.min.js.map',
  'socket.io.msgpack.min.js.map',
];
const NO_BUNDLES = [
  'socket.io.mjs',
  'socket.io.esm.js',
  'socket.io.msgpack.js',
  'Socket.io.js',
  'socket.io.js/',
  'x/socket.io.js',
  '../socket.io.js',
  'package.json',
  'socket.io.js.gz',
  'socket.io%2ejs',
];
const ETAG = '"4.8.4"';
const TAGS = [ETAG, `W/${ETAG}`, '4.8.4', '"0.0.0"', '*', `"0.0.0", ${ETAG}`, ''];

const bundle = [
  ...BUNDLES.flatMap((file) => [
    { name: `bundle: ${file}`, steps: ask('GET', `/socket.io/${file}`) },
    {
      name: `bundle: ${file} in gzip`,
      steps: ask('GET', `/socket.io/${file}`, { headers: { 'Accept-Encoding': 'gzip' } }),
    },
  ]),
  ...NO_BUNDLES.map((file) => ({
    name: `bundle: ${file}`,
    steps: ask('GET', `/socket.io/${file}`),
  })),
  ...[
    'br',
    'deflate',
    'gzip, br',
    'br;q=0, gzip',
    '*',
    'identity',
    'br;q=0.1, gzip;q=0.9',
    'zstd',
  ].map((encoding) => ({
    name: `bundle: Accept-Encoding: ${encoding}`,
    steps: ask('GET', '/socket.io/socket.io.min.js', { headers: { 'Accept-Encoding': encoding } }),
  })),
  ...TAGS.map((tag) => ({
    name: `bundle: If-None-Match: ${tag}`,
    steps: ask('GET', '/socket.io/socket.io.js', { headers: { 'If-None-Match': tag } }),
  })),
  ...['HEAD', 'POST', 'OPTIONS', 'DELETE'].map((method) => ({
    name: `bundle: by ${method}`,
    steps: ask(method, '/socket.io/socket.io.min.js'),
  })),
  ...['?v=1', '?EIO=4&transport=polling', '#x', '?'].map((tail) => ({
    name: `bundle: with ${tail}`,
    steps: ask('GET', `/socket.io/socket.io.min.js${tail}`),
  })),
  {
    name: 'bundle: by a range',
    steps: ask('GET', '/socket.io/socket.io.min.js', { headers: { Range: 'bytes=0-9' } }),
  },
];

export default [...compression, ...bundle];
