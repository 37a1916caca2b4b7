// Clients that speak msgpack (socket.io-msgpack-parser) among clients that speak JSON: everybody is
// reached, and hears the value that a Node server would have passed on.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import parser from 'socket.io-msgpack-parser';

import { Client, WAYS, clients, heardOf } from '../lib/client.mjs';
import { Session } from '../lib/raw.mjs';
import { assertRefused } from '../lib/refused.mjs';
import { onEveryShardCount, onEveryWay } from '../lib/relay.mjs';
import { pause, within } from '../lib/wait.mjs';

/** One client of each parser and way: `count` in all is six. */
async function mixed(relay) {
  const ways = Object.keys(WAYS);
  return Promise.all([
    ...ways.map((way) => Client.connect(relay, { way, parser })),
    ...ways.map((way) => Client.connect(relay, { way })),
  ]);
}

const every = Buffer.from(Array.from({ length: 256 }, (_, n) => n));
const nested = (depth) => (depth === 0 ? { end: true } : { in: [nested(depth - 1)] });

/** Values that both encodings carry, whoever sends. */
const VALUES = {
  'small integers': [0, 1, -1, 127, 128, -32, -33, 255, 256, 65_535, 65_536, -128, -129, -32_769],
  'large integers': [2 ** 31, 2 ** 32, -(2 ** 31) - 1, 2 ** 53 - 1, -(2 ** 53) + 1, 2 ** 53, 2 ** 53 + 2],
  fractions: [0.5, -1.5, 0.1, 1e-7, 5e-324, Math.PI],
  words: [null, true, false],
  texts: ['', 'a', 'x'.repeat(31), 'x'.repeat(32), 'x'.repeat(256), 'x'.repeat(70_000)],
  'texts beyond ASCII': ['ñandú', '😀'.repeat(40), '\u2028\u0000"\\/', '日本語'],
  arrays: [[], [[]], Array.from({ length: 20 }, (_, n) => n), Array(70_000).fill(7)],
  objects: [{}, { '': 1 }, Object.fromEntries(Array.from({ length: 40 }, (_, n) => [`k${n}`, n]))],
  'odd keys': [{ constructor: 1, 'ñ 😀': 2, toString: null, 7: 'siete' }],
  depth: [nested(50)],
  placeholders: [{ _placeholder: true, num: 3 }],
};

onEveryWay(
  'msgpack beside JSON',
  (relay) => {
    const other = { parser: undefined, way: 'websocket' };

    /** A client of either parser. */
    async function pair() {
      const [packed, plain] = await Promise.all([
        Client.connect(relay(), { parser }),
        Client.connect(relay(), other),
      ]);
      return [packed, plain];
    }

    for (const [what, values] of Object.entries(VALUES)) {
      test(`${what} pass in both directions`, async () => {
        const both = await pair();
        for (const sender of both) {
          const data = { destino: 'nosotros', values };
          assert.deepEqual(await sender.ask('relay', data), [true]);
          for (const heard of await heardOf(sender, ...both)) assert.deepEqual(heard, [['relay', data]]);
        }
      });
    }

    test('attachments pass in both directions, ten of them too', async () => {
      const both = await pair();
      const [packed, plain] = both;
      for (const sender of both) {
        for (const list of [[every], [Buffer.alloc(0)], Array(10).fill(every), [randomBytes(300_000)]]) {
          const data = { destino: 'nosotros', list, deep: { n: 1.5, list: [{ s: 'ñ' }] } };
          assert.deepEqual(await sender.ask('notificar', data), [true]);
          for (const heard of await heardOf(sender, packed, plain)) {
            assert.deepEqual(heard, [['notificar', data]]);
          }
        }
      }
    });

    test('numbers that JSON writes and msgpack has as doubles', async () => {
      const [packed, plain] = await pair();
      const texts = ['1e21', '9007199254740993', '-9007199254740993', '18446744073709551616', '1e300'];
      plain.socket.io.engine.write(`2/relay,["relay",{"destino":"nosotros","values":[${texts}]}]`);
      const [heard] = await heardOf(plain, packed);
      assert.deepEqual(heard[0][1].values, texts.map(Number));
    });

    test('what msgpack says and JSON cannot is what Node makes of it', async () => {
      const both = await pair();
      const [packed] = both;
      const data = {
        destino: 'nosotros',
        date: new Date(1_700_000_000_123),
        nan: NaN,
        gone: undefined,
        list: [undefined, Infinity, -0],
        typed: new Uint8Array([1, 2, 3]),
        buffer: new Uint8Array([4, 5]).buffer,
      };
      assert.deepEqual(await packed.ask('relay', data), [true]);
      const expected = {
        destino: 'nosotros',
        date: '2023-11-14T22:13:20.123Z',
        nan: null,
        list: [null, null, 0],
        typed: Buffer.from([1, 2, 3]),
        buffer: Buffer.from([4, 5]),
      };
      for (const heard of await heardOf(packed, ...both)) assert.deepEqual(heard, [['relay', expected]]);
    });

    test('requests, acknowledgements and refusals', async () => {
      const [packed, plain] = await pair();
      assert.deepEqual(await packed.ask('identificar', 'ana'), [true]);
      assert.deepEqual(await packed.ask('identificar', { id: 7 }), [true]);
      assert.deepEqual(await packed.ask('unirse', ['sala', 5]), [true]);
      assertRefused(await packed.ask('identificar', null), 'bad_user');
      assertRefused(await packed.ask('unirse', '~x'), 'bad_room');
      assertRefused(await packed.ask('relay', null), 'bad_data');
      assertRefused(await packed.ask('nada', 1), 'bad_data');
      for (const [room, count] of [['sala', 1], [5, 1], ['5', 0], [['sala', 5], 1], [packed.id, 1]]) {
        plain.emit('relay', { destino: 'room', room });
        assert.equal((await heardOf(plain, packed))[0].length, count, JSON.stringify(room));
      }
      assert.deepEqual(await packed.ask('salir', 5), [true]);
      packed.emit('relay', null);
      const [[[name, error]]] = await heardOf(packed, packed);
      assert.deepEqual([name, error.event, error.code], ['relay:error', 'relay', 'bad_data']);
    });

    test('another namespace is refused in msgpack, and a client may go and return', async () => {
      const refused = Client.start(relay(), { parser, namespace: '/otro' });
      const error = await within(5000, 'connect_error', (done) => {
        refused.socket.once('connect_error', done);
      });
      assert.equal(error.message, 'Invalid namespace');
      const client = await Client.connect(relay(), { parser });
      client.socket.disconnect();
      client.socket.connect();
      await client.connected();
      assert.deepEqual(await client.ask('unirse', 'a'), [true]);
    });

    test('more attachments than a stock client takes harm nobody', async () => {
      const [packed, plain] = await pair();
      packed.emit('relay', { destino: 'nosotros', list: Array(11).fill(Buffer.from('x')) });
      await pause(200);
      assert.deepEqual((await heardOf(plain, plain))[0].filter(([name]) => name !== 'relay'), []);
      assert.equal(plain.socket.connected, true);
    });
  },
  { counts: [2] },
);

