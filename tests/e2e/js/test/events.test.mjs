// What a client may ask for besides sending: `identificar`, `unirse`, `salir`, and everything that
// is none of them.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Client, clients, heardOf } from '../lib/client.mjs';
import { assertRefused } from '../lib/refused.mjs';
import { onEveryWay } from '../lib/relay.mjs';

onEveryWay('identificar', (relay) => {
  /** The answer to `identificar` with these arguments. */
  async function identify(...args) {
    const client = await Client.connect(relay());
    return client.ask('identificar', ...args);
  }

  for (const usuario of ['ana', '', 7, -0.5, true, false, [1, 'a'], { id: 7, rol: 'admin' }]) {
    test(`usuario ${JSON.stringify(usuario)} is accepted`, async () => {
      assert.deepEqual(await identify(usuario), [true]);
    });
  }

  test('usuario null is bad_user', async () => assertRefused(await identify(null), 'bad_user'));

  test('no usuario is bad_user', async () => assertRefused(await identify(), 'bad_user'));

  test('usuario of 1 KB is accepted, a byte more is too_large', async () => {
    // Two of the bytes are its quotes.
    assert.deepEqual(await identify('x'.repeat(1022)), [true]);
    assertRefused(await identify('x'.repeat(1023)), 'too_large');
  });

  test('identifying again replaces, and a refused one does not disturb', async () => {
    const client = await Client.connect(relay());
    assert.deepEqual(await client.ask('identificar', 'ana'), [true]);
    assert.deepEqual(await client.ask('identificar', 'berta'), [true]);
    assertRefused(await client.ask('identificar', null), 'bad_user');
    assert.deepEqual(await client.ask('identificar', 5), [true]);
    assert.deepEqual(await heardOf(client, client), [[]]);
  });

  test('a user is a string and a number, both at once, on several sockets', async () => {
    const [one, two] = await clients(relay(), 2);
    assert.deepEqual(await one.ask('identificar', 5), [true]);
    assert.deepEqual(await two.ask('identificar', '5'), [true]);
  });

  test('it needs no acknowledgement', async () => {
    const client = await Client.connect(relay());
    client.emit('identificar', 'ana');
    assert.deepEqual(await heardOf(client, client), [[]]);
  });

  test('a user without a name may send', async () => {
    const client = await Client.connect(relay());
    assert.deepEqual(await client.ask('relay', { destino: 'yo' }), [true]);
  });
});

