// Socket.IO version 5, against a server with the namespaces `/` and `/custom`. `SOCKETIO_URL` names
// it; its times are those of `lib/pace.mjs`, and it takes a million bytes. On connection it emits `auth` with what the client said of itself; on `/` it
// answers `message` with `message-back` and acknowledges `message-with-ack` with its arguments.

import assert from 'node:assert/strict';
import { afterEach, describe, test } from 'node:test';

import { pause } from '../e2e/js/lib/wait.mjs';
import { endpoint, get } from './lib/http.mjs';
import { CONNECT_TIMEOUT_MS, SETTLE_MS, SLACK_MS } from './lib/pace.mjs';
import { PollingSession, TRANSPORTS, WebSocketSession, closeSessions } from './lib/session.mjs';

const SERVER = endpoint('SOCKETIO_URL');

const PLACEHOLDER = (num) => `{"_placeholder":true,"num":${num}}`;
const BYTES = Buffer.from([1, 2, 3]);
const MORE_BYTES = Buffer.from([4, 5]);

/** Joins a namespace and takes the event that greets: what the server says of the client. */
async function enter(session, namespace = '/', payload = '') {
  const prefix = namespace === '/' ? '' : `${namespace},`;
  session.send(`40${prefix}${payload}`);
  const [answer, greeting] = await session.take(2);
  assert.ok(answer.startsWith(`40${prefix}{`), answer);
  const { sid, ...rest } = JSON.parse(answer.slice(2 + prefix.length));
  assert.equal(typeof sid, 'string');
  assert.deepEqual(rest, {});
  assert.ok(greeting.startsWith(`42${prefix}["auth",`), greeting);
  return { sid, auth: JSON.parse(greeting.slice(2 + prefix.length))[1] };
}

async function join(Session, options) {
  const session = await Session.open(SERVER, options);
  await enter(session);
  return session;
}

async function assertAlive(session) {
  session.send('42["message","alive"]');
  assert.equal(await session.next(), '42["message-back","alive"]');
}

async function assertAnswers(session, packets, expected) {
  session.send(...packets);
  assert.deepEqual(await session.take(expected.length), expected);
}

afterEach(closeSessions);

