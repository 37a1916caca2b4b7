// The gateway as a process: how it starts, refuses to start, stalls and ends.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, test } from 'node:test';

import { Client, WAYS, clients, closeClients, heardOf } from '../lib/client.mjs';
import { Session, Tcp, closeSessions, frame } from '../lib/raw.mjs';
import { Relay, SHARD_COUNTS, endKept, freePort, keep } from '../lib/relay.mjs';
import { eventually, pause, within } from '../lib/wait.mjs';

async function start(options) {
  return keep(await Relay.start(options));
}

/** Waits until the process has ended, after a signal if one is named. */
function ended(relay, signal) {
  if (signal) relay.signal(signal);
  return within(15_000, 'exit', (done) => void relay.exited.then(done));
}

afterEach(async () => {
  closeClients();
  closeSessions();
  await endKept();
});

for (const shards of SHARD_COUNTS) {
  describe(`the end of the process (RELAY_SHARDS=${shards})`, () => {
    for (const [signal, way] of [
      ['SIGTERM', 'websocket'],
      ['SIGTERM', 'polling'],
      ['SIGTERM', 'upgrade'],
      ['SIGINT', 'websocket'],
    ]) {
      test(`${signal}: exit 0, transport close, and clients would return (${way})`, async () => {
        const relay = await start({ shards });
        const crowd = await clients(relay, 4, { way, reconnection: true });
        if (way === 'upgrade') await Promise.all(crowd.map((client) => client.upgraded()));
        const raw = await Session.join(relay);
        const reasons = crowd.map((client) => client.disconnected());
        relay.signal(signal);
        assert.deepEqual(await ended(relay), { code: 0, signal: null });
        assert.deepEqual(await Promise.all(reasons), crowd.map(() => 'transport close'));
        for (const client of crowd) assert.equal(client.socket.active, true, 'tries again');
        assert.deepEqual(await raw.closed(), { code: 1005, reason: '' });
        assert.deepEqual(raw.frames, [], 'no packet tells it not to return');
      });
    }

    for (const [way, reason] of Object.entries({
      websocket: 'transport close',
      polling: 'transport error',
      upgrade: 'transport close',
    })) {
      test(`SIGKILL is ${reason} to a client, which would return (${way})`, async () => {
        const relay = await start({ shards });
        const client = await Client.connect(relay, { way, reconnection: true });
        if (way === 'upgrade') await client.upgraded();
        await relay.kill();
        assert.equal(await client.disconnected(), reason);
        assert.equal(client.socket.active, true);
      });
    }

    test('clients that come and go by polling are not waited for', async () => {
      const relay = await start({ shards });
      for (let round = 0; round < 5; round++) {
        await clients(relay, 8, { way: round % 2 ? 'upgrade' : 'polling' });
        closeClients();
      }
      assert.deepEqual(await ended(relay, 'SIGTERM'), { code: 0, signal: null });
    });

    test('it ends quickly with clients that do not', async () => {
      const relay = await start({ shards });
      const tcp = await Tcp.upgrade(relay);
      tcp.socket.pause();
      await Tcp.open(relay);
      assert.equal((await ended(relay, 'SIGTERM')).code, 0);
    });

    test('a client that answered the close frame is not waited for', async () => {
      // RFC 6455 §7.1.1: the server closes TCP first; such clients wait for it.
      const relay = await start({ shards });
      const tcp = await Tcp.upgrade(relay, { allowHalfOpen: true });
      tcp.write(frame(0x81, '40/relay,'));
      await tcp.until('the answer', () => tcp.received.includes('40/relay,'));
      const started = performance.now();
      relay.signal('SIGTERM');
      await tcp.until('close frame', () => tcp.closeCode() !== undefined);
      tcp.write(frame(0x88));
      await relay.exited;
      const ms = performance.now() - started;
      assert.ok(ms < 2000, `${ms} ms`);
    });

    for (const way of Object.keys(WAYS)) {
      test(`what was acknowledged before it is delivered (${way})`, async () => {
        const relay = await start({ shards });
        const [sender, ...others] = await clients(relay, 6, { way });
        const count = 200;
        const fat = 'x'.repeat(1000);
        for (let n = 0; n < count - 1; n++) sender.emit('relay', { destino: 'ustedes', n, fat });
        assert.deepEqual(await sender.ask('relay', { destino: 'ustedes', n: count - 1 }), [true]);
        const ends = others.map((client) => client.disconnected());
        relay.signal('SIGTERM');
        await Promise.all(ends);
        for (const client of others) {
          const numbers = client.heard.map((event) => event[1].n);
          assert.deepEqual(numbers, [...Array(count).keys()]);
        }
      });

      test(`clients return to the next process on the port, as new ones (${way})`, async () => {
        const port = await freePort();
        const first = await start({ shards, port });
        const options = { way, reconnection: true, reconnectionDelay: 100 };
        const client = await Client.connect(first, options);
        await client.ask('unirse', 'a');
        const { id } = client;
        await first.stop();
        await client.disconnected();
        const second = await start({ shards, port });
        await eventually('return', () => client.socket.connected, 20_000);
        assert.notEqual(client.id, id);
        const sender = await Client.connect(second);
        sender.emit('relay', { destino: 'room', room: 'a' });
        assert.deepEqual(await heardOf(sender, client), [[]]);
        assert.deepEqual(await client.ask('unirse', 'a'), [true]);
        sender.emit('relay', { destino: 'room', room: 'a', b: Buffer.from('back') });
        assert.equal((await heardOf(sender, client))[0].length, 1);
        if (way === 'upgrade') await client.upgraded();
      });
    }

    test('a second instance on a taken port is refused, and the first lives on', async () => {
      const first = await start({ shards });
      const client = await Client.connect(first);
      for (const more of [1, 2, 4]) {
        const second = Relay.launch({ shards: more, port: first.port });
        const { code } = await second.exited;
        assert.equal(code, 1);
        assert.match(second.stderr, /in use/i);
        assert.match(second.stderr, new RegExp(String(first.port)));
      }
      assert.deepEqual(await client.ask('relay', {}), [true]);
    });

    test('a stall of some seconds loses nobody and nothing', async () => {
      const relay = await start({ shards });
      const [sender, ...others] = await clients(relay, 8);
      relay.signal('SIGSTOP');
      for (let n = 0; n < 50; n++) sender.emit('relay', { destino: 'ustedes', n });
      await pause(3000);
      relay.signal('SIGCONT');
      for (const heard of await heardOf(sender, ...others)) {
        assert.deepEqual(heard.map((event) => event[1].n), [...Array(50).keys()]);
      }
      for (const client of [sender, ...others]) assert.equal(client.socket.connected, true);
    });
  });
}

