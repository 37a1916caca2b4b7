// Stock clients that count what becomes of what they say.

import { io } from 'socket.io-client';

import { within } from '../../e2e/js/lib/wait.mjs';
import { WAYS, closeAfterwards, closeClients } from '../../e2e/js/lib/ways.mjs';

export { WAYS, closeClients };

export class Client {
  /** Messages in order of arrival. */
  heard = [];
  /** Why each of its connections ended. */
  ends = [];
  /** Each attempt to connect that failed. */
  errors = [];
  connects = 0;

  constructor(cluster, way, options) {
    this.way = way;
    const defaults = { ...WAYS[way], forceNew: true, reconnectionDelay: 100, timeout: 30_000 };
    this.socket = io(`${cluster.url}/relay`, { ...defaults, ...options });
    this.socket.on('connect', () => (this.connects += 1));
    this.socket.on('connect_error', (error) => this.errors.push(error.message));
    this.socket.on('disconnect', (reason) => this.ends.push(reason));
    this.socket.on('relay', (data) => this.heard.push(data));
    closeAfterwards(this);
  }

  static async connect(cluster, way, options) {
    const client = new Client(cluster, way, options);
    await within(60_000, `connection by ${way}`, (done) => client.socket.once('connect', done));
    return client;
  }

  /** What carries its packets now. */
  get transport() {
    return this.socket.io.engine?.transport.name;
  }

  /** Says something and waits until it has its place. */
  async say(data) {
    const answer = await within(60_000, `acknowledgement of ${JSON.stringify(data)}`, (done) => {
      // With `retries` the client repeats it until it is acknowledged, with an error first.
      this.socket.emit('relay', data, (...answer) => done(answer.at(-1)));
    });
    if (answer !== true) throw new Error(`refused: ${JSON.stringify(answer)}`);
  }
}

/** Connects so many clients, one after the other, the ways taken in turn. */
export async function clients(cluster, count, { ways = Object.keys(WAYS), ...options } = {}) {
  const all = [];
  for (let i = 0; i < count; i++) {
    all.push(await Client.connect(cluster, ways[i % ways.length], options));
  }
  return all;
}
