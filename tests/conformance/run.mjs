// Runs the suites against the conformance example, with one shard and with several.
//
//   node run.mjs ../../target/release/examples/conformance             once at 1, 2 and 4 shards
//   node run.mjs --runs 30 ../../target/release/examples/conformance   30 times: looks for flakes
//
// --shards 1,2,4 says with how many, `CONFORMANCE_PACE` how fast (see lib/pace.mjs). The first run
// that fails is the last. The last line is the sum; exit code 1 if something failed.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { parseArgs } from 'node:util';

import { Server } from '../differential/lib/servers.mjs';
import { CONNECT_TIMEOUT_MS, PING_INTERVAL_MS, PING_TIMEOUT_MS } from './lib/pace.mjs';

const SUITES = ['engineio.test.mjs', 'upgrade.test.mjs', 'socketio.test.mjs'];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    runs: { type: 'string', default: '1' },
    shards: { type: 'string', default: '1,2,4' },
  },
});
const [command] = positionals;
if (!command) throw new Error('where is the conformance example?');

function start(layer, path, shards) {
  return Server.run(command, (port) =>
    [
      ...[layer, '--listen', `127.0.0.1:${port}`, '--path', path, '--shards', shards],
      ...['--ping-interval-ms', PING_INTERVAL_MS, '--ping-timeout-ms', PING_TIMEOUT_MS],
      ...['--connect-timeout-ms', CONNECT_TIMEOUT_MS, '--max-payload', 1_000_000],
    ].map(String),
  );
}

/** Runs the suites once: `{passed, failed}`. What failed is printed. */
async function runSuites(env) {
  const child = spawn(process.execPath, ['--test', '--test-reporter=tap', ...SUITES], {
    cwd: import.meta.dirname,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let tap = '';
  child.stdout.setEncoding('utf8').on('data', (text) => (tap += text));
  const [code] = await once(child, 'close');
  const number = (word) => Number(new RegExp(`^# ${word} (\\d+)$`, 'm').exec(tap)?.[1] ?? 0);
  const result = { passed: number('pass'), failed: number('fail') + number('cancelled') };
  // A suite that broke before it could count.
  if (code !== 0 && result.failed === 0) result.failed = 1;
  if (result.failed > 0) console.log(tap);
  return result;
}

const sum = { passed: 0, failed: 0 };
for (const shards of values.shards.split(',')) {
  const [engine, socket] = await Promise.all([
    start('--engineio', '/engine.io/', shards),
    start('--socketio', '/socket.io/', shards),
  ]);
  const url = ({ address }, path) => `http://${address.host}:${address.port}${path}`;
  const env = {
    ENGINEIO_URL: url(engine, '/engine.io/'),
    SOCKETIO_URL: url(socket, '/socket.io/'),
  };
  for (let run = 1; run <= Number(values.runs) && sum.failed === 0; run++) {
    const { passed, failed } = await runSuites(env);
    console.log(`${shards} shards, run ${run}: ${passed} passed, ${failed} failed`);
    sum.passed += passed;
    sum.failed += failed;
  }
  for (const server of [engine, socket]) {
    if (!server.running()) {
      console.log(`a server with ${shards} shards died`);
      sum.failed += 1;
    }
    server.stop();
  }
}
console.log(`\n${sum.passed} passed, ${sum.failed} failed`);
process.exitCode = sum.failed === 0 && sum.passed > 0 ? 0 : 1;
