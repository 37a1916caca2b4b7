// Where `relay` and `notificar` go, by `data.destino`.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Client, clients, heardOf } from '../lib/client.mjs';
import { assertRefused } from '../lib/refused.mjs';
import { onEveryWay } from '../lib/relay.mjs';

/** Enough that several shards take part. */
const CROWD = 8;

onEveryWay('destino', (relay) => {
  /**
   * Sends `data` by `event` from the first of a crowd. `expect` tells who hears it: `sender`,
   * `others` or both.
   */
  async function check(event, data, { sender = false, others = false }) {
    const crowd = await clients(relay(), CROWD);
    crowd[0].emit(event, data);
    const [own, ...rest] = await heardOf(crowd[0], ...crowd);
    assert.deepEqual(own, sender ? [[event, data]] : []);
    for (const heard of rest) assert.deepEqual(heard, others ? [[event, data]] : []);
  }

  for (const event of ['relay', 'notificar']) {
    test(`${event}: yo is the sender alone`, () =>
      check(event, { destino: 'yo', n: 1 }, { sender: true }));

    test(`${event}: ustedes is everyone but the sender`, () =>
      check(event, { destino: 'ustedes', tipo: 'pedido', n: [1] }, { others: true }));

    test(`${event}: nosotros is everyone`, () =>
      check(event, { destino: 'nosotros', x: { y: null } }, { sender: true, others: true }));

    test(`${event}: room is its members, the sender too if it is one`, async () => {
      const crowd = await clients(relay(), CROWD);
      const members = crowd.filter((_, n) => n % 2 === 0);
      await Promise.all(members.map((member) => member.ask('unirse', 'pares')));
      const data = { destino: 'room', room: 'pares', tipo: 'mensaje' };
      for (const sender of [crowd[0], crowd[1]]) {
        sender.emit(event, data);
        const heard = await heardOf(sender, ...crowd);
        heard.forEach((events, n) => {
          assert.deepEqual(events, n % 2 === 0 ? [[event, data]] : [], `client ${n}`);
        });
      }
    });
  }

  for (const destino of [
    undefined,
    null,
    '',
    'otros',
    'NOSOTROS',
    'nosotros ',
    'todos',
    5,
    true,
    ['nosotros'],
    { destino: 'nosotros' },
  ]) {
    test(`destino ${JSON.stringify(destino)} is the sender alone`, () =>
      check('relay', destino === undefined ? { n: 1 } : { destino, n: 1 }, { sender: true }));
  }

  for (const data of [5, 0, -1.5, 'nosotros', '', true, false, [], ['nosotros'], [{ destino: 'nosotros' }]]) {
    test(`data ${JSON.stringify(data)} is no object: the sender alone`, () =>
      check('notificar', data, { sender: true }));
  }

  test('destino in a nested object means nothing', () =>
    check('relay', { datos: { destino: 'nosotros' } }, { sender: true }));

  for (const event of ['relay', 'notificar']) {
    test(`${event} with null or no argument is bad_data, and nothing is sent`, async () => {
      const [client, other] = await clients(relay(), 2);
      assertRefused(await client.ask(event, null), 'bad_data');
      assertRefused(await client.ask(event), 'bad_data');
      assert.deepEqual(await heardOf(client, client, other), [[], []]);
    });
  }

  test('arguments after data are ignored', async () => {
    const [client, other] = await clients(relay(), 2);
    const answer = await client.ask('relay', { destino: 'ustedes', n: 1 }, 'extra', { n: 2 });
    assert.deepEqual(answer, [true]);
    const [heard] = await heardOf(client, other);
    assert.deepEqual(heard, [['relay', { destino: 'ustedes', n: 1 }]]);
  });

  test('sockets of the namespace / hear nothing', async () => {
    const [client, outsider] = [
      await Client.connect(relay()),
      await Client.connect(relay(), { namespace: '/' }),
    ];
    client.emit('relay', { destino: 'nosotros' });
    await heardOf(client, client);
    assert.deepEqual(outsider.heard, []);
  });
});

