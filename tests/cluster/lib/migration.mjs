// Instances behind HAProxy that are replaced by those of the other kind, one after the other, while
// messages flow: what docs/migration.md tells an operator to do. Returns figures; the tests judge.

import { performance } from 'node:perf_hooks';

import { total } from './account.mjs';
import { GATEWAYS } from './cluster.mjs';
import { Fleet } from './fleet.mjs';
import { Proxy, checkHealth } from './proxy.mjs';
import { Traffic } from './traffic.mjs';

/** Out of the proxy, ended, started as the other kind; back once it is in touch with the others. */
async function replace(instance, kind, proxy, name, traffic) {
  await proxy.set(name, 'drain');
  // What was said before it was told to end is missing nowhere.
  await traffic.caughtUp();
  const code = await instance.stop();
  if (code !== 0) throw new Error(`${instance.kind} ${name} ended with ${code}: ${instance.output}`);
  await instance.start(kind);
  await instance.fleet.joined();
  await proxy.set(name, 'ready');
  await traffic.settled();
  await traffic.caughtUp();
}

/**
 * Starts so many instances of Node and so many clients at them, through HAProxy, the ways as
 * listed; a sender at each instance, past HAProxy, says `rate` messages a second to all. Replaces all
 * by ours, and back again.
 */
export async function migrate({ instances, clients, rate, ways, options }) {
  const kinds = Array.from({ length: instances }, () => 'node');
  const fleet = await Fleet.start(kinds, { env: { DRAIN_DELAY: '0', DRAIN_WINDOW: '1' } });
  const traffic = new Traffic();
  let proxy;
  try {
    proxy = await Proxy.start(fleet.instances.map((it) => it.port), checkHealth);
    const begun = performance.now();
    for (const instance of fleet.instances) await traffic.sender(instance, rate);
    await traffic.receive(proxy, clients, ways, options);
    for (const kind of ['relay', 'node']) {
      for (const [i, instance] of fleet.instances.entries()) {
        await replace(instance, kind, proxy, GATEWAYS[i], traffic);
      }
    }
    await traffic.end();
    const seconds = Math.round((performance.now() - begun) / 1000);
    return { ...figures(traffic), dead: fleet.dead(), seconds };
  } finally {
    for (const it of [...traffic.senders, ...traffic.receivers]) it.close();
    await proxy?.stop();
    await fleet.stop();
  }
}

function figures(traffic) {
  const { senders, receivers } = traffic;
  const stayed = receivers.filter((it) => it.outages.length === 0);
  const outages = receivers.flatMap((it) => it.outages);
  return {
    receivers: receivers.length,
    stayed: stayed.length,
    outages: outages.length,
    reasons: [...new Set(outages.map((it) => it.reason))],
    longestOutage: Math.round(Math.max(0, ...outages.map((it) => it.to - it.from))),
    unanswered: senders.flatMap((it) => it.said.filter(({ acknowledged }) => !acknowledged)).length,
    ...total(traffic.pairs()),
    excusedOfStayed: total(traffic.pairs(({ receiver }) => stayed.includes(receiver))).excused,
  };
}
