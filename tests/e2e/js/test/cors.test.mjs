// Pages of other origins: what `CORS_ORIGIN`, `CORS_METHODS` and `CORS_CREDENTIALS` make of preflights,
// polls and WebSockets, and which of their values end the start. No cookie is ever set.

import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';

import { Client, closeClients, heardOf } from '../lib/client.mjs';
import { Session, Tcp, closeSessions, upgradeRequest } from '../lib/raw.mjs';
import { BRIEF_END, Relay, freePort } from '../lib/relay.mjs';
import { within } from '../lib/wait.mjs';

const POLLING_PATH = '/socket.io/?EIO=4&transport=polling';
const PAGE = 'https://pagina.example';
const OTHER = 'http://otra.example:8080';
const FOREIGN = 'https://ajena.example';

/** The fields that these rules are about, by their names without `access-control-`. */
function corsFields(headers) {
  const all = [...headers.entries()];
  const fields = all
    .filter(([name]) => name.startsWith('access-control-'))
    .map(([name, value]) => [name.slice('access-control-'.length), value]);
  return { ...Object.fromEntries(fields), vary: headers.get('vary') ?? undefined };
}

/** Compares fields; one that is `undefined` must not be there. */
function assertFields(headers, expected, what) {
  const defined = (it) => Object.fromEntries(Object.entries(it).filter(([, v]) => v !== undefined));
  assert.deepEqual(defined(corsFields(headers)), defined(expected), what);
}

/**
 * Settings; `answer(origin)` is what a request of that origin gets, `upgrades` who may open a
 * WebSocket, `methods` what preflights name.
 */
const CASES = {
  'no setting': {
    env: {},
    answer: () => ({ 'allow-origin': '*' }),
    methods: 'GET,POST',
    upgrades: { [PAGE]: true, [FOREIGN]: true, null: true },
  },
  'CORS_ORIGIN=*': {
    env: { CORS_ORIGIN: '*', CORS_METHODS: 'GET, POST, OPTIONS', CORS_CREDENTIALS: 'false' },
    answer: () => ({ 'allow-origin': '*' }),
    methods: 'GET,POST,OPTIONS',
    upgrades: { [FOREIGN]: true },
  },
  'one origin': {
    env: { CORS_ORIGIN: PAGE, CORS_CREDENTIALS: 'true' },
    answer: () => ({ 'allow-origin': PAGE, 'allow-credentials': 'true', vary: 'Origin' }),
    methods: 'GET,POST',
    upgrades: { [PAGE]: true, [FOREIGN]: false, [`${PAGE}.evil.example`]: false, null: false },
  },
  'a list': {
    env: { CORS_ORIGIN: `${PAGE}, ${OTHER}`, CORS_CREDENTIALS: 'true', CORS_METHODS: 'GET' },
    answer: (origin) => ({
      'allow-origin': [PAGE, OTHER].includes(origin) ? origin : undefined,
      'allow-credentials': 'true',
      vary: 'Origin',
    }),
    methods: 'GET',
    upgrades: {
      [PAGE]: true,
      [OTHER]: true,
      [FOREIGN]: false,
      'http://otra.example': false,
      'http://pagina.example': false,
      null: false,
    },
  },
  'CORS_ORIGIN=false': {
    env: { CORS_ORIGIN: 'false' },
    answer: () => ({}),
    upgrades: { [FOREIGN]: true },
  },
};

