// One TCP connection to a server: bytes out; answers, frames, silence or an end in. Every wait has
// a limit and running into it is an observation, not an error.

import { once } from 'node:events';
import { connect } from 'node:net';

import { parseFrame } from './frames.mjs';
import { methodsOf, parseAnswer } from './http.mjs';

export class Wire {
  #received = Buffer.alloc(0);
  #ended = false;
  #wake = () => {};
  /** Methods of the requests that have no answer yet: that to HEAD has no body. */
  #methods = [];

  constructor(socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (data) => {
      this.#received = Buffer.concat([this.#received, data]);
      this.#wake();
    });
    // A reset is an end too.
    socket.on('error', () => {});
    for (const event of ['end', 'close']) {
      socket.on(event, () => {
        this.#ended = true;
        this.#wake();
      });
    }
  }

  static async open({ host, port }) {
    const socket = connect({ host, port, allowHalfOpen: true });
    await once(socket, 'connect');
    return new Wire(socket);
  }

  get ended() {
    return this.#ended;
  }

  write(bytes) {
    this.#methods.push(...methodsOf(bytes.toString('latin1')));
    this.socket.write(bytes);
  }

  /** The next answer; `'none'` when none came in time, `'ended'` when none can come any more. */
  async answer(ms) {
    const [method] = this.#methods;
    const answer = await this.#until(ms, () => {
      return parseAnswer(this.#received, method, this.#ended);
    });
    if (!answer) return this.#ended ? 'ended' : 'none';
    if (answer.status >= 200 || answer.status === 101) this.#methods.shift();
    this.#received = this.#received.subarray(answer.size);
    return answer;
  }

  /** The next frame as `parseFrame` shows it; `'none'` or `'ended'` as above. */
  async frame(ms) {
    const frame = await this.#until(ms, () => parseFrame(this.#received));
    if (!frame) return this.#ended ? 'ended' : 'none';
    this.#received = this.#received.subarray(frame.size);
    return frame.shown;
  }

  /** `'silent'`, `'ended'`, or what arrived within `ms`. */
  async silence(ms) {
    await this.#until(ms, () => this.#received.length > 0);
    if (this.#received.length > 0) return this.#received.toString('latin1');
    return this.#ended ? 'ended' : 'silent';
  }

  /** Whether the server ends the connection within `ms`: `'ended'` or `'open'`. */
  async end(ms) {
    await this.#until(ms, () => this.#ended);
    return this.#ended ? 'ended' : 'open';
  }

  endOurs() {
    this.socket.end();
  }

  destroy() {
    this.socket.destroy();
  }

  /** What `probe` finds as bytes arrive, or `undefined` when time is up or the end came first. */
  #until(ms, probe) {
    return new Promise((resolve, reject) => {
      const settle = (value) => {
        clearTimeout(timer);
        this.#wake = () => {};
        resolve(value);
      };
      const timer = setTimeout(() => settle(undefined), ms);
      this.#wake = () => {
        try {
          const found = probe();
          if (found || this.#ended) settle(found);
        } catch (error) {
          clearTimeout(timer);
          reject(error);
        }
      };
      this.#wake();
    });
  }
}
