// Plain HTTP and the door: health, metrics, and every way in which a handshake is refused.

import assert from 'node:assert/strict';
import { afterEach, describe, test } from 'node:test';

import { Client, clients, closeClients, heardOf } from '../lib/client.mjs';
import { parseMetrics } from '../lib/metrics.mjs';
import { Session, Tcp, WEBSOCKET_PATH, frame, serverFrames, upgradeRequest } from '../lib/raw.mjs';
import { BRIEF_END, Relay, endKept, keep, onEveryShardCount } from '../lib/relay.mjs';
import { eventually } from '../lib/wait.mjs';

const TEXT = 0x81;
const UNKNOWN_SID = 'AAAAAAAAAAAAAAAAAAAA';

onEveryShardCount('/health', (relay) => {
  test('has the four keys of the contract', async () => {
    const { status, headers, body } = await relay().get('/health');
    assert.equal(status, 200);
    assert.match(headers.get('content-type'), /^application\/json/);
    const health = JSON.parse(body);
    for (const key of ['status', 'instance', 'connections', 'uptime']) assert.ok(key in health, key);
    assert.equal(health.status, 'ok');
    assert.equal(typeof health.instance, 'string');
    assert.equal(typeof health.uptime, 'number');
  });

  test('counts the connections of /relay', async () => {
    const count = async () => JSON.parse((await relay().get('/health')).body).connections;
    await eventually('no connection', async () => (await count()) === 0);
    const crowd = await clients(relay(), 5);
    await Client.connect(relay(), { namespace: '/' });
    await eventually('five connections', async () => (await count()) === 5);
    crowd[0].socket.disconnect();
    await eventually('four connections', async () => (await count()) === 4);
  });

  test('a query and a kept connection do no harm', async () => {
    assert.equal((await relay().get('/health?x=1')).status, 200);
    const tcp = await Tcp.open(relay());
    const request = 'GET /health HTTP/1.1\r\nHost: x\r\n\r\n';
    tcp.write(request + request);
    const count = () => tcp.received.toString().split('HTTP/1.1 200').length - 1;
    await tcp.until('two answers', () => count() === 2);
  });
});

onEveryShardCount('/metrics', (relay) => {
  const metrics = async () => {
    const { status, headers, body } = await relay().get('/metrics');
    assert.equal(status, 200);
    assert.match(headers.get('content-type'), /^text\/plain/);
    return parseMetrics(body);
  };

  test('has the names of the contract, and parses', async () => {
    const client = await Client.connect(relay());
    await client.ask('relay', { destino: 'yo', tipo: 'mensaje' });
    await client.ask('relay', null);
    const { types, value } = await metrics();
    assert.equal(types.get('relay_connections_total'), 'gauge');
    assert.equal(types.get('relay_messages_total'), 'counter');
    assert.equal(types.get('relay_refused_total'), 'counter');
    for (const name of [
      'process_cpu_seconds_total',
      'process_resident_memory_bytes',
      'nodejs_heap_size_total_bytes',
      'nodejs_eventloop_lag_seconds',
    ]) {
      assert.ok(Number.isFinite(value(name)), name);
    }
  });

  test('counts accepted messages by tipo and destino, and refusals by event and code', async () => {
    const client = await Client.connect(relay());
    const before = await metrics();
    const send = (event, data) => client.ask(event, data);
    await send('relay', { destino: 'nosotros', tipo: 'cuenta' });
    await send('notificar', { destino: 'nosotros', tipo: 'cuenta' });
    await send('relay', { destino: 'ustedes', tipo: 'cuenta' });
    await send('relay', { destino: 'room', room: 'x' });
    await send('relay', { destino: 'otro cualquiera' });
    await send('relay', 5);
    await send('relay', { destino: 'yo', tipo: 5 });
    await send('relay', { destino: 'room' });
    await send('notificar', null);
    await send('identificar', null);
    const after = await metrics();
    const grown = (name, labels) => after.value(name, labels) - (before.value(name, labels) || 0);
    const messages = (type, destination) => grown('relay_messages_total', { type, destination });
    assert.equal(messages('cuenta', 'nosotros'), 2);
    assert.equal(messages('cuenta', 'ustedes'), 1);
    assert.equal(messages('sin-tipo', 'room'), 1);
    assert.equal(messages('sin-tipo', 'yo'), 3);
    const refused = (event, code) => grown('relay_refused_total', { event, code });
    assert.equal(refused('relay', 'bad_room'), 1);
    assert.equal(refused('notificar', 'bad_data'), 1);
    assert.equal(refused('identificar', 'bad_user'), 1);
  });

  test('relay_connections_total is the number of sockets in /relay', async () => {
    const value = async () => (await metrics()).value('relay_connections_total');
    await eventually('none', async () => (await value()) === 0);
    const crowd = await clients(relay(), 3);
    await eventually('three', async () => (await value()) === 3);
    crowd[1].socket.disconnect();
    await eventually('two', async () => (await value()) === 2);
  });

  test('clients cannot multiply, forge or break labels', async () => {
    const client = await Client.connect(relay());
    // Some that differ only in what a label may not hold: one series twice would break a scrape.
    const lookalikes = ['new\nline', 'new line', 'new\tline', '\u0000', '\u0001', '\ud800', '\ud801'];
    const nasty = [...lookalikes, 'a"b', 'back\\slash', 'x"} 1\nforged_total 5', 'ñ😀'];
    for (const tipo of nasty) await client.ask('relay', { tipo });
    for (let n = 0; n < 400; n++) client.emit('relay', { tipo: `tipo ${n}`, destino: `destino ${n}` });
    await client.ask('relay', { tipo: 'x'.repeat(1000) });
    await heardOf(client, client);
    const { series, value } = await metrics();
    const messages = series.filter(({ name }) => name === 'relay_messages_total');
    const labels = new Set(messages.map((it) => it.labels.type));
    const destinations = new Set(messages.map((it) => it.labels.destination));
    assert.ok(labels.size <= 110, `${labels.size} types`);
    for (const label of labels) assert.ok(label.length <= 64, label);
    for (const destination of destinations) {
      assert.ok(['yo', 'ustedes', 'nosotros', 'room'].includes(destination), destination);
    }
    assert.equal(series.some(({ name }) => name === 'forged_total'), false);
    assert.ok(value('relay_messages_total', { type: 'otro', destination: 'yo' }) > 0);
  });
});

