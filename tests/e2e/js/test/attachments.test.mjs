// Binary attachments: with a message or not at all, in order, and bounded.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';

import { Client, clients, heardOf } from '../lib/client.mjs';
import { Session } from '../lib/raw.mjs';
import { assertRefused } from '../lib/refused.mjs';
import { onEveryShardCount, onEveryWay } from '../lib/relay.mjs';

onEveryWay('attachments', (relay) => {
  test('arrive byte for byte with all four destinations', async () => {
    const [sender, other] = await clients(relay(), 2);
    await other.ask('unirse', 'b');
    const every = Buffer.from(Array.from({ length: 256 }, (_, n) => n));
    for (const [destino, receiver] of [
      ['yo', sender],
      ['ustedes', other],
      ['nosotros', other],
      ['room', other],
    ]) {
      const data = { destino, room: 'b', a: every, nested: { b: [Buffer.alloc(0), every] }, n: 1 };
      assert.deepEqual(await sender.ask('notificar', data), [true]);
      const [heard] = await heardOf(sender, receiver);
      assert.deepEqual(heard, [['notificar', data]], destino);
    }
  });

  test('alone they are data without a destino: the sender alone', async () => {
    const [sender, other] = await clients(relay(), 2);
    const data = randomBytes(1000);
    assert.deepEqual(await sender.ask('relay', data), [true]);
    assert.deepEqual(await heardOf(sender, sender, other), [[['relay', data]], []]);
  });

  test('of any size within a message', async () => {
    const [sender, other] = await clients(relay(), 2);
    // Not all at once: an empty one makes the stock client lose count of what it puts into a POST.
    // The largest fits into one as base64 too.
    for (const sizes of [[0, 1, 125, 126, 65_535, 65_536], [65_536, 740_000]]) {
      const data = { destino: 'ustedes', list: sizes.map((size) => randomBytes(size)) };
      assert.deepEqual(await sender.ask('relay', data), [true]);
      assert.deepEqual(await heardOf(sender, other), [[['relay', data]]]);
    }
  });

  test('the largest legal message evicts nobody', async () => {
    const crowd = await clients(relay(), 4);
    const data = { destino: 'nosotros', list: Array.from({ length: 10 }, () => randomBytes(199_900)) };
    assert.deepEqual(await crowd[0].ask('relay', data), [true]);
    for (const heard of await heardOf(crowd[0], ...crowd)) assert.deepEqual(heard, [['relay', data]]);
    for (const client of crowd) assert.equal(client.socket.connected, true);
  });

  test('more than 2 MB in all is too_large, and the connection stays', async () => {
    const [sender, other] = await clients(relay(), 2);
    const data = { destino: 'nosotros', list: Array.from({ length: 3 }, () => Buffer.alloc(740_000)) };
    assertRefused(await sender.ask('relay', data), 'too_large');
    sender.emit('relay', data);
    const [heard, others] = await heardOf(sender, sender, other);
    assert.deepEqual(others, []);
    assert.equal(heard.length, 1);
    assert.deepEqual([heard[0][0], heard[0][1].code], ['relay:error', 'too_large']);
    // What comes next is understood.
    const small = { destino: 'ustedes', b: randomBytes(10) };
    assert.deepEqual(await sender.ask('relay', small), [true]);
    assert.deepEqual(await heardOf(sender, other), [[['relay', small]]]);
  });

  test('with arguments after data they are refused', async () => {
    const [sender, other] = await clients(relay(), 2);
    const data = { destino: 'nosotros', b: randomBytes(8) };
    assertRefused(await sender.ask('relay', data, 'extra'), 'bad_data');
    assertRefused(await sender.ask('relay', { destino: 'nosotros' }, randomBytes(8)), 'bad_data');
    assert.deepEqual(await heardOf(sender, sender, other), [[], []]);
  });

  test('a packet and its attachments arrive together, whoever else sends', async () => {
    const receiver = await Session.join(relay());
    const senders = await clients(relay(), 4);
    const rounds = 25;
    for (let round = 0; round < rounds; round++) {
      senders.forEach((sender, who) => {
        sender.emit('relay', { destino: 'nosotros', who, b: Buffer.from(`${who} ${round}`) });
        sender.emit('relay', { destino: 'nosotros', who, text: round });
      });
    }
    const next = senders.map(() => 0);
    for (let n = 0; n < senders.length * rounds * 2; n++) {
      const packet = await receiver.next();
      const [, data] = JSON.parse(packet.slice(packet.indexOf('[')));
      const round = next[data.who] >> 1;
      if (next[data.who]++ % 2 === 0) {
        assert.ok(packet.startsWith('451-'), packet);
        assert.equal((await receiver.next()).toString(), `${data.who} ${round}`);
      } else {
        assert.equal(data.text, round);
      }
    }
  });

  test('attachments awaited for one client hold nobody else back', async () => {
    const [slow, sender, receiver] = [
      await Session.join(relay()),
      await Client.connect(relay()),
      await Client.connect(relay()),
    ];
    slow.send('452-/relay,["relay",{"destino":"nosotros","b":[{"_placeholder":true,"num":0}]}]');
    slow.send(Buffer.from('first'));
    assert.deepEqual(await sender.ask('relay', { destino: 'ustedes' }), [true]);
    assert.equal((await heardOf(sender, receiver))[0].length, 1);
    slow.send(Buffer.from('second'));
    const arrived = await receiver.until((event) => event[1]?.b);
    assert.equal(arrived[1].b[0].toString(), 'first');
  });
});

