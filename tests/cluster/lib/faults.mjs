// What happens while Redis is away, and when it comes back. Knows how it stands with the instances
// and what reached whom; breaks and mends nothing by itself.

import assert from 'node:assert/strict';

import { eventually, pause } from '../../e2e/js/lib/wait.mjs';
import { now } from './traffic.mjs';

const PATIENCE_MS = 60_000;

/** What only concerns the gateways, not servers for Node. */
export const ours = ({ sender, receiver }) => sender.home.kind === 'relay' && receiver.home.kind === 'relay';

/**
 * Breaks Redis for so many milliseconds, under load. `window`: in between, messages from one
 * instance to another may be lost. `back`: milliseconds from its return until each receiver had
 * heard each sender at another instance again, and each of the gateways alone. `memory`: of each
 * instance in MiB, before, while it was away, and after.
 */
export async function outage(fleet, traffic, { break: breaks, lasting, mend }) {
  const memory = [];
  const weigh = () => memory.push(fleet.instances.map((it) => Math.round(it.memory())));
  const gateways = fleet.instances.filter((it) => it.kind === 'relay');
  weigh();
  const from = await traffic.caughtUp();
  await breaks();
  const broken = now();
  await eventually('all degraded', async () => {
    const all = await Promise.all(gateways.map((it) => it.health()));
    return all.every((it) => it.code === 200 && it.status === 'degraded' && it.redis.state === 'down');
  }, PATIENCE_MS);
  await pause(Math.max(0, lasting - (now() - broken)));
  // What was said meanwhile arrived meanwhile.
  await traffic.caughtUp(traffic.local());
  weigh();
  await mend();
  const mended = now();
  const across = traffic.across();
  const [all, gatewaysAlone] = await Promise.all([
    traffic.heardAgain(across, mended),
    traffic.heardAgain(across.filter(ours), mended),
  ]);
  await fleet.joined();
  for (const it of gateways) assert.equal((await it.health()).status, 'ok');
  const to = now();
  await traffic.caughtUp();
  weigh();
  const back = { all: Math.round(all - mended), gateways: Math.round(gatewaysAlone - mended) };
  return { window: { from, to }, back, memory };
}
