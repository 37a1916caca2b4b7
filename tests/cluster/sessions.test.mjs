// Stock clients through HAProxy: where their sessions live, and what reaches whom.

import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';

import { eventually } from '../e2e/js/lib/wait.mjs';
import { Client, WAYS, clients, closeClients } from './lib/client.mjs';
import { Cluster, GATEWAYS } from './lib/cluster.mjs';

describe('sessions behind HAProxy', () => {
  let cluster;
  before(async () => (cluster = await Cluster.start({ DRAIN_DELAY: '0', DRAIN_WINDOW: '0' })));
  afterEach(async () => {
    closeClients();
    const everybody = async () => Object.values(await cluster.connections());
    await eventually('empty cluster', async () => (await everybody()).every((it) => it === 0), 60_000);
  });
  after(() => cluster?.stop());

  for (const way of Object.keys(WAYS)) {
    // By polling each request is a connection of its own choosing: at the wrong instance it is
    // answered "Session ID unknown", and that would be the end of a client that does not reconnect.
    test(`a session stays on its instance (${way})`, async () => {
      const crowd = await clients(cluster, 12, { ways: [way], reconnection: false });
      if (way === 'upgrade') {
        const upgraded = () => crowd.every((client) => client.transport === 'websocket');
        await eventually('upgrades', upgraded, 60_000);
      }
      const homes = await cluster.connections();
      for (let n = 0; n < 25; n++) {
        await Promise.all(crowd.map((client) => client.say({ destino: 'yo', n })));
      }
      const numbers = Array.from({ length: 25 }, (_, n) => n);
      for (const client of crowd) {
        assert.deepEqual(client.heard.map((data) => data.n), numbers);
        assert.deepEqual(client.ends, []);
      }
      assert.deepEqual(await cluster.connections(), homes);
    });
  }

  test('each instance gets its share of WebSockets', async () => {
    await clients(cluster, 40, { ways: ['websocket'] });
    const shares = await cluster.connections();
    // Health checks and the questions of this test are connections too, for moments.
    for (const name of GATEWAYS) assert.ok(shares[name] >= 8, JSON.stringify(shares));
  });

  test('sessions that poll are learned, with the instance that has them', async () => {
    const before = new Set((await cluster.learned()).map(({ sid }) => sid));
    const crowd = await clients(cluster, 8, { ways: ['polling'] });
    const homes = await cluster.connections();
    const learned = (await cluster.learned()).filter(({ sid }) => !before.has(sid));
    assert.deepEqual(learned.map(({ sid }) => sid).sort(), crowd.map((it) => it.socket.io.engine.id).sort());
    for (const name of GATEWAYS) {
      assert.equal(learned.filter((entry) => entry.name === name).length, homes[name], name);
    }
  });

  test('a message to everybody reaches the clients of all instances, in the order of its sender', async () => {
    const crowd = await clients(cluster, 12);
    const homes = Object.values(await cluster.connections());
    assert.ok(homes.filter((it) => it > 0).length > 1, 'on several instances');
    const senders = crowd.slice(0, 4);
    const said = senders.map(async (sender, from) => {
      for (let n = 0; n < 20; n++) await sender.say({ destino: 'nosotros', from, n });
    });
    await Promise.all(said);
    for (const client of crowd) {
      await eventually('all messages', () => client.heard.length >= 80, 60_000);
      for (const from of senders.keys()) {
        const numbers = client.heard.filter((it) => it.from === from).map((it) => it.n);
        assert.deepEqual(numbers, Array.from({ length: 20 }, (_, n) => n));
      }
    }
  });

  test('a room reaches over all instances, and not beyond its members', async () => {
    const crowd = await clients(cluster, 12);
    const members = crowd.filter((_, i) => i % 2 === 0);
    await Promise.all(members.map((it) => it.socket.emitWithAck('unirse', 'sala')));
    await crowd[1].say({ destino: 'room', room: 'sala', n: 1 });
    await crowd[1].say({ destino: 'nosotros', n: 2 });
    for (const client of crowd) {
      await eventually('the last message', () => client.heard.some((it) => it.n === 2), 60_000);
      const expected = members.includes(client) ? [1, 2] : [2];
      assert.deepEqual(client.heard.map((it) => it.n), expected);
    }
  });

  // Without that an instance would hold the session until its next ping goes unanswered.
  test('a client that goes away while its poll waits is gone at its instance too', async () => {
    const url = `${cluster.url}/socket.io/?EIO=4&transport=polling`;
    const open = await (await fetch(url)).text();
    const session = `${url}&sid=${JSON.parse(open.slice(1)).sid}`;
    await fetch(session, { method: 'POST', body: '40/relay,' });
    assert.match(await (await fetch(session)).text(), /^40\/relay,/);
    const abort = new AbortController();
    const poll = fetch(session, { signal: abort.signal }).catch((error) => error.name);
    const count = async () => Object.values(await cluster.connections()).reduce((a, b) => a + b, 0);
    assert.equal(await count(), 1);
    // It has to arrive before it is given up.
    await eventually('poll at an instance', async () => {
      const servers = (await cluster.admin('show stat')).split('\n').map((row) => row.split(','));
      return servers.some(([backend, name, , , now]) => backend === 'relay' && GATEWAYS.includes(name) && now > 0);
    });
    abort.abort();
    assert.equal(await poll, 'AbortError');
    await eventually('end of the session', async () => (await count()) === 0, 15_000);
  });

  test('what is about one instance is not told outside', async () => {
    for (const path of ['/metrics', '/ready', '/live']) {
      assert.equal((await fetch(cluster.url + path)).status, 404, path);
      assert.equal((await fetch(cluster.urlOf('one') + path)).status, 200, path);
    }
    assert.equal((await (await fetch(`${cluster.url}/health`)).json()).status, 'ok');
    const library = await fetch(`${cluster.url}/socket.io/socket.io.js`);
    assert.equal(library.status, 200);
    await library.arrayBuffer();
  });

  test('the log names no session', async () => {
    const client = await Client.connect(cluster, 'polling');
    const { id } = client.socket.io.engine;
    await client.say({ destino: 'yo' });
    await eventually('log', () => /POST \/socket.io\/\n/.test(cluster.log('haproxy')), 30_000);
    assert.ok(!cluster.log('haproxy').includes(id));
  });
});