describe('METRICS_TYPES', () => {
  afterEach(async () => {
    closeClients();
    await endKept();
  });

  test('keep their labels whatever others send first', async () => {
    const env = { ...BRIEF_END, METRICS_TYPES: 'mensaje, pedido ñ' };
    const relay = keep(await Relay.start({ shards: 2, env }));
    const client = await Client.connect(relay);
    for (let n = 0; n < 400; n++) client.emit('relay', { destino: 'yo', tipo: `tipo ${n}` });
    await client.ask('relay', { destino: 'yo', tipo: 'mensaje' });
    await client.ask('relay', { destino: 'yo', tipo: 'pedido ñ' });
    const { series, value } = parseMetrics((await relay.get('/metrics')).body);
    const count = (type) => value('relay_messages_total', { type, destination: 'yo' });
    assert.deepEqual(['mensaje', 'pedido ñ', 'otro'].map(count), [1, 1, 300]);
    assert.equal(series.filter(({ name }) => name === 'relay_messages_total').length, 103);
  });
});

onEveryShardCount('refused handshakes', (relay) => {
  test('a plain request gets its status and exactly its body', async () => {
    const base = '/socket.io/?EIO=4';
    const cases = [
      ['GET', `${base}`, 0],
      ['GET', `${base}&transport=`, 0],
      ['GET', `${base}&transport=webtransport`, 0],
      ['GET', `${base}&transport=constructor`, 0],
      ['GET', `${base}&transport=__proto__`, 0],
      ['GET', '/socket.io/', 0],
      ['GET', `${base}&transport=websocket&sid=${UNKNOWN_SID}`, 1],
      ['GET', `${base}&transport=websocket&sid=%00`, 1],
      ['POST', `${base}&transport=websocket&sid=x`, 1],
      ['GET', `${base}&transport=polling&sid=${UNKNOWN_SID}`, 1],
      ['POST', `${base}&transport=polling&sid=${UNKNOWN_SID}`, 1],
      ['POST', `${base}&transport=polling&sid=..%2F`, 1],
      ['POST', `${base}&transport=polling`, 2],
      ['DELETE', `${base}&transport=polling`, 2],
      ['POST', `${base}&transport=websocket`, 2],
      ['PUT', `${base}&transport=websocket`, 2],
      ['GET', `${base}&transport=websocket`, 3],
      ['GET', `/socket.io/?transport=websocket&EIO=3`, 3],
      ['GET', `/socket.io/socket.io.css`, 0],
      ['GET', '/socket.io/?transport=polling', 5],
      ['GET', '/socket.io/?EIO=3&transport=polling', 5],
      ['GET', '/socket.io/?EIO=5&transport=polling', 5],
    ];
    const messages = [
      'Transport unknown',
      'Session ID unknown',
      'Bad handshake method',
      'Bad request',
      'Forbidden',
      'Unsupported protocol version',
    ];
    for (const [method, path, code] of cases) {
      const response = await fetch(relay().url + path, { method });
      assert.equal(response.status, 400, path);
      assert.equal(response.headers.get('content-type'), 'application/json', path);
      const body = `{"code":${code},"message":"${messages[code]}"}`;
      assert.equal(await response.text(), body, `${method} ${path}`);
    }
  });

  test('an upgrade gets a raw 400 whose body is the message', async () => {
    const sid = `&sid=${UNKNOWN_SID}`;
    const key = 'Sec-WebSocket-Key';
    const missing = 'Missing or invalid Sec-WebSocket-Key header';
    for (const [request, message] of [
      [{ path: '/socket.io/?EIO=4' }, 'Transport unknown'],
      [{ path: WEBSOCKET_PATH + sid }, 'Session ID unknown'],
      [{ path: `${WEBSOCKET_PATH}&sid=..%2F..` }, 'Session ID unknown'],
      [{ path: '/socket.io/?EIO=3&transport=websocket' }, 'Unsupported protocol version'],
      [{ path: '/socket.io/?transport=websocket' }, 'Unsupported protocol version'],
      [{ path: '/socket.io/?EIO=5&transport=websocket' }, 'Unsupported protocol version'],
      [{ path: '/socket.io/?EIO=abc&transport=websocket' }, 'Unsupported protocol version'],
      [{ method: 'POST' }, 'Bad handshake method'],
      [{ headers: { [key]: undefined } }, missing],
      [{ headers: { [key]: '' } }, missing],
      [{ headers: { [key]: 'short' } }, missing],
      [{ headers: { [key]: 'dGhlIHNhbXBsZSBub25jZQ=' } }, missing],
    ]) {
      const answer = await Tcp.request(relay(), upgradeRequest(request));
      const what = JSON.stringify(request);
      assert.equal(answer.first, 'HTTP/1.1 400 Bad Request', what);
      assert.equal(answer.body, message, what);
      assert.equal(answer.headers.connection, 'close', what);
      assert.equal(answer.headers['content-type'], 'text/html', what);
      assert.equal(answer.headers['content-length'], String(message.length), what);
    }
  });

  test('a WebSocket that names the other transport is accepted and closed', async () => {
    const tcp = await Tcp.upgrade(relay(), { path: '/socket.io/?EIO=4&transport=polling' });
    await tcp.until('close frame', () => tcp.closeCode() === null);
    assert.equal(serverFrames(tcp.received).length, 1);
  });

  test('another WebSocket version is refused', async () => {
    for (const version of [undefined, '8', '14', 'x']) {
      const headers = { 'Sec-WebSocket-Version': version };
      const { status } = await Tcp.request(relay(), upgradeRequest({ headers }));
      assert.ok(status === 400 || status === 426, `${version}: ${status}`);
    }
  });

  test('whoever knows the sid of a live WebSocket session cannot take it over', async () => {
    const session = await Session.join(relay());
    const path = `${WEBSOCKET_PATH}&sid=${session.handshake.sid}`;
    // Several times: connections land on different shards.
    for (let n = 0; n < 8; n++) {
      const tcp = await Tcp.upgrade(relay(), { path });
      tcp.write(frame(TEXT, '2probe'));
      await tcp.until('close frame', () => tcp.closeCode() === null);
      assert.equal(serverFrames(tcp.received).length, 1, 'closed, and told nothing');
    }
    const post = await Tcp.request(relay(), upgradeRequest({ method: 'POST', path }));
    assert.ok([400, 405].includes(post.status), `${post.status}`);
    for (const plain of [path, path.replace('websocket', 'polling')]) {
      for (const init of [{}, { method: 'POST', body: '1' }]) {
        const response = await fetch(relay().url + plain, init);
        assert.ok([400, 405].includes(response.status), `${response.status}`);
        await response.arrayBuffer();
      }
    }
    await session.alive();
    assert.deepEqual(session.frames, []);
  });

  test('the id of a session that ended is unknown', async () => {
    const session = await Session.join(relay());
    const path = `${WEBSOCKET_PATH}&sid=${session.handshake.sid}`;
    session.send('1');
    await session.closed();
    const answer = await Tcp.request(relay(), upgradeRequest({ path }));
    assert.equal(answer.body, 'Session ID unknown');
  });

  test('the public id of a socket is no session id', async () => {
    const session = await Session.join(relay());
    const path = `${WEBSOCKET_PATH}&sid=${encodeURIComponent(session.id)}`;
    const answer = await Tcp.request(relay(), upgradeRequest({ path }));
    assert.equal(answer.body, 'Session ID unknown');
    await session.alive();
  });
});