describe('settings', () => {
  /** Starts with these settings; it must end with a message that names what is wrong. */
  async function refuses(env, ...named) {
    const port = await freePort();
    const relay = Relay.launch({ port, ...env });
    keep(relay);
    const exit = await within(10_000, 'exit', (done) => void relay.exited.then(done));
    assert.equal(exit.code, 1);
    for (const name of named) assert.ok(relay.stderr.includes(name), relay.stderr);
    assert.ok(!relay.stderr.includes('panicked'), relay.stderr);
  }

  async function accepts(env) {
    const relay = await start(env);
    const client = await Client.connect(relay);
    assert.deepEqual(await client.ask('relay', {}), [true]);
    return relay;
  }

  for (const [name, value] of Object.entries({
    KAFKA_BROKERS: 'localhost:9092',
    MONGO_URL: 'mongodb://localhost',
    MONGODB_URL: 'mongodb://localhost',
    MONGO_DB_NAME: 'relay',
    WEBRTC_ENABLED: 'true',
    STUN_SERVERS: 'stun:localhost',
    TURN_URL: 'turn:localhost',
    TURN_USERNAME: 'relay',
  })) {
    test(`${name}, whose feature is not there yet, ends the start`, () =>
      refuses({ env: { [name]: value } }, name));
  }

  for (const [name, value] of Object.entries({
    PORT: 'abc',
    HOST: 'not an address',
    RELAY_SHARDS: '0',
    RELAY_SHARD: '2',
    RELAY_UNKNOWN: 'x',
  })) {
    test(`${name}=${value} ends the start`, () => refuses({ env: { [name]: value } }, name));
  }

  for (const [name, value] of [
    ['PORT', '65536'],
    ['PORT', '-1'],
    ['RELAY_SHARDS', 'two'],
    ['RELAY_SHARDS', '1000000'],
  ]) {
    test(`${name}=${value} ends the start`, () => refuses({ env: { [name]: value } }, name, value));
  }

  test('everything that is wrong is named at once', () =>
    refuses({ env: { RELAY_SHARDS: 'x', KAFKA_BROKERS: 'k', RELAY_NADA: '1' } }, 'RELAY_SHARDS', 'KAFKA_BROKERS', 'RELAY_NADA'));

  test('what Kubernetes injects is ignored', () =>
    accepts({
      env: {
        RELAY_SERVICE_HOST: '10.0.0.1',
        RELAY_SERVICE_PORT: '5000',
        RELAY_SERVICE_PORT_HTTP: '5000',
        RELAY_PORT: 'tcp://10.0.0.1:5000',
        RELAY_PORT_5000_TCP: 'tcp://10.0.0.1:5000',
        RELAY_PORT_5000_TCP_ADDR: '10.0.0.1',
        RELAY_1_PORT: 'tcp://10.0.0.2:5000',
        REDIS_SERVICE_HOST: '10.0.0.3',
        REDIS_PORT: 'tcp://10.0.0.3:6379',
        KAFKA_PORT: 'tcp://10.0.0.4:9092',
        KAFKA_PORT_9092_TCP_PROTO: 'tcp',
        MONGO_SERVICE_PORT: '27017',
      },
    }));

  test('variables that are not ours are ignored', () =>
    accepts({ env: { NODE_ENV: 'production', HOSTNAME: 'x', RUST_LOG: 'debug', RELAYED: '1' } }));

  test('INSTANCE_ID is shown by /health as it is', async () => {
    const name = 'relay "uno" ñ\\';
    const relay = await accepts({ env: { INSTANCE_ID: name } });
    assert.equal(JSON.parse((await relay.get('/health')).body).instance, name);
  });

  test('HOST chooses the address', async () => {
    const relay = await accepts({ env: { HOST: '127.0.0.1' } });
    await assert.rejects(answersOn(relay.port, '127.0.0.2'));
  });

  test('without HOST it answers on IPv6 too, where there is any', async (t) => {
    const relay = await accepts({});
    await answersOn(relay.port, '127.0.0.1');
    try {
      await answersOn(relay.port, '::1');
    } catch (error) {
      if (!['EADDRNOTAVAIL', 'EAFNOSUPPORT'].includes(error.code)) throw error;
      t.skip('no IPv6 here');
    }
  });

  /** A setting in the `.env` file of the working directory. */
  async function inDotEnv(text, act) {
    const cwd = mkdtempSync(join(tmpdir(), 'relay-e2e-'));
    try {
      writeFileSync(join(cwd, '.env'), text);
      await act(cwd);
    } finally {
      rmSync(cwd, { recursive: true });
    }
  }

  test('a .env file is read, and the environment wins', async () => {
    await inDotEnv('# a comment\nINSTANCE_ID="from the file"\nPORT=1\n\nOTHER=5\n', async (cwd) => {
      const relay = await accepts({ cwd });
      assert.equal(JSON.parse((await relay.get('/health')).body).instance, 'from the file');
    });
  });

  test('an unknown RELAY_ name in .env ends the start', async () => {
    await inDotEnv('RELAY_SHARD=2\n', (cwd) => refuses({ cwd }, 'RELAY_SHARD'));
  });
});

