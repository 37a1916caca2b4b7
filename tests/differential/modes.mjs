// The configurations in which both servers are run. A mode is a set of options; this is the one
// place that tells how each server is told.

const DEFAULTS = {
  pingIntervalMs: 25_000,
  pingTimeoutMs: 20_000,
  connectTimeoutMs: 45_000,
  payloadBytesMax: 1_000_000,
};

const ONE = 'http://one.example';
const TWO = 'http://two.example';

/** Short, but a machine with other things to do must see one time from the next. */
export const QUICK = { pingIntervalMs: 900, pingTimeoutMs: 600, connectTimeoutMs: 3000 };

/** What each mode changes. `cors` has `origins` (a word or a list) and `credentials`. */
export const MODES = {
  plain: {},
  small: { payloadBytesMax: 100 },
  quick: QUICK,
  star: { cors: { origins: '*' } },
  string: { cors: { origins: ONE } },
  'string-credentials': { cors: { origins: ONE, credentials: true } },
  list: { cors: { origins: [ONE, TWO] } },
  'list-credentials': { cors: { origins: [ONE, TWO], credentials: true } },
};

/** The options of Node's server in a mode. */
export function nodeOptions(mode) {
  const { cors, ...rest } = { ...DEFAULTS, ...MODES[mode] };
  return {
    pingInterval: rest.pingIntervalMs,
    pingTimeout: rest.pingTimeoutMs,
    connectTimeout: rest.connectTimeoutMs,
    maxHttpBufferSize: rest.payloadBytesMax,
    ...(cors && { cors: { origin: cors.origins, credentials: cors.credentials } }),
  };
}

/** The arguments of the conformance example in a mode. */
export function exampleArguments(mode, port) {
  const { cors, ...rest } = { ...DEFAULTS, ...MODES[mode] };
  const words = [
    ['--socketio'],
    ['--listen', `127.0.0.1:${port}`],
    ['--path', '/socket.io/'],
    ['--ping-interval-ms', rest.pingIntervalMs],
    ['--ping-timeout-ms', rest.pingTimeoutMs],
    ['--max-payload', rest.payloadBytesMax],
    ['--connect-timeout-ms', rest.connectTimeoutMs],
  ];
  words.push(['--cors-origin', cors ? [cors.origins].flat().join() : 'false']);
  words.push(['--cors-methods', 'GET,HEAD,PUT,PATCH,POST,DELETE']);
  if (cors?.credentials) words.push(['--cors-credentials']);
  return words.flat().map(String);
}
