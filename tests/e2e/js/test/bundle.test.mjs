// The client library that the gateway serves: it is there, whole, and connects.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import vm from 'node:vm';
import { WebSocket } from 'ws';

import { onEveryShardCount } from '../lib/relay.mjs';
import { within } from '../lib/wait.mjs';

onEveryShardCount('the served client library', (relay) => {
  for (const file of ['socket.io.js', 'socket.io.min.js', 'socket.io.msgpack.min.js']) {
    test(`a page that loads ${file} connects`, async () => {
      const { status, headers, body } = await relay().get(`/socket.io/${file}`);
      assert.equal(status, 200);
      assert.match(headers.get('content-type'), /javascript/);
      const { io } = load(body);
      const socket = io(`${relay().url}/relay`, { transports: ['websocket'] });
      await within(5000, 'connect', (done, fail) => {
        socket.once('connect', done);
        socket.once('connect_error', fail);
      });
      const heard = new Promise((resolve) => socket.once('relay', resolve));
      assert.equal(await socket.emitWithAck('relay', { destino: 'nosotros', n: 1 }), true);
      assert.equal((await heard).n, 1);
      socket.disconnect();
    });
  }

  test('the module form defines io', async () => {
    const { body } = await relay().get('/socket.io/socket.io.esm.min.js');
    const { io } = await import(`data:text/javascript,${encodeURIComponent(body)}`);
    assert.equal(typeof io, 'function');
  });

  test('its copies are kept by their ETag', async () => {
    const first = await relay().get('/socket.io/socket.io.min.js');
    const tag = first.headers.get('etag');
    assert.ok(tag);
    const again = await fetch(`${relay().url}/socket.io/socket.io.min.js`, {
      headers: { 'If-None-Match': tag },
    });
    assert.equal(again.status, 304);
    assert.equal(await again.text(), '');
  });
});

/** Runs a script as a page would: what it leaves on the window. */
function load(script) {
  const window = { ArrayBuffer, WebSocket, clearTimeout, console, setTimeout };
  window.self = window;
  window.window = window;
  vm.createContext(window);
  vm.runInContext(script, window);
  return window;
}
