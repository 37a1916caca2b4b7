// A process of stock clients that can be killed: `node guests.mjs URL WAY COUNT`. It says `here` once
// all are connected, by WebSocket in the end if that is their way, and each poll is under way.

import { clients } from './client.mjs';
import { pause } from './wait.mjs';

const [url, way, count] = process.argv.slice(2);
const guests = await clients({ url }, Number(count), { way });
if (way !== 'polling') await Promise.all(guests.map((guest) => guest.upgraded()));
await pause(1000);
console.log('here');
