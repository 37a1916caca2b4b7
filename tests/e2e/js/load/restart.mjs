// A gateway is killed, or told to end, and started again under many stock clients that talk.
//
//   RELAY_BIN=target/release/relay node load/restart.mjs kill|drain
//       [--clients 2000] [--rate 5] [--arrivals 200] [--shards N]
//
// `--rate` is messages a second to everybody, from ten of the clients in turn. The clients connect in
// every way of theirs (WebSocket, polling, polling with upgrade) and come back by themselves, with
// the library's own delays. Exit code 0: all of them did, and nothing was lost that was owed.
//
// What is a client owed? Every message that was sent after its `identificar` was acknowledged and
// that the gateway acknowledged, at least `MARGIN_MS` before the client's connection ended: this one
// process hears of two events on two connections in any order. Of what a client hears of one sender in
// one life nothing that was acknowledged may be missing in between, however late it was.
//
// When the gateway drains, no handshake may be refused before `/ready` has said so.

import { parseArgs } from 'node:util';

import { Client, WAYS } from '../lib/client.mjs';
import { Relay, freePort } from '../lib/relay.mjs';
import { eventually, pause } from '../lib/wait.mjs';

const SENDERS = 10;
const MARGIN_MS = 1000;
const TALK_MS = 10_000;
const COME_MS = 120_000;
const ASK_EVERY_MS = 100;
const FAULTS_SHOWN = 10;
const DRAIN = { DRAIN_DELAY: '2s', DRAIN_WINDOW: '10s', DRAIN_DEADLINE: '20s' };

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    clients: { type: 'string', default: '2000' },
    rate: { type: 'string', default: '5' },
    arrivals: { type: 'string', default: '200' },
    shards: { type: 'string' },
  },
});
const [manner] = positionals;
const signal = { kill: 'SIGKILL', drain: 'SIGTERM' }[manner];
if (!signal) throw new Error('say how the gateway ends: kill or drain');
const clientCount = Number(values.clients);
const now = () => performance.now();

/** A stock client, what it sent and heard, and when it was there. */
class Guest {
  /** From the acknowledgement of `identificar` to the end of the connection; `heard` by sender. */
  lives = [];
  /** Its own messages by number: when they were sent and acknowledged. */
  sent = [];

  constructor(index, relay) {
    this.index = index;
    this.way = Object.keys(WAYS)[index % Object.keys(WAYS).length];
    const { socket } = Client.start(relay, { way: this.way, reconnection: true });
    this.socket = socket;
    socket.on('connect', () => {
      const life = { heard: new Map() };
      this.lives.push(life);
      socket.emit('identificar', `cliente ${index}`, () => (life.from = now()));
    });
    socket.on('disconnect', (reason) => {
      this.life.to = now();
      this.life.reason = reason;
    });
    socket.on('relay', ({ from, n }) => {
      const { heard } = this.life;
      if (!heard.has(from)) heard.set(from, []);
      heard.get(from).push(n);
    });
  }

  get life() {
    return this.lives.at(-1);
  }

  present() {
    return this.life?.from !== undefined && this.life.to === undefined;
  }

  send() {
    if (!this.present()) return;
    const message = { at: now() };
    const n = this.sent.push(message) - 1;
    this.socket.emit('relay', { destino: 'nosotros', from: this.index, n }, () => {
      message.acknowledged = now();
    });
  }

  /** What is wrong with what it heard, in words. */
  faults(senders, lives) {
    const faults = [];
    if (this.lives.length !== lives) faults.push(`${this.lives.length} lives`);
    for (const life of this.lives) {
      for (const sender of senders) faults.push(...heardOf(sender, life));
    }
    return faults.map((fault) => `client ${this.index} (${this.way}): ${fault}`);
  }
}

function* heardOf(sender, { from, to = Infinity, heard }) {
  const numbers = heard.get(sender.index) ?? [];
  const turned = numbers.findIndex((n, at) => at > 0 && n <= numbers[at - 1]);
  if (turned > 0) yield `of ${sender.index}: ${numbers[turned]} behind ${numbers[turned - 1]}`;
  const all = new Set(numbers);
  const between = ([n]) => n > numbers[0] && n < numbers.at(-1);
  const owed = ([, { at, acknowledged }]) => at > from && acknowledged < to - MARGIN_MS;
  const missing = [...sender.sent.entries()].filter(
    (entry) => entry[1].acknowledged && (between(entry) || owed(entry)) && !all.has(entry[0]),
  );
  if (missing.length > 0) {
    yield `of ${sender.index}: ${missing.length} not heard, the first is ${missing[0][0]}`;
  }
}

