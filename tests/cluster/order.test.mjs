// The order of one sender: what a client says at one instance arrives at another one complete, once,
// and in the order in which it was said, however fast.

import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';

import { eventually } from '../e2e/js/lib/wait.mjs';
import { closeClients } from './lib/client.mjs';
import { Fleet } from './lib/fleet.mjs';
import { Traffic } from './lib/traffic.mjs';

const MESSAGES = 10_000;
/** So many are under way at a time: as fast as it goes, without queues that grow. */
const AHEAD = 200;
const NUMBERS = Array.from({ length: MESSAGES }, (_, n) => n);

/** Says the numbers, with no more than `AHEAD` that are not acknowledged. */
async function sayAll({ socket, index }) {
  const answers = [];
  for (const n of NUMBERS) {
    if (n >= AHEAD) await answers[n - AHEAD];
    answers.push(socket.emitWithAck('relay', { destino: 'nosotros', from: index, n }));
  }
  for (const answer of await Promise.all(answers)) assert.equal(answer, true);
}

for (const kinds of [['node', 'relay'], ['relay', 'relay']]) {
  describe(`the order of a sender between ${kinds.join(' and ')}`, () => {
    let fleet;
    before(async () => (fleet = await Fleet.start(kinds)));
    afterEach(closeClients);
    after(() => fleet?.stop());

    for (const way of ['websocket', 'polling']) {
      test(`10,000 numbered messages each way, heard by ${way}`, async () => {
        const traffic = new Traffic();
        for (const instance of fleet.instances) {
          await traffic.sender(instance);
          await traffic.receive(instance, 1, [way], { reconnection: false });
        }
        await Promise.all(traffic.senders.map(sayAll));
        for (const { sender, receiver } of traffic.pairs()) {
          const { numbers } = receiver.from(sender.index);
          await eventually('all of them', () => numbers.length >= MESSAGES, 90_000);
          assert.deepEqual(numbers, NUMBERS, `${sender.name}, ${receiver.name}`);
        }
        assert.deepEqual(traffic.receivers.flatMap((it) => it.outages), []);
        assert.deepEqual(fleet.dead(), []);
      });
    }
  });
}