onEveryWay('unirse and salir', (relay) => {
  /** Whether a client is reached through `room`. */
  async function isIn(client, room) {
    const sender = await Client.connect(relay());
    sender.emit('relay', { destino: 'room', room, probe: true });
    const [heard] = await heardOf(sender, client);
    return heard.length > 0;
  }

  test('unirse joins, salir leaves', async () => {
    const client = await Client.connect(relay());
    assert.deepEqual(await client.ask('unirse', 'sala'), [true]);
    assert.equal(await isIn(client, 'sala'), true);
    assert.deepEqual(await client.ask('salir', 'sala'), [true]);
    assert.equal(await isIn(client, 'sala'), false);
  });

  test('a client may be in many rooms', async () => {
    const client = await Client.connect(relay());
    for (const room of ['a', 'b', 3]) assert.deepEqual(await client.ask('unirse', room), [true]);
    await client.ask('salir', 'b');
    assert.deepEqual(
      [await isIn(client, 'a'), await isIn(client, 'b'), await isIn(client, 3)],
      [true, false, true],
    );
  });

  test('an array names several rooms', async () => {
    const client = await Client.connect(relay());
    assert.deepEqual(await client.ask('unirse', ['x', 'y', 9]), [true]);
    assert.deepEqual(await client.ask('salir', ['y', 9]), [true]);
    assert.deepEqual(
      [await isIn(client, 'x'), await isIn(client, 'y'), await isIn(client, 9)],
      [true, false, false],
    );
  });

  test('joining twice is joining once', async () => {
    const client = await Client.connect(relay());
    await client.ask('unirse', 'doble');
    assert.deepEqual(await client.ask('unirse', 'doble'), [true]);
    client.emit('relay', { destino: 'room', room: 'doble', n: 1 });
    const [heard] = await heardOf(client, client);
    assert.equal(heard.length, 1);
    await client.ask('salir', 'doble');
    assert.equal(await isIn(client, 'doble'), false);
  });

  test('leaving a room one is not in is no error', async () => {
    const client = await Client.connect(relay());
    assert.deepEqual(await client.ask('salir', 'nunca'), [true]);
  });

  test('5 and "5" are different rooms', async () => {
    const client = await Client.connect(relay());
    await client.ask('unirse', 5);
    assert.deepEqual([await isIn(client, 5), await isIn(client, '5')], [true, false]);
    await client.ask('salir', '5');
    assert.equal(await isIn(client, 5), true);
  });

  test('a disconnect leaves all rooms', async () => {
    const [client, sender] = await clients(relay(), 2);
    await client.ask('unirse', 'efimera');
    client.socket.disconnect();
    const again = await Client.connect(relay());
    sender.emit('relay', { destino: 'room', room: 'efimera' });
    const [heard] = await heardOf(sender, again);
    assert.deepEqual(heard, []);
  });

  for (const [what, room] of Object.entries({
    null: null,
    'an empty name': '',
    true: true,
    'an object': { room: 'a' },
    'an empty array': [],
    'an array with an object in it': ['a', {}],
    'an array of arrays': [['a']],
  })) {
    test(`${what} is bad_room`, async () => {
      const client = await Client.connect(relay());
      assertRefused(await client.ask('unirse', room), 'bad_room');
      assertRefused(await client.ask('salir', room), 'bad_room');
    });
  }

  test('no room at all is bad_room', async () => {
    const client = await Client.connect(relay());
    assertRefused(await client.ask('unirse'), 'bad_room');
    assertRefused(await client.ask('salir'), 'bad_room');
  });

  test('a refused array joins none of its rooms', async () => {
    const client = await Client.connect(relay());
    assertRefused(await client.ask('unirse', ['buena', '~mala']), 'bad_room');
    assert.equal(await isIn(client, 'buena'), false);
  });

  test('names that begin with ~ are reserved: no socket can be overheard', async () => {
    const [spy, victim, sender] = await clients(relay(), 3);
    for (const room of ['~', '~u:sana~', victim.id, [victim.id]]) {
      assertRefused(await spy.ask('unirse', room), 'bad_room');
      assertRefused(await spy.ask('salir', room), 'bad_room');
    }
    sender.emit('relay', { destino: 'room', room: victim.id, secret: 1 });
    const [overheard, heard] = await heardOf(sender, spy, victim);
    assert.deepEqual(overheard, []);
    assert.equal(heard.length, 1);
  });

  test('~ written as an escape is reserved too', async () => {
    // The stock client cannot write it; the rule is about what JSON means.
    const client = await Client.connect(relay());
    client.socket.io.engine.write('2/relay,77["unirse","\\u007ea"]');
    const refused = await new Promise((resolve) => {
      client.socket.io.engine.on('data', (data) => {
        if (typeof data === 'string' && data.startsWith('3/relay,77')) resolve(data);
      });
    });
    assert.match(refused, /^3\/relay,77\[false,\{"code":"bad_room"/);
  });

  test('a room name of 256 bytes is accepted, a longer one is too_large', async () => {
    const client = await Client.connect(relay());
    assert.deepEqual(await client.ask('unirse', 'x'.repeat(256)), [true]);
    assertRefused(await client.ask('unirse', 'x'.repeat(257)), 'too_large');
    // Bytes, not characters.
    assertRefused(await client.ask('unirse', 'ñ'.repeat(129)), 'too_large');
    const sent = await client.ask('relay', { destino: 'room', room: 'x'.repeat(257) });
    assertRefused(sent, 'too_large');
  });

  test('more than 100 rooms in one request are too_many', async () => {
    const client = await Client.connect(relay());
    const names = Array.from({ length: 101 }, (_, n) => `sala ${n}`);
    assert.deepEqual(await client.ask('unirse', names.slice(0, 100)), [true]);
    assertRefused(await client.ask('unirse', names), 'too_many');
    assertRefused(await client.ask('relay', { destino: 'room', room: names }), 'too_many');
  });

  test('a socket is in at most 1000 rooms; leaving one makes place', async () => {
    const client = await Client.connect(relay());
    for (let n = 0; n < 1000; n += 100) {
      const names = Array.from({ length: 100 }, (_, i) => n + i);
      assert.deepEqual(await client.ask('unirse', names), [true]);
    }
    assertRefused(await client.ask('unirse', 'una más'), 'too_many');
    assert.deepEqual(await client.ask('unirse', 999), [true], 'it is in it already');
    assert.deepEqual(await client.ask('salir', 0), [true]);
    assert.deepEqual(await client.ask('unirse', 'una más'), [true]);
  });
});

onEveryWay('acknowledgements and relay:error', (relay) => {
  test('relay and notificar are acknowledged', async () => {
    const client = await Client.connect(relay());
    assert.deepEqual(await client.ask('relay', { destino: 'nosotros' }), [true]);
    assert.deepEqual(await client.ask('notificar', { destino: 'ustedes' }), [true]);
  });

  for (const [event, argument, code] of [
    ['relay', null, 'bad_data'],
    ['notificar', null, 'bad_data'],
    ['relay', { destino: 'room' }, 'bad_room'],
    ['unirse', {}, 'bad_room'],
    ['salir', '', 'bad_room'],
    ['identificar', null, 'bad_user'],
    ['identificar', 'x'.repeat(2000), 'too_large'],
  ]) {
    test(`without an acknowledgement ${event} is refused by relay:error ${code}`, async () => {
      const [client, other] = await clients(relay(), 2);
      client.emit(event, argument);
      const [heard, others] = await heardOf(client, client, other);
      assert.deepEqual(others, [], 'nobody else hears of it');
      assert.equal(heard.length, 1);
      const [name, error] = heard[0];
      assert.equal(name, 'relay:error');
      assert.deepEqual(Object.keys(error), ['event', 'code', 'message']);
      assert.deepEqual([error.event, error.code], [event, code]);
    });
  }

  test('with an acknowledgement there is no relay:error', async () => {
    const client = await Client.connect(relay());
    assertRefused(await client.ask('relay', null), 'bad_data');
    assert.deepEqual(await heardOf(client, client), [[]]);
  });

  test('an unknown event is ignored', async () => {
    const [client, other] = await clients(relay(), 2);
    client.emit('mensaje', { destino: 'nosotros' });
    client.emit('RELAY', { destino: 'nosotros' });
    client.emit(5, { destino: 'nosotros' });
    assert.deepEqual(await heardOf(client, client, other), [[], []]);
  });

  test('an unknown event with an acknowledgement is bad_data', async () => {
    const client = await Client.connect(relay());
    assertRefused(await client.ask('mensaje', { destino: 'nosotros' }), 'bad_data');
    assertRefused(await client.ask('mensaje'), 'bad_data');
  });

  test('nobody can send relay:error to others', async () => {
    const [client, other] = await clients(relay(), 2);
    assertRefused(await client.ask('relay:error', { destino: 'nosotros' }), 'bad_data');
    assert.deepEqual(await heardOf(client, other), [[]]);
  });

  test('webrtc:get-ice-servers is an unknown event', async () => {
    const client = await Client.connect(relay());
    assertRefused(await client.ask('webrtc:get-ice-servers'), 'bad_data');
  });
});
