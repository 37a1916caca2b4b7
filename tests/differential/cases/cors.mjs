// What browsers are told about other origins, in every mode.

import { MODES } from '../modes.mjs';
import { ask, hear, join, open, poll, post, query, upgrade, wsQuery } from '../lib/steps.mjs';

/** What is asked; each with every Origin, in every mode. */
const ORIGINS = [
  ['no origin', undefined],
  ['the first origin', 'http://one.example'],
  ['the second origin', 'http://two.example'],
  ['a foreign origin', 'http://foreign.example'],
  ['the first origin with a port', 'http://one.example:8080'],
  ['the first origin in capitals', 'HTTP://ONE.EXAMPLE'],
  ['origin null', 'null'],
];

const REQUESTS = [
  ['handshake', (headers) => ask('GET', query(), { headers })],
  [
    'preflight',
    (headers) =>
      ask('OPTIONS', query(), { headers: { ...headers, 'Access-Control-Request-Method': 'POST' } }),
  ],
  [
    'preflight with headers',
    (headers) =>
      ask('OPTIONS', query(), {
        headers: {
          ...headers,
          'Access-Control-Request-Method': 'POST',
          'Access-Control-Request-Headers': 'content-type, x-custom',
        },
      }),
  ],
];

/** With one Origin is enough for these. */
const MORE = [
  ['OPTIONS that is no preflight', (headers) => ask('OPTIONS', query(), { headers })],
  ['OPTIONS without a query', (headers) => ask('OPTIONS', '/socket.io/', { headers })],
  [
    'OPTIONS of an unknown session',
    (headers) => ask('OPTIONS', query('&sid=AAAAAAAAAAAAAAAAAAAA'), { headers }),
  ],
  ['OPTIONS of a session', (headers) => [open(), ask('OPTIONS', query('&sid={sid}'), { headers })]],
  ['OPTIONS of the bundle', (headers) => ask('OPTIONS', '/socket.io/socket.io.js', { headers })],
  [
    'preflight of the private network',
    (headers) =>
      ask('OPTIONS', query(), {
        headers: {
          ...headers,
          'Access-Control-Request-Method': 'GET',
          'Access-Control-Request-Private-Network': 'true',
        },
      }),
  ],
  [
    'preflight of PUT',
    (headers) =>
      ask('OPTIONS', query(), { headers: { ...headers, 'Access-Control-Request-Method': 'PUT' } }),
  ],
  [
    'preflight with an empty list of headers',
    (headers) =>
      ask('OPTIONS', query(), {
        headers: {
          ...headers,
          'Access-Control-Request-Method': 'POST',
          'Access-Control-Request-Headers': '',
        },
      }),
  ],
  ['an error', (headers) => ask('GET', '/socket.io/?EIO=4&transport=x', { headers })],
  ['an unknown session', (headers) => ask('GET', query('&sid=AAAAAAAAAAAAAAAAAAAA'), { headers })],
  ['a bad version', (headers) => ask('GET', '/socket.io/?EIO=3&transport=polling', { headers })],
  ['PUT', (headers) => ask('PUT', query(), { headers })],
  ['HEAD', (headers) => ask('HEAD', query(), { headers })],
  ['an origin with a DEL', () => ask('GET', query(), { headers: { Origin: 'x\u007f' } })],
  [
    'POST and GET',
    (headers) => [
      join('sid', { headers }),
      post('42["message",1]', { headers }),
      poll({ headers }),
    ],
  ],
  ['POST too large', (headers) => [open(), post('x'.repeat(1_000_001), { headers })]],
  ['the bundle', (headers) => ask('GET', '/socket.io/socket.io.js', { headers })],
  [
    'the bundle, known',
    (headers) =>
      ask('GET', '/socket.io/socket.io.js', {
        headers: { ...headers, 'If-None-Match': '"4.8.4"' },
      }),
  ],
  ['WebSocket', (headers) => [upgrade(wsQuery(), { headers }), hear(1)]],
  [
    'WebSocket of an unknown session',
    (headers) => upgrade(wsQuery('&sid=AAAAAAAAAAAAAAAAAAAA'), { headers }),
  ],
];

/** Modes that differ in something else than cors. */
const modes = Object.keys(MODES).filter((mode) => mode === 'plain' || MODES[mode].cors);

const withOrigin = (origin) => (origin === undefined ? {} : { Origin: origin });

export default modes.flatMap((mode) => [
  ...REQUESTS.flatMap(([what, steps]) =>
    ORIGINS.map(([who, origin]) => ({
      name: `cors: ${what}, ${who}`,
      mode,
      steps: [steps(withOrigin(origin))],
    })),
  ),
  ...MORE.map(([what, steps]) => ({
    name: `cors: ${what}`,
    mode,
    steps: [steps(withOrigin('http://one.example'))],
  })),
]);
