// The doors of the process: one of its own for whoever looks after it, and a listener that was
// passed in and outlives it.

import assert from 'node:assert/strict';
import { afterEach, describe, test } from 'node:test';

import { Client, closeClients } from '../lib/client.mjs';
import { Tcp, closeSessions } from '../lib/raw.mjs';
import { Relay, endKept, freePort, keep } from '../lib/relay.mjs';
import { eventually, pause, within } from '../lib/wait.mjs';

const ROUTES = ['/health', '/live', '/ready', '/metrics'];

function launch(options) {
  return keep(Relay.launch(options));
}

async function status(port, path) {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, {
    signal: AbortSignal.timeout(10_000),
  });
  await response.arrayBuffer();
  return response.status;
}

afterEach(async () => {
  closeClients();
  closeSessions();
  await endKept();
});

describe('ADMIN_ADDRESS', () => {
  async function startWithAdmin() {
    const [port, admin] = [await freePort(), await freePort()];
    const env = { ADMIN_ADDRESS: `127.0.0.1:${admin}`, DRAIN_DELAY: '1s' };
    const relay = launch({ shards: 2, port, env });
    const answers = () => status(admin, '/live').then((it) => it === 200, () => false);
    await eventually('answer of the admin port', answers, 20_000);
    return { relay, port, admin };
  }

  test('the routes are there and not on the public port', async () => {
    const { relay, port, admin } = await startWithAdmin();
    for (const path of ROUTES) {
      assert.equal(await status(admin, path), 200, path);
      assert.equal(await status(port, path), 404, path);
    }
    assert.equal(await status(admin, '/socket.io/'), 404, 'clients have no business there');
    const client = await Client.connect(relay);
    assert.deepEqual(await client.ask('unirse', 'a'), [true]);
    const health = await (await fetch(`http://127.0.0.1:${admin}/health`)).json();
    assert.equal(health.connections, 1);
  });

  test('it says that the process ends, until it has', async () => {
    const { relay, admin } = await startWithAdmin();
    relay.signal('SIGTERM');
    await eventually('503', async () => (await status(admin, '/ready')) === 503);
    assert.equal(await status(admin, '/live'), 200);
    const { code } = await within(15_000, 'exit', (done) => void relay.exited.then(done));
    assert.equal(code, 0);
  });

  test('what Redis said is there alone', async () => {
    const [port, admin, redis] = [await freePort(), await freePort(), await freePort()];
    const REDIS_URL = `redis://ana:secret@127.0.0.1:${redis}`;
    const health = async (at) => {
      const down = async () => {
        const response = await fetch(`http://127.0.0.1:${at}/health`);
        const answer = await response.json();
        return answer.redis?.state === 'down' && answer;
      };
      return eventually('Redis down', () => down().catch(() => false), 20_000);
    };
    launch({ shards: 1, port, env: { REDIS_URL, ADMIN_ADDRESS: `127.0.0.1:${admin}` } });
    const operator = await health(admin);
    assert.deepEqual([operator.status, Object.keys(operator.redis)], ['degraded', ['state', 'seconds', 'error']]);
    assert.ok(operator.redis.error.length > 0);
    assert.ok(!JSON.stringify(operator).includes('secret'));
    const other = await freePort();
    launch({ shards: 1, port: other, env: { REDIS_URL } });
    const anyone = await health(other);
    assert.deepEqual([anyone.status, Object.keys(anyone.redis)], ['degraded', ['state', 'seconds']]);
    assert.ok(anyone.redis.seconds >= 0);
  });

  test('a taken address ends the start', async () => {
    const { admin } = await startWithAdmin();
    const env = { ADMIN_ADDRESS: `127.0.0.1:${admin}` };
    const second = launch({ shards: 1, port: await freePort(), env });
    const { code } = await within(15_000, 'exit', (done) => void second.exited.then(done));
    assert.equal(code, 1);
    assert.match(second.stderr, new RegExp(`cannot listen on 127\\.0\\.0\\.1:${admin}`));
  });
});

describe('a listener that was passed in', () => {
  async function supervise(port) {
    const wrapper = ['python3', new URL('../lib/supervisor.py', import.meta.url).pathname, `${port}`];
    // The port of the settings is another one: it must not be used.
    const env = { DRAIN_WINDOW: '0', DRAIN_DEADLINE: '5' };
    const relay = launch({ shards: 2, port, wrapper, env });
    const pids = () => [...relay.stdout.matchAll(/started (\d+)/g)].map((it) => Number(it[1]));
    await eventually('first process', () => pids().length === 1);
    relay.pids = pids;
    return relay;
  }

  test('between two processes nobody is refused', async () => {
    const port = await freePort();
    const relay = await supervise(port);
    assert.equal(await relay.answers(), true, relay.output());
    const client = await Client.connect(relay, { reconnection: true, reconnectionDelay: 50 });
    const first = client.id;
    let asking = true;
    const answers = { 200: 0 };
    const ask = async () => {
      while (asking) {
        // A connection of its own each time.
        const head = 'GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n';
        const { status: code } = await Tcp.request(relay, head);
        answers[code] = (answers[code] ?? 0) + 1;
        await pause(5);
      }
    };
    const askers = [ask(), ask(), ask()];
    await pause(300);
    process.kill(relay.pids()[0], 'SIGTERM');
    await eventually('second process', () => relay.pids().length === 2, 15_000);
    await eventually('return', () => client.socket.connected && client.id !== first, 20_000);
    await pause(300);
    asking = false;
    await Promise.all(askers);
    assert.deepEqual(Object.keys(answers), ['200'], JSON.stringify(answers));
    process.kill(relay.pids()[1], 'SIGTERM');
    await within(15_000, 'exit', (done) => void relay.exited.then(done));
  });
});
