// Starts and ends the gateway under test. Owns the process and its port; knows nothing of what is
// said to it.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { after, afterEach, before, describe } from 'node:test';

import { WAYS, closeClients } from './client.mjs';
import { closeSessions } from './raw.mjs';
import { pause } from './wait.mjs';

/** Every behaviour must be the same however many threads serve the connections. */
export const SHARD_COUNTS = [1, 2, 4];

const PORTS_FROM = 12_000;
const PORTS = 18_000;
const START_ATTEMPTS = 5;
const START_TIMEOUT_MS = 20_000;
const STOP_TIMEOUT_MS = 15_000;
/** For gateways whose end is not what is tested: it waits for no client that will not come again. */
export const BRIEF_END = { DRAIN_WINDOW: '0', DRAIN_DEADLINE: '5' };

/** The binary under test. */
export function binary() {
  const path = process.env.RELAY_BIN;
  if (!path) throw new Error('RELAY_BIN must name the relay binary');
  return path;
}

/**
 * A port that nobody listens on, below those that the kernel gives to outgoing connections: with
 * many clients about, one of theirs may hold any of these. Somebody may take it before it is used:
 * try again then.
 */
export async function freePort() {
  for (;;) {
    const port = PORTS_FROM + Math.floor(Math.random() * PORTS);
    const server = createServer().listen(port);
    const free = await new Promise((resolve) => {
      server.once('listening', () => resolve(true)).once('error', () => resolve(false));
    });
    if (!free) continue;
    server.close();
    await once(server, 'close');
    return port;
  }
}

/** What a child process inherits: nothing that configures the gateway. */
export function cleanEnvironment(extra = {}) {
  const { PATH, HOME, LANG, LLVM_PROFILE_FILE } = process.env;
  const kept = { PATH, HOME, LANG, LLVM_PROFILE_FILE };
  const known = Object.entries(kept).filter(([, value]) => value !== undefined);
  return { ...Object.fromEntries(known), ...extra };
}

export class Relay {
  /** How clients connect unless told otherwise, one of `WAYS`; over WebSocket without it. */
  way;
  /** Everything the process wrote, standard output and standard error. */
  stdout = '';
  stderr = '';

  constructor(child, port) {
    this.child = child;
    this.port = port;
    this.exited = new Promise((resolve) => {
      child.once('close', (code, signal) => resolve({ code, signal }));
    });
    child.stdout?.setEncoding('utf8').on('data', (text) => (this.stdout += text));
    child.stderr?.setEncoding('utf8').on('data', (text) => (this.stderr += text));
  }

  /** Starts the gateway and waits until it answers. */
  static async start({ shards, env = {}, port, wrapper = [], cwd } = {}) {
    for (let attempt = 1; ; attempt++) {
      const relay = Relay.launch({ shards, env, port: port ?? (await freePort()), wrapper, cwd });
      if (await relay.answers()) return relay;
      await relay.kill();
      if (attempt === START_ATTEMPTS || port !== undefined || !/in use/i.test(relay.output())) {
        throw new Error(`the gateway did not start:\n${relay.output()}`);
      }
    }
  }

  /** Starts the gateway without waiting; it may refuse to run. */
  static launch({ shards, env = {}, port, wrapper = [], cwd, stdio, bin } = {}) {
    const [command, ...args] = [...wrapper, bin ?? binary()];
    const settings = { PORT: String(port), RELAY_SHARDS: shards && String(shards), ...env };
    for (const name of Object.keys(settings)) {
      if (settings[name] === undefined) delete settings[name];
    }
    const child = spawn(command, args, {
      env: cleanEnvironment(settings),
      cwd,
      stdio: stdio ?? ['ignore', 'pipe', 'pipe'],
    });
    return new Relay(child, port);
  }

  get url() {
    return `http://127.0.0.1:${this.port}`;
  }

  get pid() {
    return this.child.pid;
  }

  output() {
    return this.stdout + this.stderr;
  }

  running() {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  /** Whether `/health` answers before the process ends or time is up. */
  async answers() {
    const until = Date.now() + START_TIMEOUT_MS;
    while (this.running() && Date.now() < until) {
      try {
        const response = await fetch(`${this.url}/health`, { signal: AbortSignal.timeout(1000) });
        await response.arrayBuffer();
        if (response.ok && this.running()) return true;
      } catch {
        // Not listening yet.
      }
      await pause(20);
    }
    return false;
  }

  async get(path) {
    const response = await fetch(this.url + path, { signal: AbortSignal.timeout(5000) });
    return { status: response.status, headers: response.headers, body: await response.text() };
  }

  signal(name) {
    process.kill(this.pid, name);
  }

  /** Ends the process as an operator would, and by force if it does not obey. */
  async stop() {
    if (!this.running()) return this.exited;
    this.signal('SIGTERM');
    const timer = setTimeout(() => this.child.kill('SIGKILL'), STOP_TIMEOUT_MS);
    const exit = await this.exited;
    clearTimeout(timer);
    return exit;
  }

  async kill() {
    this.child.kill('SIGKILL');
    return this.exited;
  }
}

const kept = new Set();

/** Has a gateway ended by `endKept`, however its test goes. */
export function keep(relay) {
  kept.add(relay);
  return relay;
}

/** Ends the gateways of the test that has just finished. */
export async function endKept() {
  for (const relay of kept) {
    if (relay.running()) relay.signal('SIGCONT');
    await relay.stop();
  }
  kept.clear();
}

/**
 * Declares the tests of `body` once for each number of shards, each time against a gateway of
 * their own. `body` gets a function that returns it: it runs only once the tests do.
 */
export function onEveryShardCount(name, body, { counts = SHARD_COUNTS, ...options } = {}) {
  for (const shards of counts) declare(name, body, { shards }, options);
}

/**
 * As `onEveryShardCount`, and for each way in which stock clients connect: `Client.connect` goes
 * that way at the gateway that `body` gets.
 */
export function onEveryWay(name, body, { counts = SHARD_COUNTS, ...options } = {}) {
  for (const shards of counts) {
    for (const way of Object.keys(WAYS)) declare(name, body, { shards, way }, options);
  }
}

function declare(name, body, { shards, way }, options) {
  const told = way ? `RELAY_SHARDS=${shards}, ${way}` : `RELAY_SHARDS=${shards}`;
  describe(`${name} (${told})`, options, () => {
    let relay;
    before(async () => {
      relay = await Relay.start({ shards, env: BRIEF_END });
      relay.way = way;
    });
    after(async () => {
      const running = relay?.running();
      const exit = await relay?.stop();
      const told = `${JSON.stringify(exit)}\n${relay?.output()}`;
      if (!running) throw new Error(`the gateway died: ${told}`);
      if (exit.code !== 0) throw new Error(`the gateway did not end: ${told}`);
    });
    afterEach(() => {
      closeClients();
      closeSessions();
    });
    body(() => relay, shards);
  });
}
