// Runs every case against Node's server and against another one, and tells where they differ.
//
//   node run.mjs --self                                  Node against Node: proves the harness
//   node run.mjs --ours http://127.0.0.1:5000            one server, for the mode `plain`
//   node run.mjs --ours-star http://127.0.0.1:5001       … and for others (see modes.mjs)
//   node run.mjs --spawn ../../target/release/examples/conformance --shards 2
//
// --only REGEXP limits the cases, --show prints what both servers said, --jobs N runs N cases at a
// time. --retry gives a case that differs a second chance, for machines so slow that what was sent
// first may arrive second; how many needed it is told. Exit code 1: unexpected differences, accepted
// ones that are gone, or a server that died.

import { parseArgs } from 'node:util';

import { ACCEPTED } from './accepted.mjs';
import { CASES } from './cases.mjs';
import { Accepted, differences } from './lib/compare.mjs';
import { printResults, printShown } from './lib/report.mjs';
import { runScript } from './lib/script.mjs';
import { Server } from './lib/servers.mjs';
import { MODES } from './modes.mjs';

const JOBS = 4;

const text = { type: 'string' };
const { values } = parseArgs({
  options: {
    self: { type: 'boolean', default: false },
    node: { ...text, default: 'auto' },
    ours: text,
    spawn: text,
    shards: { ...text, default: '2' },
    only: text,
    jobs: { ...text, default: String(JOBS) },
    show: { type: 'boolean', default: false },
    retry: { type: 'boolean', default: false },
    ...Object.fromEntries(Object.keys(MODES).map((mode) => [`ours-${mode}`, text])),
  },
});

/** Starts or finds our server for `mode`; nothing if nobody told where it is. */
function startOurs(mode) {
  if (values.self) return Server.node(mode);
  const url = values[`ours-${mode}`] ?? (mode === 'plain' ? values.ours : undefined);
  if (url) return Server.at(url);
  return values.spawn && Server.command(values.spawn, mode, values.shards);
}

/** Runs the cases of one mode. */
async function runMode(mode, cases) {
  const ours = await startOurs(mode);
  if (!ours) return cases.map((one) => ({ ...one, skipped: true }));
  let node;
  try {
    node =
      mode === 'plain' && values.node !== 'auto' ? Server.at(values.node) : await Server.node(mode);
    const results = [];
    const waiting = [...cases];
    const work = async () => {
      for (let one = waiting.shift(); one; one = waiting.shift()) {
        results.push(await runChosen(one, node, ours));
      }
    };
    await Promise.all(Array.from({ length: Number(values.jobs) }, work));
    return results;
  } finally {
    node?.stop();
    ours.stop();
  }
}

async function runChosen(one, node, ours) {
  const result = await runCase(one, node, ours);
  if (!values.retry || isAsExpected(one, result)) return result;
  return { ...(await runCase(one, node, ours)), retried: true };
}

/** A difference that is accepted has to occur: where it depends on what came first, it may not. */
function isAsExpected(one, result) {
  const isStale = accepted.stale(false).some(({ name }) => name === one.name);
  return result.unexpected.length === 0 && !result.broken && !isStale;
}

async function runCase(one, node, ours) {
  const run = (server) => runScript(one.steps, server.address);
  try {
    const [fromNode, fromOurs] = await Promise.all([run(node), run(ours)]);
    if (values.show) printShown(one.name, fromNode, fromOurs);
    const found = differences(fromNode, fromOurs, one.only);
    return { ...one, ...accepted.judge(one.name, found) };
  } catch (error) {
    const died = [!node.running() && 'Node died', !ours.running() && 'ours died'].filter(Boolean);
    return { ...one, accepted: [], unexpected: [], broken: [...died, error.message].join(': ') };
  }
}

const accepted = new Accepted(values.self ? [] : ACCEPTED);
const unknown = accepted.unknown(new Set(CASES.map(({ name }) => name)));
if (unknown.length > 0)
  throw new Error(`accepted for cases that do not exist: ${unknown.join(', ')}`);

const pattern = new RegExp(values.only ?? '');
const chosen = CASES.filter(({ name, group }) => pattern.test(`${group}: ${name}`));

const results = [];
for (const mode of Object.keys(MODES)) {
  const cases = chosen.filter((one) => one.mode === mode);
  if (cases.length > 0) results.push(...(await runMode(mode, cases)));
}
const isWhole = results.length === CASES.length && !results.some(({ skipped }) => skipped);
process.exitCode = printResults(results, accepted, isWhole) ? 0 : 1;
