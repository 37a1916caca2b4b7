// Requests without a session: every oddity of query, path, method and Origin.

import { ask, open, query } from '../lib/steps.mjs';

const UNKNOWN = 'AAAAAAAAAAAAAAAAAAAA';
const get = (target, options) => [ask('GET', target, options)];
const queryCase = (text) => ({ name: `GET ?${text}`, steps: get(`/socket.io/?${text}`) });

const QUERIES = [
  // The version.
  'transport=polling',
  'EIO=3&transport=polling',
  'EIO=abc&transport=polling',
  'EIO=&transport=polling',
  'EIO&transport=polling',
  'EIO=5&transport=polling',
  'EIO=04&transport=polling',
  'EIO=4.0&transport=polling',
  'EIO=-4&transport=polling',
  'EIO=4&EIO=4&transport=polling',
  'EIO=3&EIO=4&transport=polling',
  'EIO=4&EIO=3&transport=polling',
  'eio=4&transport=polling',
  'EIO=%34&transport=polling',
  '%45IO=4&transport=polling',
  'EIO=4%20&transport=polling',
  'EIO=+4&transport=polling',
  'EIO=%00&transport=polling',
  'EIO=4;transport=polling',
  // The transport.
  '',
  '&&&',
  '=&=&=',
  'EIO=4',
  'EIO=4&transport',
  'EIO=4&transport=',
  'EIO=4&transport=x',
  'EIO=4&transport=Polling',
  'EIO=4&transport=POLLING',
  'EIO=4&Transport=polling',
  'EIO=4&transport=websocket',
  'EIO=3&transport=websocket',
  'EIO=4&transport=webtransport',
  'EIO=4&transport=flashsocket',
  'EIO=4&transport=polling&transport=websocket',
  'EIO=4&transport=websocket&transport=polling',
  'EIO=4&transport=polling&transport=x',
  'EIO=4&transport=poll%69ng',
  'EIO=4&transport=polling%00',
  'EIO=4&transport=polling+',
  'EIO=4&transport=constructor',
  'EIO=4&transport=__proto__',
  'EIO=4&transport=toString',
  'EIO=4&transport[]=polling',
  // What else a query may hold.
  'EIO=4&&transport=polling&',
  '&EIO=4&transport=polling',
  '?EIO=4&transport=polling',
  'EIO=4&transport=polling&t=Oo1xQ2z',
  'EIO=4&transport=polling&b64=1',
  'EIO=4&transport=polling&token=a%20b+c&%C3%B1=%F0%9F%98%80',
  'EIO=4&transport=polling&x=%',
  'EIO=4&transport=polling&x=%zz',
  'EIO=4&transport=polling&x=%E4%',
  'EIO=4&transport=polling&x=%ED%A0%80',
  'EIO=4&transport=polling&x=a=b==c',
  'EIO=4&transport=polling&x="<>`{}|^',
  'EIO=4&transport=polling#fragment',
  'EIO=4&transport=polling&__proto__=1&constructor=2',
  `EIO=4&transport=polling&long=${'x'.repeat(4000)}`,
  // The session.
  `EIO=4&transport=polling&sid=${UNKNOWN}`,
  `EIO=3&transport=polling&sid=${UNKNOWN}`,
  `transport=polling&sid=${UNKNOWN}`,
  `EIO=4&transport=websocket&sid=${UNKNOWN}`,
  `EIO=4&transport=x&sid=${UNKNOWN}`,
  `EIO=4&sid=${UNKNOWN}`,
  'EIO=4&transport=polling&sid=',
  'EIO=4&transport=polling&sid',
  'EIO=4&transport=polling&sid=a',
  'EIO=4&transport=polling&sid=a&sid=',
  'EIO=4&transport=polling&sid=&sid=a',
  'EIO=4&transport=polling&sid=+',
  'EIO=4&transport=polling&sid=%00',
  'EIO=4&transport=polling&sid=%F0%9F%98%80',
  'EIO=4&transport=polling&sid=__proto__',
  'EIO=4&transport=polling&sid=constructor',
  'EIO=4&transport=polling&sid=hasOwnProperty',
  `EIO=4&transport=polling&sid=${'A'.repeat(19)}`,
  `EIO=4&transport=polling&sid=${'A'.repeat(21)}`,
  `EIO=4&transport=polling&sid=${'A'.repeat(4000)}`,
];

