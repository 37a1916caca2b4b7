// Many stock clients begin by polling and upgrade while a sender never pauses: nothing may be lost,
// doubled or turned around on the way.
//
//   node load/upgrade.mjs http://127.0.0.1:5000 [--clients 500] [--rate 50] [--arrivals 50]
//
// `--rate` is messages a second, `--arrivals` new clients a second. Exit code 0: every client
// upgraded and received what it was owed.
//
// What is a client owed? Every message that was sent after the server acknowledged its
// `identificar`. Sender and clients live in this one process, so the number of the next message to
// be sent, read when the acknowledgement comes, is where that begins. It may hear earlier ones too,
// as the socket of the namespace that it already was; behind the first that it hears there is no
// gap either.

import { parseArgs } from 'node:util';

import { Client } from '../lib/client.mjs';
import { eventually, pause, within } from '../lib/wait.mjs';

/** How long the sender goes on once all have upgraded. */
const AFTER_MS = 3000;
const CONNECT_MS = 30_000;
const DRAIN_MS = 60_000;
const FAULTS_SHOWN = 10;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    clients: { type: 'string', default: '500' },
    rate: { type: 'string', default: '50' },
    arrivals: { type: 'string', default: '50' },
  },
});
const [url] = positionals;
if (!url) throw new Error('say where the gateway is: http://HOST:PORT');
const relay = { url: new URL(url).origin };
const clientCount = Number(values.clients);

/** Sends numbered messages to everybody. `next` is the number of the next one. */
class Sender {
  next = 0;

  constructor(client) {
    this.client = client;
  }

  /** Catches up after a delay of this process, so that the rate holds in the long run. */
  start(rate) {
    const from = performance.now();
    this.timer = setInterval(() => {
      const due = ((performance.now() - from) / 1000) * rate;
      while (this.next < due) this.client.emit('relay', { destino: 'nosotros', n: this.next++ });
    }, 1000 / rate);
  }

  stop() {
    clearInterval(this.timer);
  }
}

/** A client that polls first, and the numbers that it hears. */
class Receiver {
  numbers = [];

  constructor(index, sender) {
    this.index = index;
    this.client = Client.start(relay, { transports: ['polling', 'websocket'] });
    this.client.socket.on('relay', ({ n }) => this.numbers.push(n));
    this.client.socket.io.once('open', () => (this.begun = this.transport()));
    this.sender = sender;
  }

  async arrive() {
    const { socket } = this.client;
    await within(CONNECT_MS, `connection of client ${this.index}`, (done, fail) => {
      socket.once('connect', done);
      socket.once('connect_error', fail);
    });
    await within(CONNECT_MS, `acknowledgement for client ${this.index}`, (done) => {
      socket.emit('identificar', `cliente ${this.index}`, () => {
        this.owedFrom = this.sender.next;
        done();
      });
    });
  }

  transport() {
    return this.client.socket.io.engine?.transport.name;
  }

  /** Faults in what was heard, in words; `end` is the number of messages sent. */
  faults(end) {
    const { numbers, client } = this;
    const faults = [];
    if (client.ended) faults.push(`ended: ${client.ended}`);
    if (this.begun !== 'polling') faults.push(`began by ${this.begun}`);
    if (this.transport() !== 'websocket') faults.push(`did not upgrade: ${this.transport()}`);
    const turned = numbers.findIndex((n, at) => at > 0 && n <= numbers[at - 1]);
    if (turned > 0) faults.push(`${numbers[turned]} came behind ${numbers[turned - 1]}`);
    const heard = new Set(numbers);
    if (heard.size < numbers.length) faults.push(`${numbers.length - heard.size} heard twice`);
    const first = Math.min(this.owedFrom, numbers[0] ?? this.owedFrom);
    const missing = [];
    for (let n = first; n < end; n++) if (!heard.has(n)) missing.push(n);
    if (missing.length > 0) faults.push(`${missing.length} not heard, the first is ${missing[0]}`);
    return faults.map((fault) => `client ${this.index}: ${fault}`);
  }
}

const emitter = await Client.connect(relay);
const sender = new Sender(emitter);
sender.start(Number(values.rate));

const receivers = [];
const arrivals = [];
for (let index = 0; index < clientCount; index++) {
  const receiver = new Receiver(index, sender);
  receivers.push(receiver);
  const arrival = receiver.arrive();
  // It is awaited below, with the others.
  arrival.catch(() => {});
  arrivals.push(arrival);
  await pause(1000 / Number(values.arrivals));
}
await Promise.all(arrivals);
const upgraded = () => receivers.filter((one) => one.transport() === 'websocket').length;
const given = await eventually('upgrade of all', () => upgraded() === clientCount, CONNECT_MS)
  // Told below, client by client.
  .catch(() => false);
if (given) await pause(AFTER_MS);
sender.stop();

const last = sender.next - 1;
const complete = () => receivers.every(({ numbers }) => numbers.includes(last));
await eventually('last message at every client', complete, DRAIN_MS).catch(() => {});

const faults = receivers.flatMap((receiver) => receiver.faults(sender.next));
for (const fault of faults.slice(0, FAULTS_SHOWN)) console.log(fault);
if (faults.length > FAULTS_SHOWN) console.log(`… and ${faults.length - FAULTS_SHOWN} more`);
const heard = receivers.reduce((sum, { numbers }) => sum + numbers.length, 0);
console.log(
  `${clientCount} clients, ${upgraded()} upgraded; ${sender.next} messages, ` +
    `${heard} deliveries; ${faults.length} faults`,
);
process.exit(faults.length === 0 && heard > 0 ? 0 : 1);
