// Engine.IO version 4, against a server that echoes every message. `ENGINEIO_URL` names it; its
// times are those of `lib/pace.mjs`, and it takes a million bytes.

import assert from 'node:assert/strict';
import { afterEach, describe, test } from 'node:test';

import { pause } from '../e2e/js/lib/wait.mjs';
import {
  PAYLOAD_BYTES_MAX,
  SERVER,
  UNKNOWN_SID,
  assertAlive,
  assertEchoes,
  assertGone,
  assertRefused,
} from './lib/engine.mjs';
import { SEPARATOR, ask, beginPost, get, handshake, post } from './lib/http.mjs';
import { PING_INTERVAL_MS, PING_TIMEOUT_MS, SETTLE_MS, SLACK_MS } from './lib/pace.mjs';
import { TRANSPORTS, WebSocketSession, closeSessions } from './lib/session.mjs';

function assertOpenPacket(open, upgrades) {
  const { sid, ...rest } = open;
  assert.match(sid, /^[\w-]{20}$/);
  assert.deepEqual(rest, {
    upgrades,
    pingInterval: PING_INTERVAL_MS,
    pingTimeout: PING_TIMEOUT_MS,
    maxPayload: PAYLOAD_BYTES_MAX,
  });
}

afterEach(closeSessions);

describe('handshake', () => {
  test('over polling: one packet with exactly five facts', async () => {
    const { status, headers, text } = await get(SERVER);
    assert.equal(status, 200);
    assert.equal(headers.get('content-type').toLowerCase(), 'text/plain; charset=utf-8');
    assert.equal(headers.get('cache-control'), 'no-store');
    assert.equal(text[0], '0');
    assertOpenPacket(JSON.parse(text.slice(1)), ['websocket']);
  });

  test('over WebSocket: the same, and no way up', async () => {
    assertOpenPacket((await WebSocketSession.open(SERVER)).handshake, []);
  });

  test('every session has its own id', async () => {
    const opens = await Promise.all(Array.from({ length: 20 }, () => handshake(SERVER)));
    assert.equal(new Set(opens.map(({ sid }) => sid)).size, 20);
  });

  const refused = [
    ['no version', { EIO: undefined, transport: 'polling' }, 5],
    ['version 3', { EIO: '3', transport: 'polling' }, 5],
    ['version abc', { EIO: 'abc', transport: 'polling' }, 5],
    ['no transport', {}, 0],
    ['an unknown transport', { transport: 'abc' }, 0],
    ['webtransport', { transport: 'webtransport' }, 0],
    ['websocket without an upgrade', { transport: 'websocket' }, 3],
    ['an unknown session', { transport: 'polling', sid: UNKNOWN_SID }, 1],
    ['a session of another form', { transport: 'polling', sid: 'abc' }, 1],
  ];
  for (const [what, query, code] of refused) {
    test(`refused: ${what}`, async () => assertRefused(await ask(SERVER, query), code));
  }

  for (const method of ['POST', 'PUT', 'DELETE']) {
    test(`refused: by ${method}`, async () => {
      assertRefused(await ask(SERVER, { transport: 'polling' }, { method }), 2);
    });
  }

  const refusedSockets = [
    ['no version', { EIO: undefined }],
    ['version abc', { EIO: 'abc' }],
    ['no transport', { transport: undefined }],
    ['an unknown transport', { transport: 'abc' }],
    ['an unknown session', { sid: UNKNOWN_SID }],
  ];
  for (const [what, query] of refusedSockets) {
    test(`no session over WebSocket: ${what}`, async () => {
      const session = new WebSocketSession(SERVER, query);
      await session.closed();
      assert.deepEqual(session.packets, []);
    });
  }

  test('any page may ask when the server says so', async () => {
    const headers = { Origin: 'http://one.example' };
    const answers = await Promise.all([
      get(SERVER, undefined, { headers }),
      get(SERVER, UNKNOWN_SID, { headers }),
    ]);
    for (const { headers: fields } of answers)
      assert.equal(fields.get('access-control-allow-origin'), '*');
    const preflight = await ask(SERVER, { transport: 'polling' }, { method: 'OPTIONS', headers });
    assert.equal(preflight.status, 204);
  });
});