for (const [transport, Session] of TRANSPORTS) {
  describe(`CONNECT over ${transport}`, () => {
    const payloads = [
      ['none', '', {}],
      ['an empty one', '{}', {}],
      ['a token', '{"token":"123"}', { token: '123' }],
      ['a nested one', '{"a":[1,{"b":null}],"ñ":"😀"}', { a: [1, { b: null }], ñ: '😀' }],
    ];
    for (const namespace of ['/', '/custom']) {
      for (const [what, payload, expected] of payloads) {
        test(`to ${namespace}, payload: ${what}`, async () => {
          const session = await Session.open(SERVER);
          const { auth } = await enter(session, namespace, payload);
          assert.deepEqual(auth, expected);
        });
      }
    }

    test('to /custom without a comma', async () => {
      const session = await Session.open(SERVER);
      session.send('40/custom');
      assert.match(await session.next(), /^40\/custom,\{"sid":"[^"]+"\}$/);
    });

    test('to both: two ids, neither that of the session', async () => {
      const session = await Session.open(SERVER);
      const ids = [
        session.handshake.sid,
        (await enter(session)).sid,
        (await enter(session, '/custom')).sid,
      ];
      assert.equal(new Set(ids).size, 3);
    });

    for (const packet of ['40/random', '40/random,', '40/random,{"token":"123"}']) {
      test(`to an unknown namespace is refused: ${packet}`, async () => {
        const session = await Session.open(SERVER);
        session.send(packet);
        assert.equal(await session.next(), '44/random,{"message":"Invalid namespace"}');
        // The session goes on.
        await enter(session);
        await assertAlive(session);
      });
    }

    test('is owed in time', async () => {
      const before = performance.now();
      const session = await Session.open(SERVER);
      await session.closed();
      assert.ok(performance.now() - before >= CONNECT_TIMEOUT_MS - SLACK_MS);
      assert.deepEqual(session.packets, []);
    });

    test('that was refused is still owed', async () => {
      const session = await Session.open(SERVER);
      session.send('40/random,');
      await session.closed();
      assert.deepEqual(session.packets, ['44/random,{"message":"Invalid namespace"}']);
    });

    test('to any namespace is enough', async () => {
      const session = await Session.open(SERVER);
      await enter(session, '/custom');
      await pause(CONNECT_TIMEOUT_MS + 200);
      await enter(session);
      await assertAlive(session);
    });

    const broken = [
      '40abc',
      '40[]',
      '40"x"',
      '401{',
      '40{',
      '40/custom,[]',
      '42["message",1]',
      '41',
      '430[]',
      '44{"message":"x"}',
    ];
    for (const packet of broken) {
      test(`broken, or something else first, ends the session: ${packet}`, async () => {
        const session = await Session.open(SERVER);
        session.send(packet);
        await session.closed();
        assert.deepEqual(session.packets, []);
      });
    }

    test('twice to one namespace ends the session', async () => {
      const session = await join(Session);
      session.send('40');
      await session.closed();
    });
  });

  describe(`DISCONNECT over ${transport}`, () => {
    test('from /: the session goes on, and the next packet is a ping', async () => {
      const session = await join(Session, { answerPings: false });
      session.send('41');
      assert.equal(await session.next('ping'), '2');
      session.send('3');
      await enter(session);
      await assertAlive(session);
    });

    for (const packet of ['41/custom', '41/custom,']) {
      test(`from /custom leaves / alone: ${packet}`, async () => {
        const session = await join(Session);
        await enter(session, '/custom');
        session.send(packet);
        await assertAlive(session);
        await enter(session, '/custom');
      });
    }

    test('and an event after it end the session', async () => {
      const session = await join(Session);
      session.send('41');
      // Node takes a moment to leave; an event that comes within it is of a socket.
      await pause(SETTLE_MS);
      session.send('42["message",1]');
      await session.closed();
    });
  });

  describe(`messages over ${transport}`, () => {
    const echoes = [
      ['no arguments', ['42["message"]'], ['42["message-back"]']],
      [
        'values of every kind',
        ['42["message",1,"2",{"3":[true,null]}]'],
        ['42["message-back",1,"2",{"3":[true,null]}]'],
      ],
      ['text beyond ASCII', ['42["message","ñ€😀"]'], ['42["message-back","ñ€😀"]']],
      ['white space behind', ['42["message",1] \n'], ['42["message-back",1]']],
      ['the default namespace by name', ['42/,["message",1]'], ['42["message-back",1]']],
      [
        'binary',
        [`451-["message",${PLACEHOLDER(0)}]`, BYTES],
        [`451-["message-back",${PLACEHOLDER(0)}]`, BYTES],
      ],
      [
        'binary twice, and deep',
        [`452-["message",${PLACEHOLDER(0)},{"a":[${PLACEHOLDER(1)}]}]`, BYTES, MORE_BYTES],
        [`452-["message-back",${PLACEHOLDER(0)},{"a":[${PLACEHOLDER(1)}]}]`, BYTES, MORE_BYTES],
      ],
      [
        'empty binary',
        [`451-["message",${PLACEHOLDER(0)}]`, Buffer.alloc(0)],
        [`451-["message-back",${PLACEHOLDER(0)}]`, Buffer.alloc(0)],
      ],
      [
        'text, binary, text',
        ['42["message",1]', `451-["message",${PLACEHOLDER(0)}]`, BYTES, '42["message",2]'],
        [
          '42["message-back",1]',
          `451-["message-back",${PLACEHOLDER(0)}]`,
          BYTES,
          '42["message-back",2]',
        ],
      ],
      [
        'an event that nobody knows, and one that is known',
        ['42["unknown",1]', '42[5]', '42["message",1]'],
        ['42["message-back",1]'],
      ],
    ];
    for (const [what, packets, expected] of echoes) {
      test(what, async () => assertAnswers(await join(Session), packets, expected));
    }

    test('two hundred come back in order', async () => {
      const session = await join(Session);
      for (let n = 0; n < 200; n++) session.send(`42["message",${n}]`);
      const expected = Array.from({ length: 200 }, (_, n) => `42["message-back",${n}]`);
      assert.deepEqual(await session.take(200), expected);
    });

    const acknowledged = [
      ['no arguments', ['420["message-with-ack"]'], ['430[]']],
      [
        'values of every kind',
        ['42456["message-with-ack",1,"2",{"3":[false]}]'],
        ['43456[1,"2",{"3":[false]}]'],
      ],
      [
        'binary',
        [`452-789["message-with-ack",${PLACEHOLDER(0)},${PLACEHOLDER(1)}]`, BYTES, MORE_BYTES],
        [`462-789[${PLACEHOLDER(0)},${PLACEHOLDER(1)}]`, BYTES, MORE_BYTES],
      ],
      [
        'two in a row',
        ['421["message-with-ack",1]', '422["message-with-ack",2]'],
        ['431[1]', '432[2]'],
      ],
    ];
    for (const [what, packets, expected] of acknowledged) {
      test(`acknowledged: ${what}`, async () =>
        assertAnswers(await join(Session), packets, expected));
    }

    test('acknowledgements that nobody awaits are ignored', async () => {
      const session = await join(Session);
      session.send('430[1]', '43999[]');
      await assertAlive(session);
    });
  });

  describe(`broken packets over ${transport} end the session`, () => {
    const broken = [
      ['4abc'],
      ['4'],
      ['47'],
      ['42{}'],
      ['42[]'],
      ['42"message"'],
      ['42abc["message",1]'],
      ['42["message"'],
      ['42["message",1]x'],
      ['42[{}]'],
      ['42["connect"]'],
      ['42["disconnect"]'],
      ['41{}'],
      ['430{}'],
      ['44{"message":"x"}'],
      ['42/custom,["message",1]'],
      ['45["message"]'],
      [`45a-["message",${PLACEHOLDER(0)}]`],
      ['4511-["message"]'],
      [`451-["message",${PLACEHOLDER(0)}]`, '42["message",1]'],
      [`451-["message",${PLACEHOLDER(1)}]`, BYTES],
      ['451-["message",{"_placeholder":true,"num":"0"}]', BYTES],
      [BYTES],
    ];
    for (const packets of broken) {
      const what = packets.map((one) => (typeof one === 'string' ? one : '(binary)')).join(' ');
      test(what, async () => {
        const session = await join(Session);
        session.send(...packets);
        await session.closed();
        assert.deepEqual(session.packets, []);
      });
    }
  });
}

describe('the end', () => {
  test('of a session over polling is an error for its next GET', async () => {
    const session = await join(PollingSession);
    session.send('4abc');
    await session.closed();
    assert.equal((await get(SERVER, session.handshake.sid)).status, 400);
  });

  test('of a session over WebSocket is a close frame without a code', async () => {
    const session = await join(WebSocketSession);
    session.send('4abc');
    assert.deepEqual(await session.closed(), { code: 1005, reason: '' });
  });
});

describe('upgrade', () => {
  /** Brings a session over and returns the WebSocket. */
  async function upgrade(session) {
    const ws = await WebSocketSession.probe(SERVER, session.handshake.sid);
    ws.send('2probe');
    assert.equal(await ws.next(), '3probe');
    await session.pause();
    ws.send('5');
    return ws;
  }

  test('of a session that has joined', async () => {
    await assertAlive(await upgrade(await join(PollingSession)));
  });

  test('of a session that joins afterwards', async () => {
    const ws = await upgrade(await PollingSession.open(SERVER));
    await enter(ws);
    await assertAlive(ws);
  });

  test('between an event and its attachment', async () => {
    const session = await join(PollingSession);
    session.send(`451-["message",${PLACEHOLDER(0)}]`);
    const ws = await upgrade(session);
    ws.send(BYTES);
    assert.deepEqual(await ws.take(2), [`451-["message-back",${PLACEHOLDER(0)}]`, BYTES]);
  });

  test('loses nothing and keeps the order', async () => {
    const session = await join(PollingSession);
    for (let n = 0; n < 50; n++) session.send(`42["message",${n}]`);
    const ws = await upgrade(session);
    for (let n = 50; n < 100; n++) ws.send(`42["message",${n}]`);
    const rest = await ws.take(100 - session.packets.length);
    const expected = Array.from({ length: 100 }, (_, n) => `42["message-back",${n}]`);
    assert.deepEqual([...session.packets, ...rest], expected);
  });
});
