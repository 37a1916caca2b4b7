// What a hostile or broken client may try. It may lose its own connection; everyone else is served.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { Client, clients, heardOf } from '../lib/client.mjs';
import { parseMetrics } from '../lib/metrics.mjs';
import { Session, Tcp, frame, serverFrames, upgradeRequest } from '../lib/raw.mjs';
import { assertRefused } from '../lib/refused.mjs';
import { onEveryShardCount } from '../lib/relay.mjs';
import { eventually } from '../lib/wait.mjs';

const TEXT = 0x81;
const BINARY = 0x82;
const PING = 0x89;
const PONG = 0x8a;
const CLOSE = 0x88;
const FIN = 0x80;

/** Resident memory of the gateway in bytes. */
function residentBytes(relay) {
  const status = readFileSync(`/proc/${relay.pid}/status`, 'utf8');
  return 1024 * Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)[1]);
}

onEveryShardCount('broken frames', (relay) => {
  /** Sends `bytes` on a fresh WebSocket; it must end with this close code. */
  async function check(bytes, code) {
    const [tcp, bystander] = [await Tcp.upgrade(relay()), await Session.join(relay())];
    tcp.write(bytes);
    await tcp.until('close frame', () => tcp.closeCode() !== undefined);
    assert.equal(tcp.closeCode(), code);
    await tcp.closed();
    await bystander.alive();
  }

  for (const [what, bytes, code] of [
    ['not masked', frame(TEXT, '40/relay,', { masked: false }), 1002],
    ['a reserved bit', frame(TEXT | 0x40, '40/relay,'), 1002],
    ['a reserved opcode', frame(FIN | 3, 'x'), 1002],
    ['a reserved control opcode', frame(FIN | 11, 'x'), 1002],
    ['a fragmented ping', frame(9, 'x'), 1002],
    ['a ping of 126 bytes', frame(PING, 'x'.repeat(126)), 1002],
    ['a continuation of nothing', frame(FIN, 'x'), 1002],
    ['a new message inside another', Buffer.concat([frame(1, 'x'), frame(TEXT, 'y')]), 1002],
    ['a close frame of one byte', frame(CLOSE, 'x'), 1002],
    ['close code 1005', frame(CLOSE, Buffer.from([3, 237])), 1002],
    ['a close reason that is no UTF-8', frame(CLOSE, Buffer.from([3, 232, 0xff])), 1007],
    ['text that is no UTF-8', frame(TEXT, Buffer.from([0x34, 0xff, 0xfe])), 1007],
    ['a surrogate in UTF-8', frame(TEXT, Buffer.from([0x34, 0xed, 0xa0, 0x80])), 1007],
    ['text that ends within a character', frame(TEXT, Buffer.from([0x34, 0xc3])), 1007],
    ['a length of 2^63 - 1', frame(BINARY, '', { claimed: 2n ** 63n - 1n }), 1009],
    ['a length of 4 GB', frame(BINARY, '', { claimed: 2n ** 32n }), 1009],
    ['a length one above maxPayload', frame(BINARY, '', { claimed: 1_000_001n }), 1009],
  ]) {
    test(`${what}: ${code}`, () => check(bytes, code));
  }

  test('a length of 2^64 - 1 ends the connection', async () => {
    const tcp = await Tcp.upgrade(relay());
    tcp.write(frame(BINARY, '', { claimed: 2n ** 64n - 1n }));
    await tcp.closed();
    assert.ok([1002, 1009].includes(tcp.closeCode()), `${tcp.closeCode()}`);
  });

  test('fragments that exceed maxPayload only together: 1009', async () => {
    const part = frame(0, 'x'.repeat(10_000));
    await check(Buffer.concat([frame(1, '4'), ...Array(101).fill(part)]), 1009);
  });

  test('a close frame is answered with its code', async () => {
    for (const code of [1000, 1001, 3000, 4999]) {
      const tcp = await Tcp.upgrade(relay());
      tcp.write(frame(CLOSE, Buffer.from([code >> 8, code & 255, 0x62, 0x79])));
      await tcp.closed();
      assert.equal(tcp.closeCode(), code);
    }
  });

  test('a claimed length is not allocated', async () => {
    const before = residentBytes(relay());
    for (let n = 0; n < 300; n++) {
      const tcp = await Tcp.upgrade(relay());
      tcp.write(frame(BINARY, 'x', { claimed: 999_999n }));
    }
    await (await Session.join(relay())).alive();
    const grown = residentBytes(relay()) - before;
    assert.ok(grown < 100_000_000, `${grown} bytes more`);
  });
});