for (const [transport, Session] of TRANSPORTS) {
  describe(`messages over ${transport}`, () => {
    const messages = [
      ['text', '4hello'],
      ['text beyond ASCII', '4¡ñandú! € 😀 \u2028'],
      ['text of one character', '4a'],
      ['text that looks like packets', '42probe'],
      ['binary', Buffer.from([1, 2, 3, 4])],
      [
        'binary of every length of base64',
        Buffer.from([1]),
        Buffer.from([1, 2]),
        Buffer.from([1, 2, 3]),
      ],
      ['binary with every byte', Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))],
      ['text and binary in turns', '4a', Buffer.from([1]), '4b', Buffer.from([2]), '4c'],
      ['a hundred', ...Array.from({ length: 100 }, (_, n) => `4${n}`)],
      ['half a million bytes', `4${'x'.repeat(500_000)}`],
      ['as many bytes as are allowed', `4${'x'.repeat(PAYLOAD_BYTES_MAX - 1)}`],
    ];
    for (const [what, ...packets] of messages) {
      test(what, async () => assertEchoes(await Session.open(SERVER), ...packets));
    }

    test('one after the other', async () => {
      const session = await Session.open(SERVER);
      for (let n = 0; n < 20; n++) await assertEchoes(session, `4${n}`);
    });

    for (const bad of ['abc', '9', '7x', ' 4a', '']) {
      test(`what is no packet ends the session: ${JSON.stringify(bad)}`, async () => {
        const session = await Session.open(SERVER);
        session.send(bad);
        await session.closed();
        await assertGone(session.handshake.sid);
      });
    }

    test('packets that mean nothing here are ignored', async () => {
      const session = await Session.open(SERVER);
      session.send('6', '5', '0{}');
      await assertEchoes(session, '4alive');
    });
  });
}

describe('requests', () => {
  test('a POST is answered `ok`', async () => {
    const { sid } = await handshake(SERVER);
    const { status, headers, text } = await post(SERVER, sid, '4hello');
    assert.deepEqual([status, text, headers.get('content-length')], [200, 'ok', '2']);
    assert.equal(headers.get('content-type'), 'text/html');
  });

  test('a GET brings all that waits', async () => {
    const { sid } = await handshake(SERVER);
    await post(SERVER, sid, '4one', '4two');
    await post(SERVER, sid, 'bAQID');
    const { text } = await get(SERVER, sid);
    assert.deepEqual(text.split(SEPARATOR), ['4one', '4two', 'bAQID']);
  });

  test('packets ahead of a bad one count', async () => {
    const { sid } = await handshake(SERVER);
    const waiting = get(SERVER, sid);
    await pause(SETTLE_MS);
    await post(SERVER, sid, '4hello', 'abc');
    const { text } = await waiting;
    assert.equal(text.split(SEPARATOR)[0], '4hello');
    await assertGone(sid);
  });

  test('a body beyond the limit is too large, and says nothing', async () => {
    const { sid } = await handshake(SERVER);
    const { status, text } = await post(SERVER, sid, `4${'x'.repeat(PAYLOAD_BYTES_MAX)}`);
    assert.deepEqual([status, text], [413, '']);
  });

  test('a binary body is refused', async () => {
    const { sid } = await handshake(SERVER);
    const { status } = await ask(
      SERVER,
      { transport: 'polling', sid },
      {
        method: 'POST',
        body: Buffer.from([1, 2]),
        headers: { 'Content-Type': 'application/octet-stream' },
      },
    );
    assert.equal(status, 400);
    await assertGone(sid);
  });

  for (const method of ['PUT', 'DELETE', 'PATCH']) {
    test(`${method} of a session is an error and leaves it alone`, async () => {
      const { sid } = await handshake(SERVER);
      const { status } = await ask(SERVER, { transport: 'polling', sid }, { method });
      assert.ok(status >= 400, `${status}`);
      await assertAlive(sid);
    });
  }

  test('a second GET ends the session', async () => {
    const { sid } = await handshake(SERVER);
    const first = get(SERVER, sid);
    await pause(SETTLE_MS);
    const second = await get(SERVER, sid);
    assert.ok([400, 500].includes(second.status), `${second.status}`);
    const { status, text } = await first;
    assert.deepEqual([status, text], [200, '1']);
    await assertGone(sid);
  });

  test('a second POST ends the session', async () => {
    const { sid } = await handshake(SERVER);
    const first = beginPost(SERVER, sid);
    await pause(SETTLE_MS);
    const { status } = await post(SERVER, sid, '4hello');
    assert.ok([400, 500].includes(status), `${status}`);
    await assertGone(sid);
    first.gone();
  });

  test('a GET that goes away ends the session', async () => {
    const { sid } = await handshake(SERVER);
    const abort = new AbortController();
    const waiting = get(SERVER, sid, { signal: abort.signal });
    await pause(SETTLE_MS);
    abort.abort();
    await assert.rejects(waiting);
    await pause(SETTLE_MS);
    await assertGone(sid);
  });

  test('a POST that goes away ends the session', async () => {
    const { sid } = await handshake(SERVER);
    const begun = beginPost(SERVER, sid);
    await pause(SETTLE_MS);
    begun.gone();
    await pause(SETTLE_MS);
    await assertGone(sid);
  });

  test('a session over WebSocket cannot be polled', async () => {
    const session = await WebSocketSession.open(SERVER);
    const { sid } = session.handshake;
    assertRefused(await get(SERVER, sid), 3);
    assertRefused(await post(SERVER, sid, '4hello'), 3);
    await assertEchoes(session, '4alive');
  });
});

