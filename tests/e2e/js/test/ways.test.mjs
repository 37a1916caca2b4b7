// The three ways in which stock clients connect: over WebSocket, by polling, and by polling first.
// That the same happens on each is shown by the files that run on every way; here is what differs,
// and that they meet.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { Client, WAYS, clients, heardOf } from '../lib/client.mjs';
import { Session } from '../lib/raw.mjs';
import { cleanEnvironment, onEveryShardCount, onEveryWay } from '../lib/relay.mjs';
import { eventually, pause } from '../lib/wait.mjs';

const GUESTS = fileURLToPath(new URL('../lib/guests.mjs', import.meta.url));

/** Where a connection begins and ends up. */
const TRANSPORTS = {
  websocket: ['websocket', 'websocket'],
  polling: ['polling', 'polling'],
  upgrade: ['polling', 'websocket'],
};

/** The sockets of `/relay`, as the gateway counts them. */
async function connections(relay) {
  return JSON.parse((await relay.get('/health')).body).connections;
}

onEveryWay('a way', (relay) => {
  test('begins and ends on its transports', async () => {
    const client = Client.start(relay());
    const begun = new Promise((resolve) => {
      client.socket.io.once('open', () => resolve(client.transport));
    });
    const [first, last] = TRANSPORTS[relay().way];
    assert.equal(await begun, first);
    await client.connected();
    await eventually(last, () => client.transport === last);
    for (let n = 0; n < 5; n++) assert.deepEqual(await client.ask('relay', { n }), [true]);
    assert.equal(client.transport, last);
    const told = client.heard.map((event) => event[1].n);
    assert.deepEqual(told, [0, 1, 2, 3, 4]);
  });

  test('sending without pause from the first moment: nothing is lost or turned around', async () => {
    const receiver = await Client.connect(relay(), { way: 'websocket' });
    const sender = Client.start(relay());
    const isDone = () => sender.transport === TRANSPORTS[relay().way][1];
    let n = 0;
    while (n < 300 || !isDone()) {
      const data = { destino: 'nosotros', n: n++ };
      if (n % 7 === 0) data.b = Buffer.alloc(n, n);
      sender.emit('relay', data);
      // A turn of the loop now and then: packets go out while the transport changes.
      if (n % 3 === 0) await pause(1);
      assert.ok(n < 20_000, 'it never upgrades');
    }
    const expected = Array.from({ length: n }, (_, index) => index);
    for (const heard of await heardOf(sender, receiver, sender)) {
      assert.deepEqual(heard.map((event) => event[1].n), expected);
      for (const [, data] of heard) {
        if (data.b) assert.deepEqual(data.b, Buffer.alloc(data.n + 1, data.n + 1));
      }
    }
  });

  test('receiving without pause from the first moment: no gap', async () => {
    const sender = await Client.connect(relay(), { way: 'websocket' });
    let n = 0;
    const timer = setInterval(() => {
      const data = { destino: 'nosotros', n: n++ };
      if (n % 5 === 0) data.b = Buffer.from([n & 255]);
      sender.emit('relay', data);
    }, 2);
    const crowd = await clients(relay(), 10);
    const last = TRANSPORTS[relay().way][1];
    await Promise.all(crowd.map((it) => eventually(last, () => it.transport === last)));
    await pause(100);
    clearInterval(timer);
    for (const heard of await heardOf(sender, ...crowd)) {
      const numbers = heard.map((event) => event[1].n);
      assert.ok(numbers.length > 0);
      numbers.forEach((number, at) => assert.equal(number, numbers[0] + at));
      assert.equal(numbers.at(-1), n - 1);
    }
  });

  test('a client that disconnects is forgotten, also within its first moments', async () => {
    const crowd = await clients(relay(), 6);
    await eventually('six', async () => (await connections(relay())) === 6);
    for (const client of crowd) {
      client.socket.disconnect();
      assert.equal(client.ended, 'io client disconnect');
    }
    await eventually('none', async () => (await connections(relay())) === 0);
    for (let n = 0; n < 20; n++) {
      const brief = await Client.connect(relay());
      if (n % 2) await pause(n);
      brief.socket.disconnect();
    }
    await eventually('none', async () => (await connections(relay())) === 0);
  });

  test('clients whose process is killed are forgotten', async () => {
    const guests = spawn(process.execPath, [GUESTS, relay().url, relay().way, '5'], {
      env: cleanEnvironment(),
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(guests.stdout, 'data');
    assert.equal(await connections(relay()), 5);
    guests.kill('SIGKILL');
    await eventually('none', async () => (await connections(relay())) === 0);
  });
});

onEveryShardCount('clients of all ways', (relay) => {
  /** `count` clients of each way; those that upgrade may be about to. */
  async function mixed(count) {
    const all = Object.keys(WAYS).map((way) => clients(relay(), count, { way }));
    return (await Promise.all(all)).flat();
  }

  test('in one room see one sequence, with and without attachments', async () => {
    const crowd = await mixed(3);
    const raw = await Session.join(relay());
    raw.send('42/relay,1["unirse","mezcla"]');
    assert.equal(await raw.next(), '43/relay,1[true]');
    await Promise.all(crowd.map((client) => client.ask('unirse', 'mezcla')));
    const rounds = 30;
    for (let round = 0; round < rounds; round++) {
      crowd.forEach((client, who) => {
        const data = { destino: (round + who) % 2 ? 'room' : 'nosotros', room: 'mezcla', who, round };
        if ((round + who) % 3 === 0) data.b = Buffer.from(`${who} ${round}`);
        client.emit(round % 4 ? 'relay' : 'notificar', data);
      });
      if (round % 5 === 0) await pause(1);
    }
    const total = rounds * crowd.length;
    for (const client of crowd) {
      await client.until(() => client.heard.length >= total, 'all messages');
    }
    for (const client of crowd) assert.deepEqual(client.heard, crowd[0].heard);
    const packets = (await raw.take(total + crowd[0].heard.filter((event) => event[1].b).length))
      .filter((packet) => typeof packet === 'string')
      .map((packet) => JSON.parse(packet.slice(packet.indexOf('['))));
    assert.deepEqual(
      packets.map(([event, { who, round }]) => [event, who, round]),
      crowd[0].heard.map(([event, { who, round }]) => [event, who, round]),
    );
  });

  test('reach one another by all four destinations, with acknowledgements and attachments', async () => {
    const crowd = await mixed(2);
    const members = crowd.filter((_, n) => n % 2 === 0);
    await Promise.all(members.map((member) => member.ask('unirse', 'pares')));
    const binary = Buffer.from(Array.from({ length: 256 }, (_, n) => n));
    for (const sender of crowd) {
      for (const [destino, hears] of [
        ['yo', (client) => client === sender],
        ['ustedes', (client) => client !== sender],
        ['nosotros', () => true],
        ['room', (client) => members.includes(client)],
      ]) {
        for (const data of [{ s: 'ñ😀' }, { b: [binary, { c: Buffer.alloc(0) }] }]) {
          const message = { destino, room: 'pares', ...data };
          assert.deepEqual(await sender.ask('relay', message), [true]);
          const heard = await heardOf(sender, ...crowd);
          heard.forEach((events, n) => {
            assert.deepEqual(events, hears(crowd[n]) ? [['relay', message]] : [], destino);
          });
        }
      }
    }
  });

  test('share the namespace and are counted alike', async () => {
    const crowd = await mixed(2);
    await eventually('six', async () => (await connections(relay())) === crowd.length);
    assert.equal(new Set(crowd.map((client) => client.id)).size, crowd.length);
    for (const client of crowd) assert.match(client.id, /^~[A-Za-z0-9_-]{19}$/);
    for (const target of crowd) {
      crowd[0].emit('relay', { destino: 'room', room: target.id });
      const heard = await heardOf(crowd[0], ...crowd);
      assert.deepEqual(heard.map((it) => it.length), crowd.map((it) => (it === target ? 1 : 0)));
    }
  });
});
