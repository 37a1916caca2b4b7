// Sessions over polling and over WebSocket with one face, so that a behaviour is told once for
// both: packets out with `send`, packets in with `next`, the end with `closed`. A text packet is a
// string with its type, a binary message a Buffer.

import { WebSocket } from 'ws';

import { within } from '../../e2e/js/lib/wait.mjs';
import { SEPARATOR, address, get, handshake, post } from './http.mjs';
import { WAIT_MS } from './pace.mjs';

const open = new Set();

/** Ends the sessions of the test that has just finished. */
export function closeSessions() {
  for (const session of open) session.destroy();
  open.clear();
}

class Session {
  /** Packets that were not taken yet. */
  packets = [];
  /** Something once it is over. */
  ended;
  #waiting = new Set();

  constructor({ answerPings = true } = {}) {
    this.answerPings = answerPings;
    open.add(this);
  }

  /** Takes the next packet. */
  async next(what = 'packet') {
    await this.#when(what, () => this.packets.length > 0);
    return this.packets.shift();
  }

  async take(count) {
    await this.#when(`${count} packets`, () => this.packets.length >= count);
    return this.packets.splice(0, count);
  }

  /** Waits for the end. Packets before it stay. */
  async closed() {
    await within(WAIT_MS, 'end of the session', (done) => this.#onceTrue(() => this.ended, done));
    return this.ended;
  }

  heard(packet) {
    if (packet === '2' && this.answerPings) this.send('3');
    else this.packets.push(packet);
    this.#check();
  }

  over(how) {
    this.ended ??= how;
    this.#check();
  }

  #when(what, isTrue) {
    return within(WAIT_MS, what, (done, fail) => {
      this.#onceTrue(
        () => isTrue() || this.ended,
        () => (isTrue() ? done() : fail(new Error(`the session ended instead of ${what}`))),
      );
    });
  }

  #onceTrue(isTrue, then) {
    const check = () => {
      if (!isTrue()) return;
      this.#waiting.delete(check);
      then();
    };
    this.#waiting.add(check);
    check();
  }

  #check() {
    for (const check of this.#waiting) check();
  }
}

/** A session over WebSocket, or the WebSocket of an upgrade. */
export class WebSocketSession extends Session {
  constructor(base, query, options) {
    super(options);
    const url = address(base, { transport: 'websocket', ...query });
    url.protocol = 'ws:';
    this.ws = new WebSocket(url);
    this.ws.on('message', (data, isBinary) => this.heard(isBinary ? data : data.toString('utf8')));
    this.ws.on('close', (code, reason) => this.over({ code, reason: reason.toString() }));
    // What matters of an error is the close that follows.
    this.ws.on('error', () => {});
  }

  /** Opens a session and takes its handshake. */
  static async open(base, options) {
    const session = new WebSocketSession(base, {}, options);
    session.handshake = JSON.parse((await session.next('handshake')).slice(1));
    return session;
  }

  /** Opens the WebSocket of an upgrade. */
  static async probe(base, sid, options) {
    const session = new WebSocketSession(base, { sid }, options);
    await within(WAIT_MS, 'WebSocket', (done, fail) => {
      session.ws.once('open', done);
      session.ws.once('error', fail);
    });
    return session;
  }

  send(...packets) {
    for (const packet of packets) this.ws.send(packet);
  }

  /** Ends it as a client does. */
  close() {
    this.ws.close();
  }

  /** Ends it without a word. */
  destroy() {
    this.ws.terminate();
  }
}

/** A session over polling that polls all the time. */
export class PollingSession extends Session {
  #abort = new AbortController();
  #unsent = [];
  #posting;

  static async open(base, options) {
    const session = new PollingSession(options);
    session.base = base;
    session.handshake = await handshake(base);
    session.polling = session.#poll();
    return session;
  }

  /** What comes while a POST is on its way goes with the next one: two would end the session. */
  send(...packets) {
    for (const packet of packets) {
      const text = typeof packet === 'string' ? packet : `b${packet.toString('base64')}`;
      this.#unsent.push(text);
    }
    this.#posting ??= this.#post();
  }

  /** Polls no more, as a client that upgrades does: ends when the last GET has ended. */
  async pause() {
    this.paused = true;
    await this.polling;
    await this.#posting;
  }

  close() {
    this.send('1');
  }

  destroy() {
    this.#abort.abort();
  }

  async #post() {
    try {
      while (this.#unsent.length > 0 && !this.ended) {
        await post(this.base, this.handshake.sid, ...this.#unsent.splice(0));
      }
    } catch (error) {
      this.over({ error });
    } finally {
      this.#posting = undefined;
    }
  }

  async #poll() {
    try {
      while (!this.ended && !this.paused) {
        const { status, text } = await get(this.base, this.handshake.sid, {
          signal: this.#abort.signal,
        });
        if (status !== 200) return this.over({ status, text });
        for (const packet of text.split(SEPARATOR)) this.#packet(packet);
      }
    } catch (error) {
      this.over({ error });
    }
  }

  #packet(packet) {
    if (packet === '6') return;
    if (packet === '1') this.over({ packet });
    else this.heard(packet[0] === 'b' ? Buffer.from(packet.slice(1), 'base64') : packet);
  }
}

/** Both ways to have a session: name and class. */
export const TRANSPORTS = [
  ['polling', PollingSession],
  ['websocket', WebSocketSession],
];
