// Engine.IO and Socket.IO on the wire: what a session looks like and what ends it.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Client, clients, heardOf } from '../lib/client.mjs';
import { Session, WEBSOCKET_PATH } from '../lib/raw.mjs';
import { onEveryShardCount, onEveryWay } from '../lib/relay.mjs';
import { eventually, within } from '../lib/wait.mjs';

const NO_CODE = 1005;

onEveryShardCount('session', (relay) => {
  test('the handshake has exactly five keys', async () => {
    const { handshake } = await Session.open(relay());
    assert.match(handshake.sid, /^[A-Za-z0-9_-]{20}$/);
    const { sid, ...rest } = handshake;
    assert.deepEqual(rest, {
      upgrades: [],
      pingInterval: 25_000,
      pingTimeout: 20_000,
      maxPayload: 1_000_000,
    });
    assert.deepEqual(Object.keys(handshake), [
      'sid',
      'upgrades',
      'pingInterval',
      'pingTimeout',
      'maxPayload',
    ]);
  });

  test('ids do not repeat; the public one begins with ~ and tells nothing of the secret', async () => {
    const secret = new Set();
    const open = new Set();
    for (let n = 0; n < 200; n++) {
      const session = await Session.join(relay());
      assert.match(session.id, /^~[A-Za-z0-9_-]{19}$/);
      secret.add(session.handshake.sid);
      open.add(session.id);
      assert.ok(!session.id.includes(session.handshake.sid.slice(0, 8)));
      session.destroy();
    }
    assert.deepEqual([secret.size, open.size], [200, 200]);
  });

  test('the answer to CONNECT carries the sid alone', async () => {
    const session = await Session.open(relay());
    session.send('40/relay,{"token":"x"}');
    assert.match(await session.next(), /^40\/relay,\{"sid":"~[A-Za-z0-9_-]{19}"\}$/);
    session.send('40');
    assert.match(await session.next(), /^40\{"sid":"~[A-Za-z0-9_-]{19}"\}$/);
  });

  test('a namespace without comma is one', async () => {
    const session = await Session.open(relay());
    session.send('40/relay');
    assert.match(await session.next(), /^40\/relay,/);
    session.send('41/relay', '40/relay,');
    assert.match(await session.next(), /^40\/relay,/);
  });

  test('packets right behind CONNECT, before its answer, count', async () => {
    const session = await Session.open(relay());
    session.send('40/relay,', '42/relay,1["unirse","a"]');
    assert.match(await session.next(), /^40\/relay,/);
    assert.equal(await session.next(), '43/relay,1[true]');
  });

  test('engine packets that mean nothing are ignored', async () => {
    const session = await Session.join(relay());
    session.send('6', '5', '0', '3', '3probe');
    await session.alive();
  });

  for (const [what, packet] of Object.entries({
    'close (1)': '1',
    'ping from the client (2)': '2',
    'ping with data (2probe)': '2probe',
    'an unknown type': '7',
    'no type': 'hello',
    'an empty message': '',
    'a bare message (4)': '4',
    'an unknown packet type': '47',
    'a packet that is no packet': '4x',
    'an empty array': '42/relay,[]',
    'no array': '42/relay,{}',
    'broken JSON': '42/relay,["relay",{]',
    'JSON with something behind it': '42/relay,["relay"]x',
    'an event without payload': '42/relay,',
    'null as an event name': '42/relay,[null]',
    'an object as an event name': '42/relay,[{"relay":1}]',
    'true as an event name': '42/relay,[true]',
    'a reserved event name': '42/relay,["disconnect"]',
    'an escaped reserved event name': '42/relay,["c\\u006fnnect"]',
    'an acknowledgement that is no array': '43/relay,1{}',
    'CONNECT twice': '40/relay,',
    'CONNECT with an array': '40/,[1]',
    'CONNECT with a string': '40"x"',
    'CONNECT_ERROR from a client': '44/relay,{"message":"x"}',
    'DISCONNECT with a payload': '41/relay,{}',
    'an event for a namespace that was not joined': '42["relay",{}]',
    'an event for an unknown namespace': '42/otro,["relay",{}]',
    'DISCONNECT for a namespace that was not joined': '41/otro,',
  })) {
    test(`${what} ends the connection`, async () => {
      const [session, bystander] = [await Session.join(relay()), await Session.join(relay())];
      session.send(packet);
      assert.deepEqual(await session.closed(), { code: NO_CODE, reason: '' });
      await bystander.alive();
    });
  }

  test('numbers are event names that nobody knows', async () => {
    const session = await Session.join(relay());
    session.send('42/relay,[5,"a"]', '42/relay,3[1.5]');
    assert.match(await session.next(), /^43\/relay,3\[false,\{"code":"bad_data"/);
    await session.alive();
  });

  test('acknowledgements that nobody awaits are ignored', async () => {
    const session = await Session.join(relay());
    session.send('43/relay,0[]', '43/relay,9007199254740991["x"]');
    await session.alive();
  });

  test('41 ends the socket and not the connection', async () => {
    const session = await Session.join(relay());
    const first = session.id;
    session.send('42/relay,["unirse","a"]', '41/relay,', '40/relay,');
    assert.match(await session.next(), /^40\/relay,/);
    await session.alive();
    assert.notEqual(session.id, undefined);
    session.send('42/relay,["relay",{"destino":"room","room":"a"}]');
    await session.alive();
    assert.deepEqual(session.frames, [], `no longer in the rooms of ${first}`);
  });

  test('unknown namespaces are refused and the connection stays', async () => {
    const session = await Session.open(relay());
    for (const name of ['/otro', '/relay2', '/RELAY', '/relay/', '/monitor', '/socket.io', '/__proto__']) {
      session.send(`40${name},{"a":1}`);
      assert.equal(await session.next(), `44${name},{"message":"Invalid namespace"}`);
    }
    await session.enter('/relay');
    await session.alive();
  });

  test('two namespaces live on one connection, and die apart', async () => {
    const session = await Session.join(relay());
    await session.enter('/');
    session.send('41');
    await session.alive();
  });

  test('the end of the TCP connection ends the socket', async () => {
    const [watcher, session] = [await Client.connect(relay()), await Session.join(relay())];
    session.ws.terminate();
    const after = async () => JSON.parse((await relay().get('/health')).body).connections;
    await eventually('one connection less', async () => (await after()) === 1);
    assert.equal(watcher.socket.connected, true);
  });

  test('no extension is negotiated, the first subprotocol is echoed', async () => {
    const session = await Session.open(relay(), { protocols: ['first', 'second'] });
    assert.equal(session.ws.extensions, '');
    assert.equal(session.ws.protocol, 'first');
  });

  test('a query may carry anything', async () => {
    const session = await Session.join(relay(), {
      path: `${WEBSOCKET_PATH}&t=abc&token=%C3%B1+%zz&sid=&x=${'y'.repeat(2000)}`,
    });
    await session.alive();
  });

  test('the last of duplicate query keys counts', async () => {
    const session = await Session.open(relay(), {
      path: '/socket.io/?EIO=3&transport=polling&EIO=4&transport=websocket',
    });
    assert.equal(session.handshake.upgrades.length, 0);
  });

  test('a packet above maxPayload ends the connection with 1009 and no reason', async () => {
    const session = await Session.join(relay());
    session.send('4'.padEnd(session.handshake.maxPayload + 1, 'x'));
    assert.deepEqual(await session.closed(), { code: 1009, reason: '' });
    const binary = await Session.join(relay());
    binary.send('451-/relay,["relay",{"_placeholder":true,"num":0}]');
    binary.send(Buffer.alloc(binary.handshake.maxPayload + 1));
    assert.deepEqual(await binary.closed(), { code: 1009, reason: '' });
  });
});

onEveryWay('stock client', (relay) => {
  test('the namespace / accepts and ignores, /relay lives on the same connection', async () => {
    const root = await Client.connect(relay(), { namespace: '/', forceNew: false, multiplex: true });
    const client = new Client(root.socket.io.socket('/relay'));
    await client.connected();
    assert.notEqual(client.id, root.id);
    let answered = false;
    root.socket.emit('relay', { destino: 'nosotros' }, () => (answered = true));
    root.socket.emit('identificar', null);
    assert.deepEqual(await heardOf(client, client), [[]]);
    assert.deepEqual([answered, root.heard], [false, []]);
    assert.equal(root.socket.connected, true);
  });

  for (const namespace of ['/monitor', '/otro']) {
    test(`${namespace} gets connect_error "Invalid namespace"`, async () => {
      const client = Client.start(relay(), { namespace });
      const error = await within(5000, 'connect_error', (done) => {
        client.socket.once('connect_error', done);
      });
      assert.equal(error.message, 'Invalid namespace');
    });
  }

  test('a client that disconnects is told so by itself, and may return', async () => {
    const client = await Client.connect(relay());
    const first = client.id;
    client.socket.disconnect();
    assert.equal(client.ended, 'io client disconnect');
    client.socket.connect();
    await client.connected();
    assert.notEqual(client.id, first);
    assert.deepEqual(await client.ask('unirse', 'a'), [true]);
  });

  test('what is emitted before the connection arrives after it, in order', async () => {
    const client = Client.start(relay());
    for (let n = 0; n < 10; n++) client.emit('relay', { destino: 'nosotros', n });
    await client.connected();
    const [heard] = await heardOf(client, client);
    assert.deepEqual(heard.map((event) => event[1].n), [...Array(10).keys()]);
  });

  test('volatile, compressed, with time-out and with retries: all the ways to emit', async () => {
    const [client, other] = await clients(relay(), 2);
    // The client itself drops a volatile event while a POST is under way.
    await eventually('no POST', () => client.socket.io.engine.transport.writable);
    client.socket.volatile.emit('relay', { destino: 'ustedes', n: 1 });
    client.socket.compress(true).emit('relay', { destino: 'ustedes', n: 2 });
    assert.equal(await client.socket.emitWithAck('relay', { destino: 'ustedes', n: 3 }), true);
    const timed = client.socket.timeout(5000);
    assert.equal(await timed.emitWithAck('relay', { destino: 'ustedes', n: 4 }), true);
    const [heard] = await heardOf(client, other);
    assert.deepEqual(heard.map((event) => event[1].n), [1, 2, 3, 4]);
  });

  test('a hundred clients come, talk and go', async () => {
    const crowd = await clients(relay(), 100);
    for (const heard of await heardOf(crowd[50], ...crowd)) assert.deepEqual(heard, []);
  });
});