onEveryWay('data.room', (relay) => {
  for (const [what, room] of Object.entries({
    absent: undefined,
    null: null,
    'an empty string': '',
    true: true,
    'an object': {},
    'an empty array': [],
    'an array with null in it': ['a', null],
    'an array of arrays': [['a']],
  })) {
    test(`${what} is bad_room, and nothing is sent`, async () => {
      const [client, other] = await clients(relay(), 2);
      await other.ask('unirse', 'a');
      assertRefused(await client.ask('relay', { destino: 'room', room }), 'bad_room');
      assertRefused(await client.ask('notificar', { destino: 'room', room }), 'bad_room');
      assert.deepEqual(await heardOf(client, client, other), [[], []]);
    });
  }

  test('5 and "5" are different rooms; 5.0 is 5', async () => {
    const [number, text, sender] = await clients(relay(), 3);
    await number.ask('unirse', 5);
    await text.ask('unirse', '5');
    const send = async (room) => {
      sender.socket.io.engine.write(`2/relay,["relay",{"destino":"room","room":${room}}]`);
      const heard = await heardOf(sender, number, text);
      return heard.map((events) => events.length);
    };
    assert.deepEqual(await send('5'), [1, 0]);
    assert.deepEqual(await send('"5"'), [0, 1]);
    assert.deepEqual(await send('5.0'), [1, 0]);
    assert.deepEqual(await send('0.5e1'), [1, 0]);
    assert.deepEqual(await send('[5,"5"]'), [1, 1]);
  });

  test('an array is the union, and nobody receives twice', async () => {
    const [a, b, both, none, sender] = await clients(relay(), 5);
    await a.ask('unirse', 'a');
    await b.ask('unirse', 'b');
    await both.ask('unirse', ['a', 'b', 7]);
    const data = { destino: 'room', room: ['a', 'b', 7, 'a', 'vacía'] };
    assert.deepEqual(await sender.ask('relay', data), [true]);
    const heard = await heardOf(sender, a, b, both, none, sender);
    assert.deepEqual(heard.map((events) => events.length), [1, 1, 1, 0, 0]);
  });

  test('an empty room is no error', async () => {
    const client = await Client.connect(relay());
    assert.deepEqual(await client.ask('relay', { destino: 'room', room: 'nadie' }), [true]);
    assert.deepEqual(await heardOf(client, client), [[]]);
  });

  test('a socket id is the room of that socket alone', async () => {
    const crowd = await clients(relay(), CROWD);
    const data = { destino: 'room', room: crowd[3].id };
    assert.deepEqual(await crowd[0].ask('relay', data), [true]);
    const heard = await heardOf(crowd[0], ...crowd);
    assert.deepEqual(heard.map((events) => events.length), crowd.map((_, n) => (n === 3 ? 1 : 0)));
  });

  test('the id of a socket that is gone reaches nobody', async () => {
    const [client, gone] = await clients(relay(), 2);
    const { id } = gone;
    gone.socket.disconnect();
    assert.deepEqual(await client.ask('relay', { destino: 'room', room: id }), [true]);
    // Its place may be somebody else's by now.
    const next = await Client.connect(relay());
    client.emit('relay', { destino: 'room', room: id });
    assert.deepEqual(await heardOf(client, next), [[]]);
  });

  test('a reserved name that is no socket id is bad_room', async () => {
    const [client, other] = await clients(relay(), 2);
    await other.ask('identificar', 'ana');
    for (const room of ['~', '~u:sana~', ['a', '~u:sana~']]) {
      assertRefused(await client.ask('relay', { destino: 'room', room }), 'bad_room');
    }
    assert.deepEqual(await heardOf(client, other), [[]]);
  });

  test('room without destino room means nothing', async () => {
    const [client, other] = await clients(relay(), 2);
    await other.ask('unirse', 'a');
    client.emit('relay', { destino: 'yo', room: 'a' });
    client.emit('relay', { room: 'a' });
    const [own, others] = await heardOf(client, client, other);
    assert.deepEqual([own.length, others.length], [2, 0]);
  });
});
