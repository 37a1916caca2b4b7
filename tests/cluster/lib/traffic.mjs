// Numbered messages from senders to everybody, and what became of each of them at each receiver.
// Times are those of this process, on one clock; nothing here fails because something was slow.

import { performance } from 'node:perf_hooks';

import { io } from 'socket.io-client';

import { eventually, within } from '../../e2e/js/lib/wait.mjs';
import { WAYS, closeAfterwards } from '../../e2e/js/lib/ways.mjs';

const PATIENCE_MS = 90_000;
export const now = () => performance.now();

class Participant {
  /** Its times without a connection: `from`, and `to` once it is back. */
  outages = [];

  constructor(name, url, way, options) {
    this.name = name;
    this.way = way;
    this.socket = io(`${url}/relay`, { ...WAYS[way], forceNew: true, timeout: 30_000, ...options });
    this.socket.on('connect', () => {
      this.since ??= now();
      if (this.outages.length > 0) this.outages.at(-1).to = now();
    });
    this.socket.on('disconnect', (reason) => this.outages.push({ from: now(), to: Infinity, reason }));
    closeAfterwards(this);
  }

  close() {
    this.socket.disconnect();
  }

  connected() {
    return within(PATIENCE_MS, `connection of ${this.name}`, (done) => {
      if (this.socket.connected) done();
      else this.socket.once('connect', done);
    });
  }
}

/** Says a number every so often while it is connected, each number once. */
class Sender extends Participant {
  /** By number: when it was said, and whether it has its place at its instance. */
  said = [];
  acknowledged = -1;

  begin(rate) {
    this.timer = setInterval(() => {
      if (!this.socket.connected) return;
      const n = this.said.length;
      const message = { sentAt: now(), acknowledged: false };
      this.said.push(message);
      this.socket.emit('relay', { destino: 'nosotros', from: this.index, n }, () => {
        message.acknowledged = true;
        this.acknowledged = Math.max(this.acknowledged, n);
      });
    }, 1000 / rate);
  }

  /** Whether there is nothing to wait for: what was said before an outage may be gone. */
  isAnswered() {
    const last = this.said.at(-1);
    return !last || last.acknowledged || this.outages.some(({ to }) => to > last.sentAt);
  }

  end() {
    clearInterval(this.timer);
  }

  close() {
    this.end();
    super.close();
  }
}

class Receiver extends Participant {
  /** By sender: numbers in the order in which they came, and when. */
  heard = [];

  constructor(...args) {
    super(...args);
    this.socket.on('relay', ({ from, n }) => {
      const heard = this.from(from);
      heard.numbers.push(n);
      heard.times.push(now());
      heard.highest = Math.max(heard.highest, n);
    });
  }

  from(index) {
    return (this.heard[index] ??= { numbers: [], times: [], highest: -1 });
  }

  /** When it first heard something from a sender that was said after a moment. */
  firstSaidAfter(sender, moment) {
    const { numbers, times } = this.from(sender.index);
    const i = numbers.findIndex((n) => sender.said[n].sentAt > moment);
    return i < 0 ? undefined : times[i];
  }

  /** Whether it has what a sender has said up to a number, or was away since. */
  has(sender, n) {
    if (n < 0 || this.from(sender.index).highest >= n) return true;
    return this.since > sender.said[n].sentAt || this.outages.some((it) => it.to > sender.said[n].sentAt);
  }
}

export class Traffic {
  senders = [];
  receivers = [];

  /** A sender at an instance (`home`), to which it comes back; so many messages a second. */
  async sender(home, rate = 0) {
    // Sooner than stock clients do, so that it says more.
    const options = { reconnectionDelay: 100, reconnectionDelayMax: 500 };
    const sender = new Sender(`sender at ${home.name}`, home.url, 'websocket', options);
    Object.assign(sender, { home, index: this.senders.length });
    await sender.connected();
    this.senders.push(sender);
    if (rate > 0) sender.begin(rate);
  }

  /** Receivers, the ways taken in turn. `home` is an instance, or a proxy that chooses one. */
  async receive(home, count, ways = Object.keys(WAYS), options = {}) {
    for (let i = 0; i < count; i++) {
      const way = ways[i % ways.length];
      const receiver = new Receiver(`receiver ${this.receivers.length} by ${way}`, home.url, way, options);
      receiver.home = home;
      await receiver.connected();
      this.receivers.push(receiver);
    }
  }

  /** Every receiver with every sender that the condition holds for. */
  pairs(condition = () => true) {
    const of = (receiver) => this.senders.map((sender) => ({ sender, receiver }));
    return this.receivers.flatMap(of).filter(condition);
  }

  local() {
    return this.pairs(({ sender, receiver }) => sender.home === receiver.home);
  }

  across() {
    return this.pairs(({ sender, receiver }) => sender.home !== receiver.home);
  }

  /**
   * Waits until what is acknowledged by now is where it belongs. What was said before the moment that
   * this returns is among it.
   */
  async caughtUp(pairs = this.pairs()) {
    const upTo = this.senders.map((it) => it.acknowledged);
    const next = this.senders.map((it) => it.said[it.acknowledged + 1]?.sentAt ?? Infinity);
    const before = Math.min(now(), ...next);
    const behind = pairs.filter(({ sender, receiver }) => !receiver.has(sender, upTo[sender.index]));
    for (const { sender, receiver } of behind) {
      const n = upTo[sender.index];
      await eventually(`number ${n} of ${sender.name} at ${receiver.name}`,
        () => receiver.has(sender, n), PATIENCE_MS);
    }
    return before;
  }

  /** Waits until each of these pairs has heard what was said after a moment; when the last did. */
  async heardAgain(pairs, moment) {
    let last = moment;
    for (const { sender, receiver } of pairs) {
      const at = () => receiver.firstSaidAfter(sender, moment);
      await eventually(`${receiver.name} to hear ${sender.name}`, () => at() !== undefined, PATIENCE_MS);
      last = Math.max(last, at());
    }
    return last;
  }

  /** Everybody is connected. */
  async settled() {
    for (const it of [...this.senders, ...this.receivers]) await it.connected();
  }

  /** No more is said, and what is said has arrived. */
  async end() {
    for (const it of this.senders) it.end();
    await eventually('last acknowledgements', () => this.senders.every((it) => it.isAnswered()), PATIENCE_MS);
    await this.caughtUp();
  }
}