onEveryShardCount('rooms of both parsers', (relay) => {
  test('all four destinations, from each client to each', async () => {
    const crowd = await mixed(relay());
    const members = crowd.filter((_, n) => n % 2 === 0);
    await Promise.all(members.map((member) => member.ask('unirse', 'pares')));
    for (const sender of crowd) {
      for (const [destino, hears] of [
        ['yo', (client) => client === sender],
        ['ustedes', (client) => client !== sender],
        ['nosotros', () => true],
        ['room', (client) => members.includes(client)],
      ]) {
        for (const extra of [{ s: 'ñ😀', n: [1, 1.5, null] }, { b: [every, { c: Buffer.alloc(0) }] }]) {
          const data = { destino, room: 'pares', ...extra };
          assert.deepEqual(await sender.ask('relay', data), [true]);
          const heard = await heardOf(sender, ...crowd);
          heard.forEach((events, n) => {
            assert.deepEqual(events, hears(crowd[n]) ? [['relay', data]] : [], destino);
          });
        }
      }
    }
  });

  test('one sequence, with and without attachments', async () => {
    const crowd = await mixed(relay());
    await Promise.all(crowd.map((client) => client.ask('unirse', 'orden')));
    const rounds = 30;
    for (let round = 0; round < rounds; round++) {
      crowd.forEach((client, who) => {
        const data = { destino: (round + who) % 2 ? 'room' : 'nosotros', room: 'orden', who, round };
        if ((round + who) % 3 === 0) data.b = Buffer.from(`${who} ${round}`);
        client.emit('relay', data);
      });
      if (round % 5 === 0) await pause(1);
    }
    const total = rounds * crowd.length;
    for (const client of crowd) await client.until(() => client.heard.length >= total, 'all messages');
    for (const client of crowd) assert.deepEqual(client.heard, crowd[0].heard);
  });

  test('broken msgpack ends that connection alone', async () => {
    const [packed, plain] = [await Client.connect(relay(), { parser }), ...(await clients(relay(), 1))];
    for (const bytes of [[0xc1], [], [0x80], [0x83, 0xa4], [0xdd, 0xff, 0xff, 0xff, 0xff]]) {
      const session = await Session.open(relay());
      session.send(Buffer.from(bytes));
      await session.closed();
    }
    assert.deepEqual(await heardOf(packed, packed, plain), [[], []]);
  });
});
