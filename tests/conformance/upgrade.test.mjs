// The way of an Engine.IO session from polling to WebSocket, against the server that `ENGINEIO_URL`
// names (see engineio.test.mjs).

import assert from 'node:assert/strict';
import { afterEach, describe, test } from 'node:test';

import { pause } from '../e2e/js/lib/wait.mjs';
import {
  SERVER,
  assertAlive,
  assertEchoes,
  assertGone,
  assertRefused,
} from './lib/engine.mjs';
import { get, handshake, post } from './lib/http.mjs';
import { SETTLE_MS } from './lib/pace.mjs';
import { PollingSession, WebSocketSession, closeSessions } from './lib/session.mjs';

afterEach(closeSessions);

/** A session by polling with a WebSocket that has probed. */
async function probed(options) {
  const { sid } = await handshake(SERVER);
  const ws = await WebSocketSession.probe(SERVER, sid, options);
  ws.send('2probe');
  assert.equal(await ws.next(), '3probe');
  return { sid, ws };
}

async function upgraded(options) {
  const { sid, ws } = await probed(options);
  ws.send('5');
  await assertEchoes(ws, '4up');
  return { sid, ws };
}

describe('upgrade', () => {
  test('takes the session over and leaves polling behind', async () => {
    const { sid, ws } = await upgraded();
    assertRefused(await get(SERVER, sid), 3);
    assertRefused(await post(SERVER, sid, '4hello'), 3);
    await assertEchoes(ws, '4a', Buffer.from([1]), '4b');
  });

  test('a GET right behind `5` is refused', async () => {
    const { sid, ws } = await probed();
    ws.send('5');
    assertRefused(await get(SERVER, sid), 3);
  });

  test('a GET that waits ends while probing', async () => {
    const { sid } = await handshake(SERVER);
    const waiting = get(SERVER, sid);
    await pause(SETTLE_MS);
    const ws = await WebSocketSession.probe(SERVER, sid);
    ws.send('2probe');
    assert.equal(await ws.next(), '3probe');
    const { status, text } = await waiting;
    assert.deepEqual([status, text], [200, '6']);
    ws.send('5');
    await assertEchoes(ws, '4up');
  });

  test('a GET that waits when `5` comes ends', async () => {
    const { sid, ws } = await probed();
    const waiting = get(SERVER, sid);
    ws.send('5');
    const { status, text } = await waiting;
    assert.ok(status === 400 || ['1', '6'].includes(text), `${status} ${text}`);
    await assertEchoes(ws, '4up');
  });

  test('polling goes on while probing, the WebSocket stays silent', async () => {
    const { sid, ws } = await probed();
    await assertAlive(sid, '4still');
    assert.deepEqual(ws.packets, []);
    ws.send('5');
    await assertEchoes(ws, '4up');
  });

  test('what waits goes over the WebSocket, in order', async () => {
    const { sid, ws } = await probed();
    await post(SERVER, sid, '4one', 'bAQID');
    await post(SERVER, sid, '4two');
    ws.send('5', '4three');
    const expected = ['4one', Buffer.from([1, 2, 3]), '4two', '4three'];
    assert.deepEqual(await ws.take(expected.length), expected);
  });

  test('a probe may be repeated', async () => {
    const { ws } = await probed();
    ws.send('2probe');
    assert.equal(await ws.next(), '3probe');
    ws.send('5');
    await assertEchoes(ws, '4up');
  });

  for (const word of ['4hello', '3probe', '2', '6', 'abc', '']) {
    test(`a WebSocket that says ${JSON.stringify(word)} instead is closed, polling goes on`, async () => {
      const { sid } = await handshake(SERVER);
      const ws = await WebSocketSession.probe(SERVER, sid);
      ws.send(word);
      await ws.closed();
      assert.deepEqual(ws.packets, []);
      await assertAlive(sid);
    });
  }

  for (const how of ['close', 'destroy']) {
    test(`is abandoned (${how}), polling goes on, another one succeeds`, async () => {
      const { sid, ws } = await probed();
      ws[how]();
      await ws.closed();
      await assertAlive(sid);
      const other = await WebSocketSession.probe(SERVER, sid);
      other.send('2probe');
      assert.equal(await other.next(), '3probe');
      other.send('5');
      await assertEchoes(other, '4up');
    });
  }

  test('another WebSocket is closed while one probes', async () => {
    const { sid, ws } = await probed();
    const other = new WebSocketSession(SERVER, { sid });
    await other.closed();
    assert.deepEqual(other.packets, []);
    ws.send('5');
    await assertEchoes(ws, '4up');
  });

  test('another WebSocket is closed after it', async () => {
    const { sid, ws } = await upgraded();
    const other = new WebSocketSession(SERVER, { sid });
    await other.closed();
    assert.deepEqual(other.packets, []);
    await assertEchoes(ws, '4alive');
  });

  test('the WebSocket ends with the session', async () => {
    const { sid, ws } = await probed();
    await post(SERVER, sid, '1');
    await ws.closed();
    await assertGone(sid);
  });

  test('pings go over the WebSocket after it', async () => {
    const { ws } = await upgraded({ answerPings: false });
    for (let round = 0; round < 2; round++) {
      assert.equal(await ws.next('ping'), '2');
      ws.send('3');
    }
    await assertEchoes(ws, '4alive');
  });

  test('who does not answer after it is gone', async () => {
    const { sid, ws } = await upgraded({ answerPings: false });
    assert.equal(await ws.next('ping'), '2');
    await ws.closed();
    await assertGone(sid);
  });

  test('nothing is lost or turned around by a client that never stops sending', async () => {
    const session = await PollingSession.open(SERVER);
    const { sid } = session.handshake;
    const ws = await WebSocketSession.probe(SERVER, sid);
    const sent = [];
    const say = (target, count) => {
      for (let n = 0; n < count; n++) {
        sent.push(`4${sent.length}`);
        target.send(sent.at(-1));
      }
    };
    say(session, 20);
    ws.send('2probe');
    assert.equal(await ws.next(), '3probe');
    say(session, 20);
    await session.pause();
    ws.send('5');
    say(ws, 20);
    const rest = await ws.take(sent.length - session.packets.length);
    assert.deepEqual([...session.packets, ...rest], sent);
  });
});