function answersOn(port, host) {
  return new Promise((resolve, reject) => {
    const socket = connect(port, host);
    socket.once('connect', () => {
      socket.destroy();
      resolve();
    });
    socket.once('error', reject);
  });
}

describe('a poor environment', () => {
  test('without descriptors left new sessions get 503 and /health still answers', async () => {
    const limited = ['bash', '-c', 'ulimit -n 200 && exec "$0"'];
    const relay = await start({ shards: 2, wrapper: limited });
    const outcomes = [];
    for (let n = 0; n < 150; n++) {
      outcomes.push(await Session.join(relay).then(() => 'joined', (error) => error.message));
    }
    const joined = outcomes.filter((outcome) => outcome === 'joined').length;
    assert.ok(joined >= 40 && joined < 150, `${joined} sessions`);
    assert.match(outcomes.at(-1), /503/);
    for (let n = 0; n < 20; n++) assert.equal((await relay.get('/health')).status, 200);
    closeSessions();
    await eventually('room for a session', () => Session.join(relay).then(() => true, () => false));
  });

  test('connections that say nothing do not use up the descriptors', async () => {
    const limited = ['bash', '-c', 'ulimit -n 200 && exec "$0"'];
    const relay = await start({ shards: 2, wrapper: limited });
    const client = await Client.connect(relay);
    await Promise.all(Array.from({ length: 400 }, () => Tcp.open(relay).catch(() => {})));
    const usage = cpuTicks(relay);
    await pause(1000);
    assert.ok(cpuTicks(relay) - usage < 50, 'it does not spin');
    assert.deepEqual(await client.ask('relay', {}), [true]);
    await eventually('an answer', () => relay.get('/health').then(() => true, () => false), 20_000);
  });

  test('a full pipe on stdout and stderr holds nobody up', async () => {
    const relay = Relay.launch({ shards: 2, port: await freePort() });
    keep(relay);
    relay.child.stdout.pause();
    relay.child.stderr.pause();
    assert.ok(await relay.answers());
    const client = await Client.connect(relay);
    for (let n = 0; n < 3000; n++) {
      client.emit('identificar', `${n} ${'x'.repeat(900)}`);
      client.emit('relay', { destino: 'yo', tipo: 'mensaje' });
      client.emit('relay', null);
    }
    await heardOf(client, client);
    assert.deepEqual(await client.ask('relay', {}), [true]);
  });

  test('a closed stdout and stderr end nobody', async () => {
    const relay = Relay.launch({ shards: 2, port: await freePort() });
    keep(relay);
    relay.child.stdout.destroy();
    relay.child.stderr.destroy();
    assert.ok(await relay.answers());
    const client = await Client.connect(relay);
    await client.ask('identificar', 'ana');
    assert.deepEqual(await client.ask('relay', {}), [true]);
    relay.signal('SIGTERM');
    const { code } = await new Promise((resolve) => {
      relay.child.once('exit', (code, signal) => resolve({ code, signal }));
    });
    assert.equal(code, 0);
  });
});

/** Processor time of the gateway in hundredths of a second. */
function cpuTicks(relay) {
  const stat = readFileSync(`/proc/${relay.pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return Number(fields[11]) + Number(fields[12]);
}