onEveryShardCount('floods and drips', (relay) => {
  test('a message byte by byte is a message', async () => {
    const [tcp, receiver] = [await Tcp.upgrade(relay()), await Session.join(relay())];
    const message = '42/relay,["relay",{"destino":"ustedes","s":"ñ"}]';
    const bytes = Buffer.concat([frame(TEXT, '40/relay,'), frame(TEXT, message)]);
    for (const byte of bytes) {
      tcp.write(Buffer.from([byte]));
      await new Promise(setImmediate);
    }
    assert.equal(await receiver.next(), message);
  });

  test('a message of 900 KB in fragments of 64 bytes is a message', async () => {
    const [tcp, receiver] = [await Tcp.upgrade(relay()), await Session.join(relay())];
    tcp.write(frame(TEXT, '40/relay,'));
    const message = `42/relay,["relay",{"destino":"ustedes","s":"${'ñ'.repeat(450_000)}"}]`;
    // Cut wherever: within characters too.
    const bytes = Buffer.from(message);
    const parts = [];
    for (let at = 0; at < bytes.length; at += 64) {
      const opcode = (at === 0 ? 1 : 0) | (at + 64 >= bytes.length ? FIN : 0);
      parts.push(frame(opcode, bytes.subarray(at, at + 64)));
    }
    tcp.write(Buffer.concat(parts));
    assert.equal(await receiver.next(), message);
  });

  test('endless empty fragments hold no memory and nobody up', async () => {
    const [tcp, bystander] = [await Tcp.upgrade(relay()), await Session.join(relay())];
    const before = residentBytes(relay());
    const flood = Buffer.concat(Array(20_000).fill(frame(0)));
    tcp.write(frame(1));
    for (let n = 0; n < 10; n++) tcp.write(flood);
    await bystander.alive();
    await (await Session.join(relay())).alive();
    const grown = residentBytes(relay()) - before;
    assert.ok(grown < 50_000_000, `${grown} bytes more`);
  });

  test('control frames between fragments are answered in their place', async () => {
    const [tcp, receiver] = [await Tcp.upgrade(relay()), await Session.join(relay())];
    tcp.write(
      Buffer.concat([
        frame(TEXT, '40/relay,'),
        frame(1, '42/relay,["relay",{"destino":"us'),
        frame(PING, 'between'),
        frame(PONG, 'whatever'),
        frame(FIN, 'tedes"}]'),
      ]),
    );
    assert.equal(await receiver.next(), '42/relay,["relay",{"destino":"ustedes"}]');
    const pongs = () => serverFrames(tcp.received).filter(({ opcode }) => opcode === 10);
    await tcp.until('pong', () => pongs().length === 1);
    assert.equal(pongs()[0].payload.toString(), 'between');
  });

  test('pings that are not read and unsolicited pongs are free', async () => {
    const [pinger, ponger, bystander] = [
      await Tcp.upgrade(relay()),
      await Session.join(relay()),
      await Session.join(relay()),
    ];
    const before = residentBytes(relay());
    pinger.socket.pause();
    pinger.write(Buffer.concat(Array(100_000).fill(frame(PING, 'x'.repeat(100)))));
    for (let n = 0; n < 20_000; n++) ponger.send('3');
    await bystander.alive();
    await ponger.alive();
    const grown = residentBytes(relay()) - before;
    assert.ok(grown < 60_000_000, `${grown} bytes more`);
  });

  test('a flood of CONNECTs to unknown namespaces makes nothing', async () => {
    const session = await Session.open(relay());
    const count = 2000;
    for (let n = 0; n < count; n++) session.send(`40/flood${n},`);
    const answers = await session.take(count);
    answers.forEach((answer, n) => {
      assert.equal(answer, `44/flood${n},{"message":"Invalid namespace"}`);
    });
    await session.enter('/relay');
    await session.alive();
  });

  test('joining and leaving again and again leaves no room behind', async () => {
    const client = await Client.connect(relay());
    for (let n = 0; n < 2000; n++) {
      client.emit('unirse', `sala ${n}`);
      client.emit('salir', `sala ${n}`);
    }
    await heardOf(client, client);
    const rooms = parseMetrics((await relay().get('/metrics')).body).value('relay_rooms');
    assert.ok(rooms === undefined || rooms < 100, `${rooms} rooms`);
  });

  test('connecting and going again and again leaves nothing behind', async () => {
    for (let n = 0; n < 300; n++) {
      const session = await Session.join(relay());
      if (n % 3 === 0) session.send('1');
      else session.destroy();
    }
    const count = async () => JSON.parse((await relay().get('/health')).body).connections;
    await eventually('no connection', async () => (await count()) === 0);
  });

  test('requests that nobody waits for an answer to', async () => {
    const bystander = await Session.join(relay());
    for (let n = 0; n < 200; n++) {
      const tcp = await Tcp.open(relay());
      if (n % 2) tcp.write(upgradeRequest());
      tcp.destroy();
    }
    await bystander.alive();
  });
});

