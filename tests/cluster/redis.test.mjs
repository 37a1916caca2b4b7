// Redis that fails under load: killed, stopped, its connections ended, not there yet. What is among
// the clients of one instance goes on meanwhile; what is between instances comes back with Redis.

import assert from 'node:assert/strict';
import { afterEach, describe, test } from 'node:test';

import { eventually, pause } from '../e2e/js/lib/wait.mjs';
import { closeClients } from './lib/client.mjs';
import { Fleet } from './lib/fleet.mjs';
import { outage } from './lib/faults.mjs';
import { total } from './lib/account.mjs';
import { Traffic, now } from './lib/traffic.mjs';

const KINDS = ['relay', 'relay', 'node'];
const RATE = 40;

describe('Redis fails', () => {
  let fleet;
  let traffic;
  const start = async (options) => {
    fleet = await Fleet.start(KINDS, options);
    traffic = new Traffic();
    for (const instance of fleet.instances) {
      await traffic.sender(instance, RATE);
      await traffic.receive(instance, 6);
    }
  };
  afterEach(async () => {
    closeClients();
    await fleet?.stop();
  });

  /** Nobody lost a connection, and nothing is missing but between instances in the window; how much. */
  async function nothingElseWasLost(t, window) {
    await traffic.end();
    assert.deepEqual(fleet.dead(), []);
    assert.deepEqual([...traffic.senders, ...traffic.receivers].flatMap((it) => it.outages), []);
    assert.deepEqual(total(traffic.local()).faults, []);
    const across = total(traffic.across(), [window]);
    assert.deepEqual(across.faults, []);
    t.diagnostic(`${across.excused} of ${across.said} messages to other instances were lost`);
    return across.excused;
  }

  test('killed and started again', async (t) => {
    await start();
    const seen = await outage(fleet, traffic, {
      break: () => fleet.redis.kill(),
      lasting: 5000,
      mend: () => fleet.redis.start(),
    });
    t.diagnostic(`back after ${seen.back.gateways} ms, with Node after ${seen.back.all} ms`);
    assert.ok((await nothingElseWasLost(t, seen.window)) > 0);
  });

  test('stopped and continued', async (t) => {
    await start();
    // Longer than an instance waits for an answer: the connections are there, nothing is said.
    const seen = await outage(fleet, traffic, {
      break: () => fleet.redis.signal('SIGSTOP'),
      lasting: 10_000,
      mend: () => fleet.redis.signal('SIGCONT'),
    });
    t.diagnostic(`back after ${seen.back.gateways} ms, with Node after ${seen.back.all} ms`);
    assert.ok((await nothingElseWasLost(t, seen.window)) > 0);
  });

  test('started after the instances', async (t) => {
    await start({ withRedis: false });
    const gateways = fleet.instances.filter((it) => it.kind === 'relay');
    for (const it of gateways) {
      const { code, status, redis } = await it.health();
      assert.deepEqual([code, status, redis.state], [200, 'degraded', 'down']);
    }
    await eventually('messages', () => traffic.senders.every((it) => it.acknowledged > RATE), 60_000);
    await traffic.caughtUp(traffic.local());
    assert.equal(total(traffic.across()).heard, 0);
    await fleet.redis.start();
    await fleet.joined();
    await traffic.heardAgain(traffic.across(), now());
    await nothingElseWasLost(t, { from: 0, to: now() });
  });

  for (const type of ['pubsub', 'normal']) {
    test(`all connections of type ${type} ended`, async (t) => {
      await start();
      const gateways = fleet.instances.filter((it) => it.kind === 'relay');
      const before = await Promise.all(gateways.map((it) => it.metric('relay_cluster_connections_total')));
      const from = await traffic.caughtUp();
      assert.ok((await fleet.redis.killClients(type)) >= KINDS.length);
      // Each has connected anew, and is up: what it published came back to it.
      for (const [i, it] of gateways.entries()) {
        const again = async () => (await it.metric('relay_cluster_connections_total')) > before[i];
        await eventually('another connection', again, 60_000);
      }
      await fleet.joined();
      await traffic.heardAgain(traffic.across(), now());
      const to = now();
      await pause(1000);
      await nothingElseWasLost(t, { from, to });
    });
  }
});
