// Time limits, at the values that are in effect: these tests wait together, each on connections of
// its own.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { Client, WAYS, closeClients } from '../lib/client.mjs';
import { Session, Tcp, closeSessions, frame, serverFrames, upgradeRequest } from '../lib/raw.mjs';
import { Relay } from '../lib/relay.mjs';

const TEXT = 0x81;
/** Timers may be a little late, and so may this machine. */
const SLACK_MS = 4000;

describe('time limits', { concurrency: true, timeout: 90_000 }, () => {
  let relay;
  before(async () => {
    relay = await Relay.start({ shards: 2 });
  });
  after(async () => {
    closeClients();
    closeSessions();
    await relay.stop();
  });

  /** How long `done` took, in milliseconds. */
  async function elapsed(done) {
    const started = performance.now();
    await done;
    return performance.now() - started;
  }

  function assertAbout(ms, expected) {
    assert.ok(ms > expected - 500 && ms < expected + SLACK_MS, `${ms} ms, not ${expected} ms`);
  }

  test('the first ping comes after pingInterval, the next one as long after the pong', async () => {
    const session = await Session.open(relay, { answerPings: false });
    session.send('40/relay,');
    await session.next();
    assertAbout(await elapsed(waitFor(session, '2', 40_000)), 25_000);
    session.send('3');
    assertAbout(await elapsed(waitFor(session, '2', 40_000)), 25_000);
  });

  test('without a pong the session ends after pingTimeout', async () => {
    const session = await Session.open(relay, { answerPings: false });
    session.send('40/relay,');
    assertAbout(await elapsed(session.closed(70_000)), 45_000);
  });

  test('any packet after the ping restarts that time once', async () => {
    const session = await Session.open(relay, { answerPings: false });
    session.send('40/relay,');
    await session.next();
    await waitFor(session, '2', 40_000);
    await new Promise((resolve) => setTimeout(resolve, 10_000));
    session.send('42/relay,["unirse","a"]');
    assertAbout(await elapsed(session.closed(70_000)), 20_000);
  });

  for (const way of Object.keys(WAYS)) {
    test(`a stock client stays, and its heartbeat goes unseen (${way})`, async () => {
      const client = await Client.connect(relay, { way });
      await new Promise((resolve) => setTimeout(resolve, 60_000));
      assert.equal(client.socket.connected, true);
      assert.deepEqual(client.heard, []);
      assert.deepEqual(await client.ask('relay', {}), [true]);
    });
  }

  test('a session that never joins a namespace ends after 45 s', async () => {
    const session = await Session.open(relay);
    assertAbout(await elapsed(session.closed(70_000)), 45_000);
  });

  test('a refused namespace does not stop that clock', async () => {
    const session = await Session.open(relay);
    session.send('40/otro,');
    assert.match(await session.next(), /^44/);
    assertAbout(await elapsed(session.closed(70_000)), 45_000);
  });

  test('attachments that do not come end the connection after 30 s', async () => {
    const session = await Session.join(relay);
    session.send('451-/relay,["relay",{"_placeholder":true,"num":0}]');
    assertAbout(await elapsed(session.closed(70_000)), 30_000);
  });

  test('one attachment after the other does not put that off', async () => {
    const session = await Session.join(relay);
    session.send('4510-/relay,["relay",{"_placeholder":true,"num":0}]');
    const drip = setInterval(() => session.ws.readyState === 1 && session.send(Buffer.alloc(1)), 4000);
    assertAbout(await elapsed(session.closed(70_000)), 30_000);
    clearInterval(drip);
  });

  for (const [what, start] of Object.entries({
    'says nothing': () => {},
    'begins a request': (tcp) => tcp.write('GET /health HTTP/1.1\r\nHost: x\r\n'),
    'begins a handshake': (tcp) => tcp.write(upgradeRequest().subarray(0, -2)),
    'drips a request': (tcp) => {
      tcp.write('GET /health HTTP/1.1\r\n');
      const drip = setInterval(() => tcp.socket.writable && tcp.write('X: y\r\n'), 1000);
      tcp.closed(70_000).finally(() => clearInterval(drip));
    },
    'keeps its connection': (tcp) => tcp.write('GET /health HTTP/1.1\r\nHost: x\r\n\r\n'),
  })) {
    test(`a client that ${what} is gone after 10 s`, async () => {
      const tcp = await Tcp.open(relay);
      start(tcp);
      assertAbout(await elapsed(tcp.closed(30_000)), 10_000);
    });
  }

  test('half a frame is held until the heartbeat fails', async () => {
    const tcp = await Tcp.upgrade(relay);
    tcp.write(frame(TEXT, '40/relay,'));
    tcp.write(frame(TEXT, '42/relay,["relay",{}]').subarray(0, 12));
    assertAbout(await elapsed(tcp.closed(70_000)), 45_000);
  });

  test('a client that never closes its side of TCP does not keep the session', async () => {
    const tcp = await Tcp.upgrade(relay);
    tcp.write(frame(TEXT, '1'));
    await tcp.until('close frame', () => serverFrames(tcp.received).some((it) => it.opcode === 8));
    // Allowed to be half-open, it says nothing more.
    assert.ok((await elapsed(tcp.closed(30_000))) < 10_000);
  });
});

/** Waits until `packet` comes, and takes it. */
async function waitFor(session, packet, ms) {
  const late = setTimeout(() => session.destroy(), ms);
  for (;;) {
    const frame = session.frames.shift();
    if (frame === packet) break;
    if (session.ended) throw new Error(`closed instead of ${packet}`);
    if (frame === undefined) await new Promise((resolve) => setTimeout(resolve, 20));
  }
  clearTimeout(late);
}