onEveryShardCount('paths and headers', (relay) => {
  test('the path is matched by its prefix, with the slash', async () => {
    for (const path of ['/socket.io/x/y?EIO=4&transport=websocket', WEBSOCKET_PATH]) {
      const session = await Session.join(relay(), { path });
      await session.alive();
    }
    for (const path of [
      '/socket.io?EIO=4&transport=websocket',
      '/socket.iox/?EIO=4&transport=websocket',
      '/Socket.IO/?EIO=4&transport=websocket',
      '/nada',
      '/health/x',
    ]) {
      assert.equal((await relay().get(path)).status, 404, path);
    }
  });

  test('an upgrade elsewhere is refused', async () => {
    for (const path of ['/nada', '/socket.io?EIO=4&transport=websocket']) {
      const tcp = await Tcp.open(relay());
      tcp.write(upgradeRequest({ path, headers: { Connection: 'Upgrade, close' } }));
      await tcp.until('an answer', () => tcp.received.includes('\r\n\r\n'));
      assert.equal(tcp.answer().status, 404);
    }
  });

  test('the 101 is right', async () => {
    const tcp = await Tcp.open(relay());
    const headers = {
      'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
      'Sec-WebSocket-Protocol': 'uno, dos',
      'Sec-WebSocket-Extensions': 'permessage-deflate; client_max_window_bits',
    };
    tcp.write(upgradeRequest({ headers }));
    await tcp.until('the open packet', () => tcp.received.includes('maxPayload'));
    const answer = tcp.answer();
    assert.equal(answer.first, 'HTTP/1.1 101 Switching Protocols');
    assert.equal(answer.headers.upgrade.toLowerCase(), 'websocket');
    assert.equal(answer.headers.connection.toLowerCase(), 'upgrade');
    assert.equal(answer.headers['sec-websocket-accept'], 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=');
    assert.equal(answer.headers['sec-websocket-protocol'], 'uno');
    assert.equal(answer.headers['sec-websocket-extensions'], undefined);
  });

  test('header values that crashed others do no harm', async () => {
    const bystander = await Session.join(relay());
    for (const headers of [
      { 'Sec-WebSocket-Protocol': 'caf\xe9' },
      { 'Sec-WebSocket-Protocol': `${'a'.repeat(5000)}${' '.repeat(5000)},b` },
      { 'Sec-WebSocket-Protocol': ',,, ,' },
      { 'Sec-WebSocket-Extensions': 'constructor; __proto__=1; "' },
      { 'Sec-WebSocket-Extensions': `a;${'b;'.repeat(3000)}` },
      { Upgrade: 'h2c, WebSocket' },
      { Origin: '\xff\xfe' },
      { Origin: 'null' },
      { 'X-Forwarded-For': '\x80'.repeat(100) },
      { Cookie: 'x'.repeat(8000) },
      { Cookie: 'x'.repeat(100_000) },
      Object.fromEntries(Array.from({ length: 3000 }, (_, n) => [`X-${n}`, '1'])),
    ]) {
      const tcp = await Tcp.open(relay());
      tcp.write(upgradeRequest({ headers }));
      await tcp.until('an answer', () => tcp.received.length > 0 || tcp.ended);
      const { status } = tcp.answer();
      assert.ok([101, 400, 413, 431].includes(status), `${status}`);
      tcp.destroy();
    }
    await bystander.alive();
  });

  test('what is no HTTP ends that connection alone', async () => {
    const bystander = await Session.join(relay());
    for (const bytes of [
      '\r\n\r\n\r\n',
      'GET\r\n\r\n',
      'GET /socket.io/?EIO=4&transport=websocket HTTP/9.9\r\n\r\n',
      '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
      'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
      'GET /\u0000 HTTP/1.1\r\n\r\n',
      'POST /socket.io/ HTTP/1.1\r\nContent-Length: -1\r\n\r\n',
      'POST /socket.io/ HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      `GET /${'x'.repeat(200_000)} HTTP/1.1\r\n\r\n`,
    ]) {
      const tcp = await Tcp.open(relay());
      tcp.write(Buffer.from(bytes, 'latin1'));
      tcp.socket.end();
      await tcp.closed();
    }
    await bystander.alive();
  });

  test('frames right behind the request, in one write, are not lost', async () => {
    const session = await Tcp.open(relay());
    const connect = Buffer.concat([
      upgradeRequest(),
      Buffer.from([0x81, 0x89, 0, 0, 0, 0]),
      Buffer.from('40/relay,'),
    ]);
    session.write(connect);
    await session.until('the answer to CONNECT', () => session.received.includes('40/relay,{"sid"'));
  });
});
