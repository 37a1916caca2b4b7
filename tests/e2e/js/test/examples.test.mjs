// The programs in crates/relay/examples: each does what its first lines say, for stock clients.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';

import { Client, WAYS, closeClients } from '../lib/client.mjs';
import { Relay, binary, freePort } from '../lib/relay.mjs';
import { eventually, within } from '../lib/wait.mjs';

const REACH_MS = 10_000;

/** Declares the tests of an example, which runs meanwhile. */
function example(name, body) {
  describe(`example ${name}`, () => {
    let running;
    before(async () => {
      const bin = join(dirname(binary()), 'examples', name);
      assert.ok(existsSync(bin), `${bin} is built by cargo build --examples`);
      // Somebody may take the port first.
      for (let attempt = 1; attempt <= 5 && !running?.running(); attempt++) {
        running = Relay.launch({ bin, port: await freePort() });
        const started = () => !running.running() || /listening on/.test(running.stderr);
        await eventually('it starts', started);
      }
      assert.ok(running.running(), running.output());
    });
    after(async () => {
      assert.ok(running.running(), running.output());
      // A program that waits for ctrl-c ends well; one that does not ends.
      running.signal('SIGINT');
      const { code, signal } = await running.exited;
      assert.ok(code === 0 || signal === 'SIGINT', running.output());
    });
    afterEach(closeClients);
    body(() => running);
  });
}

/** Connects and is refused: the error. */
async function refused(relay, options) {
  const client = Client.start(relay, options);
  return within(REACH_MS, 'a refusal', (done, fail) => {
    client.socket.once('connect_error', done);
    client.socket.once('connect', () => fail(new Error('it was let in')));
  });
}

function fetchFrom(relay, path, options) {
  return fetch(relay.url + path, { signal: AbortSignal.timeout(REACH_MS), ...options });
}

example('cors', (relay) => {
  test('the page of the origin is let in, with its cookies', async () => {
    const answer = await fetchFrom(relay(), '/socket.io/?EIO=4&transport=polling', {
      method: 'OPTIONS',
      headers: { origin: 'https://tudominio.com', 'access-control-request-method': 'POST' },
    });
    assert.equal(answer.headers.get('access-control-allow-origin'), 'https://tudominio.com');
    assert.equal(answer.headers.get('access-control-allow-methods'), 'GET,POST');
    assert.equal(answer.headers.get('access-control-allow-credentials'), 'true');
    const client = await Client.connect(relay(), {
      extraHeaders: { origin: 'https://tudominio.com' },
    });
    assert.match(client.id, /^~/);
  });

  test('the page of another origin is not, by WebSocket either', async () => {
    const error = await refused(relay(), { extraHeaders: { origin: 'https://example.com' } });
    assert.match(error.message, /websocket error/);
  });
});

example('token_at_connection', (relay) => {
  test('a good token is welcome', async () => {
    const client = await Client.connect(relay(), { auth: { token: 'secreto' } });
    await client.until(([name]) => name === 'welcome', 'the welcome');
  });

  test('without one the client is sent away, as by socket.disconnect() in Node', async () => {
    for (const auth of [undefined, { token: 'x' }, { token: 7 }]) {
      const client = await Client.connect(relay(), { auth });
      assert.equal(await client.disconnected(), 'io server disconnect');
    }
  });
});

example('authorize', (relay) => {
  test('a good token is let in', async () => {
    await Client.connect(relay(), { auth: { token: 'secreto' } });
  });

  test('a bad one is told why, with data', async () => {
    const expired = await refused(relay(), { auth: { token: 'x' } });
    assert.equal(expired.message, 'token expired');
    assert.deepEqual(expired.data, { code: 'expired', retry: false });
    assert.equal((await refused(relay(), {})).message, 'token missing');
  });
});

example('identity', (relay) => {
  test('a client is whom its token names, and nobody else', async () => {
    const client = await Client.connect(relay(), { auth: { token: 'token-of-ana' } });
    const data = { destino: 'yo' };
    const unknown = { code: 'forbidden', message: 'say who you are first' };
    assert.deepEqual(await client.ask('relay', data), [false, unknown]);
    const stolen = { code: 'forbidden', message: 'the token belongs to somebody else' };
    assert.deepEqual(await client.ask('identificar', 'eva'), [false, stolen]);
    assert.deepEqual(await client.ask('identificar', 'ana'), [true]);
    assert.deepEqual(await client.ask('relay', data), [true]);
    assert.deepEqual(client.heard, [['relay', data]]);
  });

  for (const way of Object.keys(WAYS)) {
    test(`what is said while a claim is looked into waits, in its order (${way})`, async () => {
      const client = await Client.connect(relay(), { way, auth: { token: 'token-of-ana' } });
      const other = await Client.connect(relay(), { way, auth: { token: 'token-of-eva' } });
      const answers = [];
      const note = (name) => (...answer) => answers.push([name, ...answer]);
      const data = (n) => ({ destino: 'nosotros', n, bytes: Buffer.from([n]) });
      client.emit('relay', data(0), note('early'));
      client.emit('identificar', 'ana', note('claim'));
      for (let n = 1; n <= 20; n++) client.emit('relay', data(n), note(n));
      client.emit('identificar', 'ana', note('again'));
      client.emit('relay', data(21), note(21));
      await other.until(([, it]) => it?.n === 21);
      await client.until(([, it]) => it?.n === 21);
      await eventually('all answers', () => answers.length === 24);
      const numbers = (from, to) => Array.from({ length: to - from + 1 }, (_, n) => from + n);
      const order = ['early', 'claim', ...numbers(1, 20), 'again', 21];
      assert.deepEqual(answers.map(([name]) => name), order);
      assert.deepEqual(answers.map(([, ok]) => ok), [false, ...Array(23).fill(true)]);
      for (const { heard } of [client, other]) {
        assert.deepEqual(heard.map(([, { n, bytes }]) => [n, bytes[0]]), numbers(1, 21).map((n) => [n, n]));
      }
    });
  }

  test('a claim that turns out to be wrong is refused later', async () => {
    const client = await Client.connect(relay(), { auth: { token: 'token-of-mallory' } });
    const locked = { code: 'bad_user', message: 'the account is locked' };
    assert.deepEqual(await client.ask('identificar', 'mallory'), [false, locked]);
  });

  test('without a token nobody comes in', async () => {
    assert.equal((await refused(relay(), {})).message, 'token missing');
  });
});

