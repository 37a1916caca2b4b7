// Node's own servers, for the suites to be proven against.
//
//   node node-servers.mjs                 starts both, prints their addresses, runs until ended
//   node node-servers.mjs --test [RUNS]   starts both, runs the suites RUNS times, and ends

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { Server as EngineServer } from 'engine.io';
import { Server as SocketServer } from 'socket.io';

import { answerEvents, echoMessages } from './behaviour.mjs';
import { CONNECT_TIMEOUT_MS, PING_INTERVAL_MS, PING_TIMEOUT_MS } from './lib/pace.mjs';

const OPTIONS = {
  pingInterval: PING_INTERVAL_MS,
  pingTimeout: PING_TIMEOUT_MS,
  maxHttpBufferSize: 1_000_000,
  connectTimeout: CONNECT_TIMEOUT_MS,
  cors: { origin: '*' },
};
const SUITES = ['engineio.test.mjs', 'upgrade.test.mjs', 'socketio.test.mjs'];

async function listen(http) {
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  return `http://127.0.0.1:${http.address().port}`;
}

const engineHttp = createServer();
const engine = new EngineServer(OPTIONS);
engine.attach(engineHttp, { path: '/engine.io/' });
echoMessages(engine);

const socketHttp = createServer();
answerEvents(new SocketServer(socketHttp, OPTIONS));

const addresses = {
  ENGINEIO_URL: `${await listen(engineHttp)}/engine.io/`,
  SOCKETIO_URL: `${await listen(socketHttp)}/socket.io/`,
};

const [command, runs = '1'] = process.argv.slice(2);
if (command === '--test') {
  let failed = 0;
  for (let run = 1; run <= Number(runs); run++) {
    // A process of its own, since these servers live in this one.
    const child = spawn(process.execPath, ['--test', '--test-reporter=spec', ...SUITES], {
      cwd: import.meta.dirname,
      env: { ...process.env, ...addresses },
      stdio: 'inherit',
    });
    const [code] = await once(child, 'exit');
    if (code !== 0) failed += 1;
  }
  console.log(`${runs} runs, ${failed} failed`);
  process.exit(failed === 0 ? 0 : 1);
}
for (const [name, url] of Object.entries(addresses)) console.log(`export ${name}=${url}`);
