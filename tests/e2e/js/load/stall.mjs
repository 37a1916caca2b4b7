// A gateway is stopped for a while under stock clients of all transports, and goes on: whoever
// answered in time is still connected, and nothing is lost, doubled or turned around.
//
//   node load/stall.mjs [--clients 201] [--seconds 15] [--shards 2]
//
// Exit code 0: nobody was disconnected, and each heard everything that was said meanwhile.

import { parseArgs } from 'node:util';

import { Client, WAYS, closeClients } from '../lib/client.mjs';
import { Relay } from '../lib/relay.mjs';
import { eventually, pause } from '../lib/wait.mjs';

/** Messages a second, before, while it is stopped, and behind it. */
const RATE = 5;
const TALK_MS = 3000;
const DRAIN_MS = 60_000;
const FAULTS_SHOWN = 10;

const { values } = parseArgs({
  options: {
    clients: { type: 'string', default: '201' },
    seconds: { type: 'string', default: '15' },
    shards: { type: 'string', default: '2' },
  },
});

const relay = await Relay.start({ shards: Number(values.shards) });
const ways = Object.keys(WAYS);
const clients = [];
for (let index = 0; index < Number(values.clients); index++) {
  clients.push(await Client.connect(relay, { way: ways[index % ways.length] }));
}
const [sender] = clients;
let said = 0;
const talk = setInterval(() => sender.emit('relay', { destino: 'nosotros', n: said++ }), 1000 / RATE);
await pause(TALK_MS);
relay.signal('SIGSTOP');
await pause(Number(values.seconds) * 1000);
relay.signal('SIGCONT');
await pause(TALK_MS);
clearInterval(talk);

const numbers = (client) => client.heard.filter(([name]) => name === 'relay').map(([, { n }]) => n);
const isWhole = (client) => client.ended || numbers(client).length >= said;
await eventually('every message', () => clients.every(isWhole), DRAIN_MS).catch(() => {});
const faults = clients.flatMap((client, index) => {
  const heard = numbers(client);
  const isRight = heard.length === said && heard.every((n, place) => n === place);
  if (!client.ended && isRight) return [];
  return [`client ${index} (${ways[index % ways.length]}): ${client.ended ?? 'connected'}, ${heard.length} of ${said}`];
});
const connected = clients.filter((client) => client.socket.connected).length;
console.log(
  `stopped for ${values.seconds} s at ${values.shards} shards: ${connected} of ${clients.length} still` +
    ` connected, ${said} messages to each, ${faults.length} faults`,
);
for (const fault of faults.slice(0, FAULTS_SHOWN)) console.log(fault);
closeClients();
await relay.kill();
process.exitCode = faults.length ? 1 : 0;
