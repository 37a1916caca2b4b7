// What takes too long for every change, and is looked at rather than judged: `scripts/soak.sh` runs it.
//
//   node soak.mjs migration [CLIENTS]   four instances of Node replaced by ours and back, under load
//   node soak.mjs outages [SECONDS]     Redis killed three times for so long, under load

import assert from 'node:assert/strict';

import { closeClients } from './lib/client.mjs';
import { total } from './lib/account.mjs';
import { outage } from './lib/faults.mjs';
import { Fleet } from './lib/fleet.mjs';
import { migrate } from './lib/migration.mjs';
import { Traffic } from './lib/traffic.mjs';

const [what, size] = process.argv.slice(2);

async function migration(clients = 400) {
  // As many by polling as the one process of all these clients can serve.
  const ways = ['websocket', 'upgrade', 'websocket', 'upgrade', 'polling'];
  const seen = await migrate({ instances: 4, clients, rate: 5, ways });
  console.log(JSON.stringify(seen, null, 2));
  assert.deepEqual([seen.dead, seen.faults, seen.excusedOfStayed], [[], [], 0]);
}

async function outages(seconds = 20) {
  const fleet = await Fleet.start(['relay', 'relay', 'relay', 'node']);
  const traffic = new Traffic();
  try {
    for (const instance of fleet.instances) {
      await traffic.sender(instance, 40);
      await traffic.receive(instance, 9);
    }
    const windows = [];
    for (let i = 0; i < 3; i++) {
      const seen = await outage(fleet, traffic, {
        break: () => fleet.redis.kill(), lasting: seconds * 1000, mend: () => fleet.redis.start(),
      });
      windows.push(seen.window);
      console.log(JSON.stringify({ back: seen.back, memory: seen.memory }));
    }
    await traffic.end();
    const [local, across] = [total(traffic.local()), total(traffic.across(), windows)];
    console.log(JSON.stringify({ local, across, dead: fleet.dead() }, null, 2));
    assert.deepEqual([local.faults, across.faults, fleet.dead()], [[], [], []]);
    assert.equal(local.excused, 0);
  } finally {
    for (const it of [...traffic.senders, ...traffic.receivers]) it.close();
    closeClients();
    await fleet.stop();
  }
}

const runs = { migration, outages };
if (!Object.hasOwn(runs, what)) throw new Error(`one of ${Object.keys(runs).join(', ')}`);
await runs[what](size && Number(size));
