// Many clients upgrade while messages flow to all: the program in `upgrade`, with fewer clients than
// by hand.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { cleanEnvironment, onEveryShardCount } from '../lib/relay.mjs';

const LOAD = fileURLToPath(new URL('../load/upgrade.mjs', import.meta.url));
const CLIENTS = 100;

onEveryShardCount('upgrade under load', (relay) => {
  test(`${CLIENTS} clients upgrade and miss nothing`, { timeout: 120_000 }, async () => {
    const load = spawn(process.execPath, [LOAD, relay().url, '--clients', `${CLIENTS}`], {
      env: cleanEnvironment(),
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let said = '';
    load.stdout.setEncoding('utf8').on('data', (text) => (said += text));
    const [code] = await once(load, 'close');
    assert.equal(code, 0, said);
    assert.match(said, new RegExp(`${CLIENTS} clients, ${CLIENTS} upgraded; .* 0 faults`));
  });
});
