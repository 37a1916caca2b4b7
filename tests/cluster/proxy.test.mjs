// HAProxy itself: what it says to the servers behind it, its reload, and servers of Node behind it.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, request } from 'node:http';
import { after, afterEach, before, describe, test } from 'node:test';

import { Server } from 'socket.io';

import { eventually } from '../e2e/js/lib/wait.mjs';
import { WAYS, clients, closeClients } from './lib/client.mjs';
import { Cluster, isRunning } from './lib/cluster.mjs';
import { Proxy, checkHealth } from './lib/proxy.mjs';

/** HAProxy in front of servers of the test's own, which have no port yet. */
async function behindProxy(servers, change) {
  for (const server of servers) await once(server.listen(0, '127.0.0.1'), 'listening');
  const proxy = await Proxy.start(servers.map((it) => it.address().port), change);
  const end = async () => {
    await proxy.stop();
    for (const server of servers) {
      server.closeAllConnections();
      server.close();
    }
  };
  return { url: proxy.url, end };
}

describe('what is behind HAProxy sees', () => {
  let proxy;
  before(async () => {
    // They answer with what they were asked.
    const echo = () =>
      createServer(async (request, response) => {
        let body = '';
        for await (const piece of request) body += piece;
        const { method, url, headersDistinct } = request;
        response.end(JSON.stringify({ method, url, headers: headersDistinct, body }));
      });
    proxy = await behindProxy(Array.from({ length: 4 }, echo));
  });
  after(() => proxy?.end());

  /** What an instance was asked; header fields as `[name, value]`, a name more than once too. */
  async function seen(fields, path = '/socket.io/?EIO=4&transport=polling&sid=x&a=%20b') {
    const asked = request(proxy.url + path, { method: 'POST', headers: fields.flat() });
    asked.end('body');
    const [answer] = await once(asked, 'response');
    let text = '';
    for await (const piece of answer.setEncoding('utf8')) text += piece;
    assert.equal(answer.statusCode, 200, text);
    return JSON.parse(text);
  }

  const length = ['Content-Length', '4'];

  test('whose request it is, by the word of the proxy alone', async () => {
    for (const fields of [
      [],
      [['X-Forwarded-For', '6.6.6.6']],
      [['x-forwarded-for', '6.6.6.6, 7.7.7.7'], ['X-FORWARDED-FOR', '8.8.8.8']],
      [['X-Forwarded-For', '"><script>'], ['Forwarded', 'for=6.6.6.6']],
      [['X-Forwarded-Proto', 'https']],
    ]) {
      const { headers } = await seen([['Host', 'a'], length, ...fields]);
      assert.deepEqual(headers['x-forwarded-for'], ['127.0.0.1']);
      assert.deepEqual(headers['x-forwarded-proto'], ['http']);
      assert.equal(headers.forwarded, undefined);
    }
  });

  test('the request as it was otherwise', async () => {
    const { method, url, headers, body } = await seen([['Host', 'a.example'], length, ['X-Key', 'k']]);
    assert.equal(method, 'POST');
    assert.equal(url, '/socket.io/?EIO=4&transport=polling&sid=x&a=%20b');
    assert.deepEqual([headers.host, headers['x-key'], body], [['a.example'], ['k'], 'body']);
  });
});

describe('servers of Node behind HAProxy', () => {
  let proxy;
  const homes = new Map();
  before(async () => {
    const node = (_, home) => {
      const health = (request, response) => response.writeHead(request.url === '/health' ? 200 : 404).end();
      const server = createServer(health);
      new Server(server).of('/relay').on('connection', (socket) => {
        homes.set(socket.id, home);
        socket.on('relay', (data, ack) => {
          socket.emit('relay', { ...data, home });
          ack(true);
        });
      });
      return server;
    };
    proxy = await behindProxy(Array.from({ length: 4 }, node), checkHealth);
  });
  afterEach(closeClients);
  after(() => proxy?.end());

  for (const way of Object.keys(WAYS)) {
    test(`a session stays on its server (${way})`, async () => {
      const crowd = await clients(proxy, 8, { ways: [way], reconnection: false });
      for (let n = 0; n < 10; n++) {
        await Promise.all(crowd.map((client) => client.say({ n })));
      }
      for (const client of crowd) {
        const home = homes.get(client.socket.id);
        assert.deepEqual(client.heard, Array.from({ length: 10 }, (_, n) => ({ n, home })));
        assert.deepEqual(client.ends, []);
      }
    });
  }
});

describe('a reload of HAProxy', () => {
  let cluster;
  before(async () => (cluster = await Cluster.start({ DRAIN_DELAY: '0', DRAIN_WINDOW: '0' })));
  after(async () => {
    closeClients();
    const master = cluster.pid('haproxy');
    await cluster.stop();
    assert.equal(isRunning(master), false);
  });

  // A session that asks in the very moment in which the new process has not been told of it yet would
  // go astray; polls that wait, and WebSockets, do not ask.
  test('forgets no session, and ends none', async () => {
    const crowd = [];
    for (let reload = 1; reload <= 3; reload++) {
      crowd.push(...(await clients(cluster, 6, { reconnection: false })));
      await Promise.all(crowd.map((client) => client.say({ destino: 'yo', reload })));
      const settled = () => crowd.every(({ way, transport }) => way !== 'upgrade' || transport === 'websocket');
      await eventually('upgrades', settled, 60_000);
      const known = (await cluster.learned()).map(({ sid, name }) => sid + name).sort();
      const pid = await cluster.worker();
      await eventually('end of the last reload', () => cluster.mayBeReloaded(), 60_000);
      cluster.signal('haproxy', 'SIGUSR2');
      await eventually('new worker', async () => (await cluster.worker()) !== pid, 60_000);
      await eventually('what the old one knows', async () => {
        const told = (await cluster.learned()).map(({ sid, name }) => sid + name).sort();
        return JSON.stringify(told) === JSON.stringify(known);
      }, 60_000);
      for (let n = 0; n < 10; n++) {
        await Promise.all(crowd.map((client) => client.say({ destino: 'yo', reload })));
      }
    }
    for (const client of crowd) assert.deepEqual(client.ends, [], client.way);
  });
});