/** Asks `/ready`, then for a session, again and again. */
class Doorman {
  refused = 0;
  early = 0;

  constructor(relay) {
    this.relay = relay;
    this.done = this.#watch();
  }

  async #watch() {
    while (!this.over) {
      await this.#ask().catch(() => {});
      await pause(ASK_EVERY_MS);
    }
  }

  async #ask() {
    if ((await this.relay.get('/ready')).status === 503) this.told = true;
    const address = '/socket.io/?EIO=4&transport=polling';
    const { status, body } = await this.relay.get(address);
    if (status >= 500) {
      this.refused++;
      if (!this.told) this.early++;
      return;
    }
    const { sid } = JSON.parse(body.slice(1));
    await fetch(`${this.relay.url}${address}&sid=${sid}`, { method: 'POST', body: '1' });
  }

  end() {
    this.over = true;
    return this.done;
  }
}

function spread(times) {
  const sorted = times.toSorted((a, b) => a - b);
  const at = (share) => (sorted[Math.floor(share * (sorted.length - 1))] / 1000).toFixed(2);
  return `first ${at(0)} s, half ${at(0.5)} s, 99 % ${at(0.99)} s, last ${at(1)} s`;
}

const port = await freePort();
const start = () => Relay.start({ port, shards: values.shards, env: DRAIN });
let relay = await start();

const guests = [];
for (let index = 0; index < clientCount; index++) {
  guests.push(new Guest(index, relay));
  await pause(1000 / Number(values.arrivals));
}
const allPresent = () => guests.every((guest) => guest.present());
await eventually('client everywhere', allPresent, COME_MS);

const senders = guests.slice(0, SENDERS);
let turn = 0;
const talk = setInterval(() => senders[turn++ % SENDERS].send(), 1000 / Number(values.rate));
await pause(TALK_MS);

const doorman = new Doorman(relay);
await pause(1000);
const told = now();
relay.signal(signal);
const { code } = await relay.exited;
const gone = now();
await doorman.end();
relay = await start();
const ready = now();
await eventually('return of all', allPresent, COME_MS).catch((error) => console.log(error.message));
const back = guests.filter((guest) => guest.present()).map((guest) => guest.life.from);
await pause(TALK_MS);
clearInterval(talk);
await pause(2000);

const faults = guests.flatMap((guest) => guest.faults(senders, 2));
if (manner === 'drain' && code !== 0) faults.push(`exit code ${code}`);
if (manner === 'drain' && doorman.early > 0) faults.push(`${doorman.early} refused before told`);
for (const fault of faults.slice(0, FAULTS_SHOWN)) console.log(fault);
if (faults.length > FAULTS_SHOWN) console.log(`… and ${faults.length - FAULTS_SHOWN} more`);

const messages = senders.reduce((sum, { sent }) => sum + sent.length, 0);
const heard = guests
  .flatMap(({ lives }) => lives.flatMap((life) => [...life.heard.values()]))
  .reduce((sum, { length }) => sum + length, 0);
const reasons = {};
for (const { lives } of guests) reasons[lives[0].reason] = (reasons[lives[0].reason] ?? 0) + 1;
console.log(`ended ${((gone - told) / 1000).toFixed(2)} s after ${signal}, answered ` +
  `${Math.round(ready - gone)} ms after that; connections ended by ${JSON.stringify(reasons)}`);
console.log(`back after the new one answered: ${spread(back.map((at) => at - ready))}`);
console.log(`handshakes refused while draining: ${doorman.refused}, early ${doorman.early}`);
console.log(`${clientCount} clients, ${back.length} back; ${messages} messages, ${heard} deliveries; ` +
  `${faults.length} faults`);
for (const { socket } of guests) socket.disconnect();
await relay.stop();
process.exit(faults.length === 0 && back.length === clientCount && heard > 0 ? 0 : 1);
