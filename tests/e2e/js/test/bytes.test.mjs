// A message arrives as it was sent, byte for byte: compared on raw sessions, since any JSON library
// in between would hide the difference.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Session } from '../lib/raw.mjs';
import { onEveryShardCount } from '../lib/relay.mjs';

onEveryShardCount('bytes of a message', (relay) => {
  /** Sends the JSON text `data` as `relay`; `receivers` names who must get exactly that text. */
  async function check(data, receivers, event = '"relay"') {
    const [sender, other] = [await Session.join(relay()), await Session.join(relay())];
    const packet = `42/relay,[${event},${data}]`;
    sender.send(packet);
    await Promise.all([sender.alive(), barrier(sender, other)]);
    const wanted = { sender: [packet], others: [packet] };
    assert.deepEqual(texts(sender), receivers.includes('sender') ? wanted.sender : []);
    assert.deepEqual(texts(other), receivers.includes('others') ? wanted.others : []);
  }

  /** Until a last message of `sender` to the others has arrived at `other`. */
  async function barrier(sender, other) {
    const last = '42/relay,["relay",{"destino":"ustedes","last":true}]';
    sender.send(last);
    for (;;) {
      const frame = await other.next('last message');
      if (frame === last) break;
      (other.kept ??= []).push(frame);
    }
    other.frames.unshift(...(other.kept ?? []));
  }

  function texts(session) {
    return session.frames.filter((frame) => typeof frame === 'string');
  }

  const all = ['sender', 'others'];

  for (const [what, data] of Object.entries({
    'order of keys': '{"z":1,"destino":"nosotros","a":2,"1":3}',
    'white space': '{ "destino" :\t"nosotros" , "a":[ 1 ,\n2 ] }',
    'text of numbers': '{"destino":"nosotros","n":[1.0,1e2,1E+2,-0,-0.0,0.10,100000000000000000000001]}',
    'numbers beyond a double': '{"destino":"nosotros","n":[1e400,-1e400,123456789012345678901234567890]}',
    escapes: '{"destino":"nosotros","s":"\\u0061\\/\\n\\u00f1\\ud83d\\ude00"}',
    'lone surrogates': '{"destino":"nosotros","s":"\\ud800","t":"x\\udfffy"}',
    'text beyond ASCII': '{"destino":"nosotros","s":"ñandú 😀 \u2028"}',
    'empty and odd keys': '{"destino":"nosotros","":1,"__proto__":{"x":1},"constructor":null}',
    'unknown fields and types': '{"destino":"nosotros","tipo":5,"x":{"y":[true,false,null,[]]}}',
    'placeholders without attachments': '{"destino":"nosotros","p":{"_placeholder":true,"num":3}}',
    'deep nesting': `{"destino":"nosotros","d":${'['.repeat(500)}${']'.repeat(500)}}`,
  })) {
    test(what, () => check(data, all));
  }

  test('the last of duplicate keys counts, and both arrive', async () => {
    await check('{"destino":"yo","destino":"nosotros"}', all);
    await check('{"destino":"nosotros","destino":"yo"}', ['sender']);
    await check('{"destino":"nosotros","destino":null}', ['sender']);
  });

  test('an escaped key is that key', async () => {
    await check('{"dest\\u0069no":"ustedes"}', ['others']);
    await check('{"destino":"yo","\\u0064estino":"ustedes"}', ['others']);
  });

  test('an escaped value is that value', async () => {
    await check('{"destino":"n\\u006fsotros"}', all);
    await check('{"destino":"\\u006eosotros\\u0000"}', ['sender']);
  });

  test('an escaped event name is that event', async () => {
    await check('{"destino":"nosotros"}', all, '"rel\\u0061y"');
  });

  test('scalars go back as they came', async () => {
    for (const data of ['1.0', '-0', '"\\ud800"', 'true', '[1.0, "nosotros"]', '""']) {
      await check(data, ['sender']);
    }
  });

  test('room names are compared by what they mean', async () => {
    const [sender, member] = [await Session.join(relay()), await Session.join(relay())];
    member.send('42/relay,1["unirse",["s\\u0061la","\\ud800","\\u00f1"]]');
    assert.equal(await member.next(), '43/relay,1[true]');
    for (const room of ['"sala"', '"\\u0073ala"', '"\\uD800"', '"ñ"']) {
      const packet = `42/relay,["relay",{"destino":"room","room":${room}}]`;
      sender.send(packet);
      assert.equal(await member.next(), packet);
    }
    // A lone surrogate is not U+FFFD, as which a careless decoder would read it.
    sender.send('42/relay,["relay",{"destino":"room","room":"\\ufffd"}]');
    await barrier(sender, member);
    assert.deepEqual(member.frames, []);
  });

  test('the id of an acknowledgement is not passed on', async () => {
    const [sender, other] = [await Session.join(relay()), await Session.join(relay())];
    sender.send('42/relay,17["relay",{"destino":"nosotros"}]');
    const answers = await sender.take(2);
    assert.deepEqual(answers.sort(), [
      '42/relay,["relay",{"destino":"nosotros"}]',
      '43/relay,17[true]',
    ]);
    assert.equal(await other.next(), '42/relay,["relay",{"destino":"nosotros"}]');
  });

  test('ids of acknowledgements up to 2^53 - 1 are answered as they were sent', async () => {
    const session = await Session.join(relay());
    for (const id of ['0', '2147483648', '9007199254740991']) {
      session.send(`42/relay,${id}["unirse","a"]`);
      assert.equal(await session.next(), `43/relay,${id}[true]`);
    }
  });

  test('white space behind a packet is tolerated and cut', async () => {
    const session = await Session.join(relay());
    session.send('42/relay,["relay",{"n":1}] \n');
    assert.equal(await session.next(), '42/relay,["relay",{"n":1}]');
  });

  test('without its extra arguments a message keeps the bytes of the others', async () => {
    const session = await Session.join(relay());
    session.send('42/relay,["relay", {"n": 1.0} , "extra"]');
    assert.match(await session.next(), /^42\/relay,\["relay", ?\{"n": 1\.0\} ?\]$/);
  });

  test('a message of exactly maxPayload bytes arrives', async () => {
    const [sender, other] = [await Session.join(relay()), await Session.join(relay())];
    const { maxPayload } = sender.handshake;
    const head = '42/relay,["relay",{"destino":"ustedes","s":"';
    const packet = `${head}${'x'.repeat(maxPayload - head.length - 3)}"}]`;
    assert.equal(packet.length, maxPayload);
    sender.send(packet);
    assert.equal(await other.next(), packet);
  });
});