for (const [name, { env, answer, methods, upgrades }] of Object.entries(CASES)) {
  describe(`cross-origin: ${name}`, () => {
    let relay;
    before(async () => {
      relay = await Relay.start({ shards: 2, env: { ...BRIEF_END, ...env } });
    });
    after(async () => {
      assert.equal((await relay.stop()).code, 0);
    });
    afterEach(() => {
      closeClients();
      closeSessions();
    });

    test('answers to polls name who may read them, and set no cookie', async () => {
      for (const origin of [PAGE, OTHER, FOREIGN, undefined]) {
        const headers = origin ? { Origin: origin } : {};
        const response = await fetch(relay.url + POLLING_PATH, { headers });
        assert.equal(response.status, 200);
        assertFields(response.headers, answer(origin), origin);
        assert.equal(response.headers.get('set-cookie'), null);
        const { sid } = JSON.parse((await response.text()).slice(1));
        const path = `${POLLING_PATH}&sid=${sid}`;
        const post = await fetch(relay.url + path, { method: 'POST', body: '40/relay,', headers });
        assert.equal(await post.text(), 'ok');
        assertFields(post.headers, answer(origin), origin);
        const poll = await fetch(relay.url + path, { headers });
        assert.match(await poll.text(), /^40\/relay,/);
        assertFields(poll.headers, answer(origin), origin);
      }
    });

    test('so do refusals and the client library', async () => {
      const headers = { Origin: PAGE };
      for (const [path, status] of [
        ['/socket.io/?EIO=4&transport=nada', 400],
        ['/socket.io/?EIO=4&transport=polling&sid=x', 400],
        ['/socket.io/socket.io.js', 200],
      ]) {
        const response = await fetch(relay.url + path, { headers });
        assert.equal(response.status, status, path);
        const { vary, ...fields } = corsFields(response.headers);
        const { vary: varies, ...expected } = answer(PAGE);
        assert.deepEqual(fields, expected, path);
        if (varies) assert.match(vary, new RegExp(varies), path);
        await response.arrayBuffer();
      }
    });

    test('preflights are answered', async () => {
      for (const origin of [PAGE, FOREIGN]) {
        const response = await fetch(`${relay.url + POLLING_PATH}&sid=x`, {
          method: 'OPTIONS',
          headers: {
            Origin: origin,
            'Access-Control-Request-Method': 'POST',
            'Access-Control-Request-Headers': 'content-type,x-token',
          },
        });
        if (!methods) {
          assert.ok(response.status >= 400, `${response.status}`);
          assertFields(response.headers, {});
          continue;
        }
        assert.equal(response.status, 204);
        assert.equal(await response.text(), '');
        const { vary, ...expected } = answer(origin);
        assertFields(response.headers, {
          ...expected,
          vary: [vary, 'Access-Control-Request-Headers'].filter(Boolean).join(', '),
          'allow-methods': methods,
          'allow-headers': 'content-type,x-token',
        });
      }
    });

    test('WebSockets of pages that may not are refused', async () => {
      for (const [origin, may] of [...Object.entries(upgrades), [undefined, true]]) {
        const tcp = await Tcp.open(relay);
        tcp.write(upgradeRequest({ headers: { Origin: origin } }));
        await tcp.until('an answer', () => tcp.received.includes('\r\n\r\n'));
        if (may) {
          assert.equal(tcp.answer().status, 101, origin);
          tcp.destroy();
          continue;
        }
        await tcp.closed();
        const { first, headers, body } = tcp.answer();
        assert.equal(first, 'HTTP/1.1 400 Bad Request', origin);
        assert.equal(body, 'Forbidden', origin);
        assert.equal(headers.connection, 'close', origin);
        assert.equal(headers['content-type'], 'text/html', origin);
      }
    });

    test('a stock client that says a foreign origin gets no WebSocket', async () => {
      const extraHeaders = { Origin: FOREIGN };
      const polling = await Client.connect(relay, { way: 'upgrade', extraHeaders });
      if (upgrades[FOREIGN]) {
        await polling.upgraded();
        await Client.connect(relay, { extraHeaders });
        return;
      }
      const refused = Client.start(relay, { extraHeaders });
      const error = await within(5000, 'connect_error', (done) => {
        refused.socket.once('connect_error', done);
      });
      assert.match(error.message, /websocket error/);
      // Where no browser stands between, polling goes on; the upgrade does not come.
      await within(5000, 'the end of the probe', (done) => {
        if (polling.socket.io.engine.upgrading) polling.socket.io.engine.once('upgradeError', done);
        else done();
      });
      polling.emit('relay', { destino: 'yo', n: 1 });
      assert.deepEqual(await heardOf(polling, polling), [[['relay', { destino: 'yo', n: 1 }]]]);
      assert.equal(polling.transport, 'polling');
    });

    test('a session of an allowed page is no way in for another page', async () => {
      const response = await fetch(relay.url + POLLING_PATH, { headers: { Origin: PAGE } });
      const { sid } = JSON.parse((await response.text()).slice(1));
      const path = `/socket.io/?EIO=4&transport=websocket&sid=${sid}`;
      const tcp = await Tcp.open(relay);
      tcp.write(upgradeRequest({ path, headers: { Origin: FOREIGN } }));
      await tcp.until('an answer', () => tcp.received.includes('\r\n\r\n'));
      assert.equal(tcp.answer().status, upgrades[FOREIGN] ? 101 : 400);
    });

    test('an Origin that is no text is refused', async () => {
      const tcp = await Tcp.open(relay);
      tcp.write(upgradeRequest({ headers: { Origin: 'http://a\x01b' } }));
      await tcp.until('an answer', () => tcp.received.includes('\r\n\r\n'));
      assert.equal(tcp.answer().status, 400);
      await (await Session.join(relay)).alive();
    });
  });
}

describe('cross-origin settings', () => {
  for (const [env, ...named] of [
    [{ CORS_ORIGIN: '*', CORS_CREDENTIALS: 'true' }, 'CORS_CREDENTIALS=true', 'CORS_ORIGIN=*', 'name the origins'],
    [{ CORS_CREDENTIALS: 'true' }, 'CORS_CREDENTIALS=true', 'CORS_ORIGIN=*'],
    [{ CORS_CREDENTIALS: 'yes' }, 'CORS_CREDENTIALS=yes', 'true or false'],
    [{ CORS_ORIGIN: 'pagina.example' }, 'CORS_ORIGIN=pagina.example'],
    [{ CORS_ORIGIN: `${PAGE}/` }, 'CORS_ORIGIN='],
    [{ CORS_ORIGIN: `${PAGE},*` }, 'CORS_ORIGIN='],
    [{ CORS_METHODS: 'GET, PO ST' }, 'CORS_METHODS='],
    [{ CORS_METHODS: 'get', CORS_ORIGIN: 'x' }, 'CORS_METHODS=get', 'CORS_ORIGIN=x'],
  ]) {
    test(`${JSON.stringify(env)} ends the start`, async () => {
      const relay = Relay.launch({ port: await freePort(), env });
      const exit = await within(10_000, 'exit', (done) => void relay.exited.then(done));
      assert.equal(exit.code, 1, relay.output());
      for (const name of named) assert.ok(relay.stderr.includes(name), relay.stderr);
      assert.ok(!relay.stderr.includes('panicked'), relay.stderr);
    });
  }
});
