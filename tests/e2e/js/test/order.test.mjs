// All receivers of one instance see the same order, whichever shards the senders are on.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { clients, heardOf } from '../lib/client.mjs';
import { Session, Tcp, frame, oneOnEachShard, serverFrames } from '../lib/raw.mjs';
import { onEveryShardCount, onEveryWay } from '../lib/relay.mjs';

const TEXT = 0x81;

onEveryShardCount('order', (relay, shards) => {
  test('senders on different shards: all receivers see one sequence', async () => {
    const sessions = [
      ...(await oneOnEachShard(relay(), shards)),
      ...(await oneOnEachShard(relay(), shards)),
    ];
    const rounds = 50;
    for (let round = 0; round < rounds; round++) {
      sessions.forEach((session, who) => {
        session.send(`42/relay,["relay",{"destino":"nosotros","who":${who},"round":${round}}]`);
      });
      // A turn of the loop now and then: or each sender's messages are one read of the server.
      if (round % 5 === 0) await new Promise(setImmediate);
    }
    const total = rounds * sessions.length;
    const sequences = await Promise.all(sessions.map((session) => session.take(total)));
    for (const sequence of sequences) assert.deepEqual(sequence, sequences[0]);
    sessions.forEach((_, who) => {
      const own = sequences[0].filter((packet) => packet.includes(`"who":${who},`));
      own.forEach((packet, round) => assert.match(packet, new RegExp(`"round":${round}}`)));
    });
  });

  test('an answer to oneself stays behind earlier messages to all', async () => {
    const session = await Session.join(relay());
    for (let n = 0; n < 50; n++) {
      session.send(`42/relay,["relay",{"destino":"${n % 2 ? 'yo' : 'nosotros'}","n":${n}}]`);
    }
    const packets = await session.take(50);
    packets.forEach((packet, n) => assert.match(packet, new RegExp(`"n":${n}}`)));
  });

  test('relay, then salir, in one read: the sender still gets its copy', async () => {
    const tcp = await Tcp.upgrade(relay());
    const message = '42/relay,["relay",{"destino":"room","room":"a","n":1}]';
    tcp.write(
      Buffer.concat(
        [
          '40/relay,',
          '42/relay,["unirse","a"]',
          message,
          '42/relay,5["salir","a"]',
          '42/relay,["relay",{"destino":"room","room":"a","n":2}]',
          '42/relay,6["relay",{"destino":"yo","n":3}]',
        ].map((packet) => frame(TEXT, packet)),
      ),
    );
    const texts = () => serverFrames(tcp.received).map(({ payload }) => payload.toString());
    await tcp.until('the last message', () => texts().some((text) => text.includes('"n":3')));
    assert.ok(texts().includes(message));
    assert.ok(!texts().some((text) => text.includes('"n":2')));
  });

  test('relay, then the end of the connection, in one write: the others get it', async () => {
    const receiver = await Session.join(relay());
    for (const last of [frame(TEXT, '41/relay,'), frame(TEXT, '1'), frame(0x88)]) {
      const tcp = await Tcp.upgrade(relay());
      const farewell = '42/relay,["relay",{"destino":"ustedes","farewell":true}]';
      tcp.write(Buffer.concat([frame(TEXT, '40/relay,'), frame(TEXT, farewell), last]));
      assert.equal(await receiver.next(), farewell);
    }
  });

  test('unirse is in effect once it is acknowledged, for senders on any shard', async () => {
    const sessions = await oneOnEachShard(relay(), shards);
    for (const [n, member] of sessions.entries()) {
      member.send(`42/relay,${n}["unirse","sala ${n}"]`);
      assert.equal(await member.next(), `43/relay,${n}[true]`);
      for (const sender of sessions) {
        const packet = `42/relay,["relay",{"destino":"room","room":"sala ${n}"}]`;
        sender.send(packet);
        assert.equal(await member.next(), packet);
      }
    }
  });
});

onEveryWay('order among stock clients', (relay) => {
  test('senders to rooms and to all: members see one sequence', async () => {
    const crowd = await clients(relay(), 8);
    await Promise.all(crowd.map((client) => client.ask('unirse', 'orden')));
    for (let round = 0; round < 20; round++) {
      crowd.forEach((client, who) => {
        const destino = (round + who) % 2 ? 'room' : 'nosotros';
        client.emit('relay', { destino, room: 'orden', who, round });
      });
    }
    const isMessage = (event) => event[1]?.round !== undefined;
    for (const client of crowd) {
      await client.until(() => client.heard.filter(isMessage).length === 160, 'all messages');
    }
    for (const client of crowd) assert.deepEqual(client.heard, crowd[0].heard);
  });

  test('first in is first out from one sender, with and without attachments, yo and room', async () => {
    const [sender, receiver] = await clients(relay(), 2);
    await Promise.all([sender, receiver].map((client) => client.ask('unirse', 'fila')));
    const count = 200;
    for (let n = 0; n < count; n++) {
      const data = { destino: n % 2 ? 'room' : 'nosotros', room: 'fila', n };
      if (n % 3 === 0) data.b = Buffer.alloc(n);
      sender.emit(n % 5 ? 'relay' : 'notificar', data);
    }
    const [own, others] = await heardOf(sender, sender, receiver);
    const expected = Array.from({ length: count }, (_, n) => n);
    assert.deepEqual(own.map((event) => event[1].n), expected);
    assert.deepEqual(others.map((event) => event[1].n), expected);
  });
});
