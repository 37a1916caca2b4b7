// A gateway for Node: Socket.IO with its Redis adapter, which understands what the clients of these
// tests say. Told by PORT and REDIS_URL like the gateway itself; SIGTERM ends it as Node ends: its
// clients lose their connections at once.

import { createServer } from 'node:http';

import { createAdapter } from '@socket.io/redis-adapter';
import { Redis } from 'ioredis';
import { Server } from 'socket.io';

const { PORT, REDIS_URL } = process.env;
// Without the bound on repetitions what cannot be published would end the process.
const connection = () =>
  new Redis(REDIS_URL, { maxRetriesPerRequest: null, retryStrategy: () => 50 }).on('error', () => {});
const [publisher, subscriber] = [connection(), connection()];
const ready = () => publisher.status === 'ready' && subscriber.status === 'ready';

const http = createServer((request, response) => {
  const known = ['/health', '/ready'].includes(request.url);
  response.writeHead(known ? 200 : 404, { 'Content-Type': 'application/json' });
  const redis = { state: ready() ? 'up' : 'down' };
  response.end(JSON.stringify({ connections: relay.sockets.size, redis }));
});
const io = new Server(http, { adapter: createAdapter(publisher, subscriber) });
const relay = io.of('/relay');
relay.on('connection', (socket) => {
  socket.on('relay', (data, ack) => {
    relay.emit('relay', data);
    ack?.(true);
  });
});
http.listen(Number(PORT), '127.0.0.1');

process.once('SIGTERM', async () => {
  // A connection on which nothing is said would keep it, as long as the proxy likes.
  setTimeout(() => http.closeAllConnections(), 1000);
  await io.close();
  // What was published goes out before the connection ends.
  if (ready()) await publisher.quit();
  process.exit(0);
});