onEveryShardCount('broken values', (relay) => {
  test('depth: 512 levels pass, more are bad_data, a million end that connection at most', async () => {
    const nested = (depth) => `${'['.repeat(depth)}${']'.repeat(depth)}`;
    const session = await Session.join(relay());
    // The packet's array and the data's object are two of the levels.
    session.send(`42/relay,1["relay",{"d":${nested(510)}}]`);
    assert.deepEqual((await session.take(2)).filter((it) => it.startsWith('43')), ['43/relay,1[true]']);
    session.send(`42/relay,2["relay",{"d":${nested(511)}}]`);
    assert.match(await session.next(), /^43\/relay,2\[false,\{"code":"bad_data"/);
    session.send(`42/relay,3["relay",${nested(100_000)}]`, `42/relay,4["unirse",${nested(100_000)}]`);
    session.send(`42/relay,5["relay",${'{"a":'.repeat(150_000)}1${'}'.repeat(150_000)}]`);
    const answers = await session.take(3);
    assert.ok(answers.every((it) => /^43\/relay,[345]\[false/.test(it)), answers.join('\n'));
    await session.alive();
    const broken = await Session.join(relay());
    broken.send(`42/relay,["relay",${'['.repeat(900_000)}`);
    await broken.closed();
    await session.alive();
  });

  test('keys that poison JavaScript objects are only keys', async () => {
    const [client, other] = await clients(relay(), 2);
    const data = JSON.parse('{"destino":"ustedes","__proto__":{"destino":"yo"},"constructor":{"x":1}}');
    await client.ask('relay', data);
    const [heard] = await heardOf(client, other);
    assert.deepEqual(Object.keys(heard[0][1]), ['destino', '__proto__', 'constructor']);
  });

  test('a value in the place of another type: nothing dies, nothing goes astray', async () => {
    const [client, other] = await clients(relay(), 2);
    const values = [null, true, 5, -1e308, '', 'x', [], {}, [null], { _placeholder: true, num: 0 }];
    for (const event of ['relay', 'notificar']) {
      for (const value of values) {
        client.emit(event, value);
        client.emit(event, { destino: value });
        client.emit(event, { destino: 'yo', tipo: value });
        client.emit(event, { destino: value, room: value, tipo: value });
      }
    }
    for (const event of ['identificar', 'unirse', 'salir']) {
      for (const value of values) client.emit(event, value, value);
    }
    const [, others] = await heardOf(client, client, other);
    assert.deepEqual(others, []);
    assert.deepEqual(await client.ask('relay', {}), [true]);
  });

  test('an event name of any length', async () => {
    const client = await Client.connect(relay());
    assertRefused(await client.ask('x'.repeat(500_000), 1), 'bad_data');
    assertRefused(await client.ask('', 1), 'bad_data');
  });

  test('what clients say they are is in no log line of its own', async () => {
    const client = await Client.connect(relay());
    const forged = 'ana\n{"level":"error","event":"forged"}\u001b[31m';
    await client.ask('identificar', forged);
    await client.ask('relay', { destino: 'yo', tipo: forged });
    for (const line of relay().output().split('\n')) {
      assert.ok(!line.startsWith('{"level":"error","event":"forged"}'), line);
      assert.ok(!line.includes('\u001b[31m'), line);
    }
  });

  test('secrets are in no output', async () => {
    const session = await Session.open(relay());
    session.send('40/relay,{"token":"very secret token"}');
    await session.next();
    const { body } = await relay().get('/metrics');
    for (const text of [body, relay().output()]) {
      assert.ok(!text.includes(session.handshake.sid));
      assert.ok(!text.includes('very secret token'));
    }
  });
});

onEveryShardCount('consumers', (relay) => {
  test('one that reads nothing is dropped, and delays others only for a while', async () => {
    const slow = await Session.join(relay());
    slow.ws._socket.pause();
    const crowd = await clients(relay(), 10);
    const rounds = 150;
    const fat = 'x'.repeat(100_000);
    for (let n = 0; n < rounds; n++) crowd[0].emit('relay', { destino: 'ustedes', n, fat });
    await Promise.all(
      crowd.slice(1).map((client) => client.until((event) => event[1].n === rounds - 1, 'the last')),
    );
    for (const client of crowd.slice(1)) {
      assert.deepEqual(client.heard.map((event) => event[1].n), [...Array(rounds).keys()]);
    }
    const count = async () => JSON.parse((await relay().get('/health')).body).connections;
    await eventually('the slow one gone', async () => (await count()) === crowd.length);
  });

  test('a flood to all closes nobody who reads', async () => {
    const crowd = await clients(relay(), 10);
    const rounds = 400;
    const data = { destino: 'nosotros', fat: 'x'.repeat(50_000) };
    for (let n = 0; n < rounds; n++) crowd[0].emit('relay', { ...data, n });
    await Promise.all(
      crowd.map((client) => client.until((event) => event[1].n === rounds - 1, 'the last')),
    );
    for (const client of crowd) {
      assert.equal(client.heard.length, rounds);
      assert.equal(client.socket.connected, true);
    }
  });

  test('a flood of one client leaves room for the requests of others', async () => {
    const [flooder, ...others] = await clients(relay(), 4);
    let open = true;
    const flood = () => {
      for (let n = 0; n < 100; n++) flooder.emit('relay', { destino: 'nosotros', n });
      if (open) setTimeout(flood, 1);
    };
    flood();
    for (let n = 0; n < 20; n++) {
      for (const other of others) assert.deepEqual(await other.ask('unirse', `sala ${n}`), [true]);
    }
    open = false;
  });
});