describe('WebSocket', () => {
  test('a message beyond the limit: 1009 and no reason', async () => {
    const session = await WebSocketSession.open(SERVER);
    session.send(`4${'x'.repeat(PAYLOAD_BYTES_MAX)}`);
    assert.deepEqual(await session.closed(), { code: 1009, reason: '' });
  });

  test('binary as text is binary', async () => {
    const session = await WebSocketSession.open(SERVER);
    session.send('bAQIDBA==');
    assert.deepEqual(await session.next(), Buffer.from([1, 2, 3, 4]));
  });

  test('empty binary comes back', async () => {
    await assertEchoes(await WebSocketSession.open(SERVER), Buffer.alloc(0), '4after');
  });
});

describe('heartbeat', () => {
  for (const [transport, Session] of TRANSPORTS) {
    test(`over ${transport}: the server asks, again and again`, async () => {
      const before = performance.now();
      const session = await Session.open(SERVER, { answerPings: false });
      for (let round = 1; round <= 3; round++) {
        assert.equal(await session.next('ping'), '2');
        // Not earlier: the next one comes an interval after the answer.
        assert.ok(performance.now() - before >= round * PING_INTERVAL_MS - SLACK_MS);
        session.send('3');
      }
      await assertEchoes(session, '4alive');
    });

    test(`over ${transport}: who does not answer is gone`, async () => {
      const before = performance.now();
      const session = await Session.open(SERVER, { answerPings: false });
      assert.equal(await session.next('ping'), '2');
      await session.closed();
      assert.ok(performance.now() - before >= PING_INTERVAL_MS + PING_TIMEOUT_MS - SLACK_MS);
      await assertGone(session.handshake.sid);
    });

    test(`over ${transport}: messages are no answer`, async () => {
      const session = await Session.open(SERVER, { answerPings: false });
      const timer = setInterval(() => session.ended || session.send('4hello'), 100);
      try {
        await session.closed();
      } finally {
        clearInterval(timer);
      }
    });

    test(`over ${transport}: an answer that nobody asked for does no harm`, async () => {
      const session = await Session.open(SERVER, { answerPings: false });
      session.send('3', '3');
      await assertEchoes(session, '4alive');
    });

    test(`over ${transport}: a client does not ask`, async () => {
      const session = await Session.open(SERVER);
      session.send('2');
      await session.closed();
      await assertGone(session.handshake.sid);
    });
  }

  test('who never polls is gone after interval and time-out', async () => {
    const { sid } = await handshake(SERVER);
    await pause(PING_INTERVAL_MS + PING_TIMEOUT_MS + SLACK_MS);
    await assertGone(sid);
  });

  test('a ping waits for the next GET', async () => {
    const { sid } = await handshake(SERVER);
    await pause(PING_INTERVAL_MS + SLACK_MS);
    const { status, text } = await get(SERVER, sid);
    assert.deepEqual([status, text], [200, '2']);
  });
});

describe('closing', () => {
  test('by POST', async () => {
    const { sid } = await handshake(SERVER);
    const { status, text } = await post(SERVER, sid, '1');
    assert.deepEqual([status, text], [200, 'ok']);
    await assertGone(sid);
  });

  test('by POST while a GET waits: the GET ends with a noop', async () => {
    const { sid } = await handshake(SERVER);
    const waiting = get(SERVER, sid);
    await pause(SETTLE_MS);
    await post(SERVER, sid, '1');
    const { status, text } = await waiting;
    assert.deepEqual([status, text], [200, '6']);
    await assertGone(sid);
  });

  for (const how of ['close', 'destroy']) {
    test(`of the WebSocket: ${how}`, async () => {
      const session = await WebSocketSession.open(SERVER);
      session[how]();
      await session.closed();
      await pause(SETTLE_MS);
      await assertGone(session.handshake.sid);
    });
  }
});