onEveryShardCount('attachments on the wire', (relay) => {
  test('ten are accepted, eleven end the connection', async () => {
    const session = await Session.join(relay());
    const places = (count) =>
      Array.from({ length: count }, (_, num) => `{"_placeholder":true,"num":${num}}`).join(',');
    const packet = `4510-/relay,["relay",[${places(10)}]]`;
    const binaries = Array.from({ length: 10 }, (_, n) => Buffer.from([n]));
    session.send(packet, ...binaries);
    assert.deepEqual(await session.take(11), [packet, ...binaries]);
    session.send(`4511-/relay,["relay",[${places(11)}]]`);
    await session.closed();
  });

  test('the text passes byte for byte too, and acknowledgements are plain', async () => {
    const [sender, other] = [await Session.join(relay()), await Session.join(relay())];
    const text = '["relay",{ "destino":"ustedes","b":{"num":0,"_placeholder":true} , "n":1.0}]';
    sender.send(`451-/relay,12${text}`, Buffer.from('abc'));
    assert.equal(await sender.next(), '43/relay,12[true]');
    assert.deepEqual(await other.take(2), [`451-/relay,${text}`, Buffer.from('abc')]);
  });

  test('repeated and unused places are passed on', async () => {
    const session = await Session.join(relay());
    const place = (num) => `{"_placeholder":true,"num":${num}}`;
    for (const [count, places] of [
      [1, [0, 0]],
      [2, [1, 0]],
      [2, [1]],
    ]) {
      const packet = `45${count}-/relay,["relay",[${places.map(place)}]]`;
      const binaries = Array.from({ length: count }, (_, n) => Buffer.from([n]));
      session.send(packet, ...binaries);
      assert.deepEqual(await session.take(count + 1), [packet, ...binaries]);
    }
  });

  for (const [what, frames] of Object.entries({
    'a place beyond the attachments': ['451-/relay,["relay",{"_placeholder":true,"num":1}]', Buffer.from('a')],
    'a negative place': ['451-/relay,["relay",{"_placeholder":true,"num":-1}]', Buffer.from('a')],
    'a fractional place': ['451-/relay,["relay",{"_placeholder":true,"num":0.5}]', Buffer.from('a')],
    'a place that is text': ['451-/relay,["relay",{"_placeholder":true,"num":"0"}]', Buffer.from('a')],
    'a place without number': ['451-/relay,["relay",{"_placeholder":true}]', Buffer.from('a')],
    'a literal placeholder beside an attachment': [
      '451-/relay,["relay",{"a":{"_placeholder":true,"num":0},"b":{"_placeholder":true,"num":7}}]',
      Buffer.from('a'),
    ],
    'a binary message that nobody announced': [Buffer.from('a')],
    'text while attachments are awaited': [
      '451-/relay,["relay",{"_placeholder":true,"num":0}]',
      '42/relay,["relay",1]',
    ],
    'an announcement of none': ['450-/relay,["relay",1]'],
    'an announcement without count': ['45-/relay,["relay",1]'],
    'a negative count': ['45-1-/relay,["relay",1]'],
    'a count that is no number': ['451e0-/relay,["relay",1]'],
    'an absurd count': ['4599999999999999999999-/relay,["relay",1]'],
  })) {
    test(`${what} ends the connection, and nobody else's`, async () => {
      const [broken, bystander] = [await Session.join(relay()), await Session.join(relay())];
      broken.send(...frames);
      assert.equal((await broken.closed()).code, 1005);
      await bystander.alive();
      assert.deepEqual(bystander.frames, []);
    });
  }
});
