// Instances behind HAProxy that go away, in peace and not, and come back.

import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';

import { eventually } from '../e2e/js/lib/wait.mjs';
import { Client, WAYS, clients, closeClients } from './lib/client.mjs';
import { Cluster, GATEWAYS } from './lib/cluster.mjs';

/** They repeat what was not acknowledged: whatever is lost then is the servers' fault. */
const PATIENT = { retries: 100, ackTimeout: 2000 };

/** Waits until everybody is connected, and counted, somewhere. */
function settled(cluster, crowd) {
  return eventually('everybody connected', async () => {
    const homes = Object.values(await cluster.connections());
    const sum = homes.reduce((all, some) => all + (some ?? 0), 0);
    return crowd.every(({ socket }) => socket.connected) && sum === crowd.length;
  }, 90_000);
}

/** Everybody says numbers to itself until told to stop; then: whether each of them came back. */
function talk(crowd) {
  let over = false;
  const talks = crowd.map(async (client) => {
    let n = 0;
    for (; !over; n++) await client.say({ destino: 'yo', n });
    return n;
  });
  return async () => {
    over = true;
    for (const [i, count] of (await Promise.all(talks)).entries()) {
      const heard = new Set(crowd[i].heard.map((it) => it.n));
      const lost = Array.from({ length: count }, (_, n) => n).filter((n) => !heard.has(n));
      assert.deepEqual(lost, [], `of ${count} by ${crowd[i].way}`);
      assert.ok(count > 0);
    }
  };
}

describe('instances that end', () => {
  let cluster;
  const start = async (env) => (cluster = await Cluster.start(env));
  afterEach(async () => {
    closeClients();
    await cluster?.stop();
    cluster = undefined;
  });

  test('one that drains keeps its sessions, gets no new ones, and loses nobody’s messages', async () => {
    // Long enough for what is looked at meanwhile, on any machine.
    await start({ DRAIN_DELAY: '12', DRAIN_WINDOW: '2', DRAIN_DEADLINE: '25' });
    const crowd = await clients(cluster, 24, PATIENT);
    await settled(cluster, crowd);
    const before = await cluster.connections();
    assert.ok(before.one > 0);
    const enough = talk(crowd);

    cluster.signal('one', 'SIGTERM');
    await eventually('HAProxy notices', async () => !(await cluster.isUp('one')), 15_000);
    const late = await clients(cluster, 12);
    assert.deepEqual(late.flatMap((it) => it.errors), []);
    const meanwhile = await cluster.connections();
    assert.equal(meanwhile.one, before.one, 'nobody new, and nobody gone');
    // By polling and by WebSocket: what a check says is not about sessions that there are.
    const heard = crowd.map((it) => it.heard.length);
    await eventually('more messages', () => crowd.every((it, i) => it.heard.length > heard[i] + 2), 15_000);
    assert.deepEqual(crowd.flatMap((it) => it.ends), []);

    await cluster.ended('one');
    await settled(cluster, [...crowd, ...late]);
    await enough();
    const moved = crowd.filter((it) => it.ends.length > 0);
    assert.equal(moved.length, before.one);
    for (const it of moved) assert.deepEqual(it.ends, ['transport close'], it.way);
    assert.deepEqual(late.flatMap((it) => it.ends), []);
  });

  test('nobody who comes notices that one refuses new sessions', async () => {
    // It refuses them at once, and HAProxy learns of it a second later.
    await start({ DRAIN_DELAY: '0', DRAIN_WINDOW: '3' });
    let over = false;
    const come = Object.keys(WAYS).flatMap((way) => [way, way]).map(async (way) => {
      let count = 0;
      for (; !over; count++) {
        const client = await Client.connect(cluster, way, { reconnection: false });
        assert.deepEqual(client.errors, []);
        client.socket.disconnect();
      }
      return count;
    });
    cluster.signal('one', 'SIGTERM');
    await eventually('HAProxy notices', async () => !(await cluster.isUp('one')), 15_000);
    await cluster.ended('one');
    over = true;
    for (const count of await Promise.all(come)) assert.ok(count > 0);
  });

  test('the clients of one that is killed come back on the others, and it gets new ones once it is back', async () => {
    await start({ DRAIN_DELAY: '0', DRAIN_WINDOW: '0' });
    const crowd = await clients(cluster, 24, PATIENT);
    await settled(cluster, crowd);
    const before = await cluster.connections();
    const enough = talk(crowd);

    cluster.signal('two', 'SIGKILL');
    await settled(cluster, crowd);
    await eventually('HAProxy notices', async () => !(await cluster.isUp('two')), 15_000);
    assert.equal(crowd.filter((it) => it.ends.length > 0).length, before.two);

    await cluster.script('start');
    await eventually('HAProxy notices', () => cluster.isUp('two'), 15_000);
    // Fewest connections: it has none.
    const late = await clients(cluster, 12);
    await eventually('some there', async () => (await cluster.connections()).two > 0, 15_000);
    assert.deepEqual(late.flatMap((it) => it.ends), []);
    await enough();
  });

  test('all are replaced one after the other, and every message arrives', async () => {
    await start({ DRAIN_DELAY: '3', DRAIN_WINDOW: '1' });
    const crowd = await clients(cluster, 18, PATIENT);
    const enough = talk(crowd);
    for (const name of GATEWAYS) {
      const pid = cluster.pid(name);
      cluster.signal(name, 'SIGTERM');
      await cluster.ended(name);
      await cluster.script('start');
      assert.notEqual(cluster.pid(name), pid);
      await eventually('HAProxy notices', () => cluster.isUp(name), 15_000);
    }
    await settled(cluster, crowd);
    await enough();
  });
});