const PATHS = [
  '/socket.io/x/y',
  '/socket.io/x',
  '/socket.io//',
  '/socket.io/..',
  '/socket.io/./',
  '/socket.io/%2e%2e/',
  '/socket.io/ñ',
  '/socket.io/%00',
  '/socket.io/socket.io/',
];
/** These belong to the application, whose answer is its own. */
const FOREIGN_PATHS = [
  '/',
  '/socket.io',
  '/socket.iox/',
  '/Socket.io/',
  '/socket%2Eio/',
  '/socket%2eio/',
  '//socket.io/',
  '/x/socket.io/',
  'http://server.example/socket.io/',
];

const METHODS = [
  'POST',
  'PUT',
  'DELETE',
  'HEAD',
  'OPTIONS',
  'PATCH',
  'TRACE',
  'PROPFIND',
  'SEARCH',
];

const ORIGINS = [
  ['a plain one', 'http://one.example'],
  ['null', 'null'],
  ['none', ''],
  ['latin letters', 'http://\u00e9.example'],
  ['a tab', 'http://one\t.example'],
  ['a DEL', 'http://one\u007f.example'],
  ['a control character', 'http://one\u0001.example'],
  ['two of them', ['http://one.example', 'http://two.example']],
  ['not a URL', '"><script>'],
];

const EXPLORER = 'Mozilla/5.0 (compatible;MSIE 9.0; Windows NT 6.1)';
const TRIDENT = 'Mozilla/5.0 (Windows NT 6.1; Trident/7.0; rv:11.0) like Gecko';

export default [
  ...QUERIES.map(queryCase),
  { name: 'GET without a query', steps: get('/socket.io/') },
  ...PATHS.map((path) => ({
    name: `GET ${path}`,
    steps: get(`${path}?EIO=4&transport=polling`),
  })),
  ...FOREIGN_PATHS.map((path) => ({
    name: `GET ${path}, the application's`,
    only: ['status'],
    steps: get(`${path}?EIO=4&transport=polling`),
  })),
  ...METHODS.flatMap((method) => [
    { name: `${method} without a session`, steps: ask(method, query()) },
    { name: `${method} of an unknown session`, steps: ask(method, query(`&sid=${UNKNOWN}`)) },
    {
      name: `${method} without a query`,
      steps: ask(method, '/socket.io/'),
    },
  ]),
  ...METHODS.filter((method) => method !== 'POST').map((method) => ({
    name: `${method} of a session`,
    steps: [
      open(),
      ask(method, query('&sid={sid}')),
      // The session goes on.
      ask('POST', query('&sid={sid}'), { on: 'post', body: '40' }),
      ask('GET', query('&sid={sid}'), { on: 'poll' }),
    ],
  })),
  ...ORIGINS.map(([what, origin]) => ({
    name: `Origin: ${what}`,
    steps: get(query(), { headers: { Origin: origin } }),
  })),
  {
    name: 'Origin before sid: a DEL in it and an unknown session',
    steps: get(query(`&sid=${UNKNOWN}`), { headers: { Origin: 'x\u007f' } }),
  },
  {
    name: 'Origin after transport: a DEL in it and an unknown transport',
    steps: get('/socket.io/?EIO=4&transport=x', { headers: { Origin: 'x\u007f' } }),
  },
  ...[EXPLORER, TRIDENT, 'Mozilla/5.0', 'MSIE'].map((agent) => ({
    name: `User-Agent: ${agent}`,
    steps: get(query(), { headers: { 'User-Agent': agent } }),
  })),
  ...['0', '17', 'abc', '', '-1', '3x4'].map((index) => ({
    name: `JSONP handshake j=${index}`,
    steps: get(query(`&j=${index}`)),
  })),
  {
    name: 'sessions differ in id only',
    steps: [open('a'), open('b')],
  },
  {
    name: 'a session whose version is another in a later request',
    steps: [
      open(),
      get('/socket.io/?EIO=3&transport=polling&sid={sid}'),
      get('/socket.io/?transport=polling&sid={sid}'),
      ask('POST', '/socket.io/?EIO=3&transport=polling&sid={sid}', { body: '40' }),
      ask('POST', query('&sid={sid}'), { on: 'post', body: '40' }),
      ask('GET', query('&sid={sid}'), { on: 'poll' }),
    ],
  },
  {
    name: 'a polling session asked for by transport=websocket without an upgrade',
    steps: [
      open(),
      get('/socket.io/?EIO=4&transport=websocket&sid={sid}'),
      ask('POST', '/socket.io/?EIO=4&transport=websocket&sid={sid}', { body: '40' }),
      ask('POST', query('&sid={sid}'), { on: 'post', body: '40' }),
      ask('GET', query('&sid={sid}'), { on: 'poll' }),
    ],
  },
  {
    name: 'a handshake with a body',
    steps: [ask('GET', query(), { body: '40' }), ask('GET', query())],
  },
];