example('http_middleware', (relay) => {
  test('a session needs the key, by every transport', async () => {
    for (const way of ['websocket', 'polling', 'upgrade']) {
      assert.ok(await refused(relay(), { way, query: { key: 'x' } }));
      const client = await Client.connect(relay(), { way, query: { key: 'secreto' } });
      assert.deepEqual(await client.ask('unirse', 'sala'), [true]);
    }
    const answer = await fetchFrom(relay(), '/socket.io/?EIO=4&transport=polling');
    assert.equal(answer.status, 401);
  });

  test('a path of its own reaches every client, the rest is passed on', async () => {
    const client = await Client.connect(relay(), { query: { key: 'secreto' } });
    const answer = await fetchFrom(relay(), '/announce', { method: 'POST', body: 'hola ☃' });
    assert.equal(answer.status, 202);
    const heard = await client.until(([name]) => name === 'announcement');
    assert.deepEqual(heard, ['announcement', 'hola ☃']);
    assert.equal((await fetchFrom(relay(), '/health')).status, 200);
    assert.equal((await fetchFrom(relay(), '/nothing')).status, 404);
  });
});

example('axum', (relay) => {
  test('its router stands on the port of the gateway', async () => {
    const client = await Client.connect(relay());
    assert.equal(await (await fetchFrom(relay(), '/')).text(), '1 clients are here\n');
    assert.equal((await fetchFrom(relay(), '/health')).status, 200);
    assert.equal((await fetchFrom(relay(), '/nothing')).status, 404);
    assert.deepEqual(await client.ask('relay', 5), [true]);
  });

  test('a request reaches the sockets of a user', async () => {
    const [ana, tablet, eva] = await Promise.all([1, 2, 3].map(() => Client.connect(relay())));
    for (const socket of [ana, tablet]) await socket.ask('identificar', 'ana');
    await eva.ask('identificar', 'eva');
    const options = { method: 'POST', body: 'para ti' };
    assert.equal((await fetchFrom(relay(), '/users/ana/notices', options)).status, 202);
    for (const socket of [ana, tablet]) {
      const heard = await socket.until(([name]) => name === 'notice');
      assert.deepEqual(heard, ['notice', 'para ti']);
    }
    assert.deepEqual(eva.heard, []);
  });
});

example('chat', (relay) => {
  test('guests of a room hear each other come, speak and go', async () => {
    const guests = { namespace: '/' };
    const ana = await Client.connect(relay(), guests);
    const eva = await Client.connect(relay(), guests);
    const other = await Client.connect(relay(), guests);
    ana.emit('enter', 'ana', 'sala');
    await ana.until(([name]) => name === 'entered');
    other.emit('enter', 'leo', 'otra');
    eva.emit('enter', 'eva', 'sala');
    await ana.until(([name, who]) => name === 'entered' && who === 'eva');
    ana.emit('say', 'hola');
    assert.deepEqual(await eva.until(([name]) => name === 'said'), ['said', 'ana', 'hola']);
    eva.socket.disconnect();
    const left = await ana.until(([name]) => name === 'left');
    assert.deepEqual(left, ['left', 'eva', 'client namespace disconnect']);
    // What is said last comes last: nothing of the first room is on its way any more.
    other.emit('say', 'adiós');
    await other.until(([name]) => name === 'said');
    assert.deepEqual(other.heard, [['entered', 'leo', ''], ['said', 'leo', 'adiós']]);
  });

  test('what is no chat is ignored', async () => {
    const guest = await Client.connect(relay(), { namespace: '/' });
    guest.emit('enter', 5);
    guest.emit('say', 'alone');
    guest.emit('enter', 'ana', 'sala');
    assert.deepEqual(await guest.until(([name]) => name === 'entered'), ['entered', 'ana', '']);
  });
});
