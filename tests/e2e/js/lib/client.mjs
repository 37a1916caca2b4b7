// Stock Socket.IO clients and what they hear.

import { io } from 'socket.io-client';

import { eventually, within } from './wait.mjs';
import { WAYS, closeAfterwards, closeClients } from './ways.mjs';

export { WAYS, closeClients };

/** A stock client that keeps every event it hears. */
export class Client {
  /** Events in order of arrival: `[name, ...arguments]`. */
  heard = [];
  /** Why the connection ended, once it has. */
  ended;
  #waiting = [];

  constructor(socket) {
    this.socket = socket;
    socket.on('disconnect', (reason) => (this.ended = reason));
    socket.onAny((...event) => {
      this.heard.push(event);
      for (const check of this.#waiting) check();
    });
    closeAfterwards(this);
  }

  /**
   * Connects: on a connection of its own, and unless told otherwise the way that the tests at this
   * gateway are about, else over WebSocket. An upgrade is not waited for.
   */
  static async connect(relay, options) {
    const client = Client.start(relay, options);
    await client.connected();
    return client;
  }

  static start(relay, { namespace = '/relay', way = relay.way ?? 'websocket', ...options } = {}) {
    const defaults = { ...WAYS[way], forceNew: true, reconnection: false };
    return new Client(io(relay.url + namespace, { ...defaults, ...options }));
  }

  async connected() {
    if (this.socket.connected) return;
    await within(5000, 'connect', (done, fail) => {
      this.socket.once('connect', done);
      this.socket.once('connect_error', fail);
    });
  }

  get id() {
    return this.socket.id;
  }

  /** What carries its packets now: `polling` or `websocket`. */
  get transport() {
    return this.socket.io.engine?.transport.name;
  }

  /** Waits until the upgrade is done. */
  upgraded() {
    return eventually('upgrade', () => this.transport === 'websocket');
  }

  emit(...args) {
    this.socket.emit(...args);
  }

  /** Emits and waits for the acknowledgement: its arguments. */
  ask(...args) {
    return within(5000, `an acknowledgement of ${args[0]}`, (done) => {
      this.socket.emit(...args, (...answer) => done(answer));
    });
  }

  /** Waits until an event that `matches` is heard, and returns it. */
  until(matches, what = 'an event') {
    return within(10_000, what, (done) => {
      const check = () => {
        const event = this.heard.find(matches);
        if (event) {
          this.#waiting = this.#waiting.filter((it) => it !== check);
          done(event);
        }
      };
      this.#waiting.push(check);
      check();
    });
  }

  /** Waits for the end of the connection: the reason as the client names it. */
  disconnected() {
    return within(10_000, 'disconnect', (done) => {
      if (this.ended) done(this.ended);
      else this.socket.once('disconnect', done);
    });
  }
}

/** Connects `count` clients. */
export function clients(relay, count, options) {
  return Promise.all(Array.from({ length: count }, () => Client.connect(relay, options)));
}

let markers = 0;

/**
 * What each of `receivers` has heard of `sender`, and nothing that is still on its way.
 *
 * Silence cannot be waited for. But what one sender sends arrives in order, so a last message to
 * everyone tells that all before it has arrived. What is told is taken from the records.
 */
export async function heardOf(sender, ...receivers) {
  const marker = `marker ${++markers}`;
  sender.emit('relay', { destino: 'nosotros', marker });
  const isMarker = (event) => event[1]?.marker === marker;
  await Promise.all(receivers.map((receiver) => receiver.until(isMarker, marker)));
  return receivers.map((receiver) => {
    const before = receiver.heard.splice(0, receiver.heard.findIndex(isMarker) + 1);
    return before.filter((event) => !event[1]?.marker);
  });
}
