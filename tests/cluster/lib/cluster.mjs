// Starts and ends a cluster with scripts/cluster.sh. Owns its ports and its folder; knows nothing of
// what is said to it.

import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { eventually } from '../../e2e/js/lib/wait.mjs';
import { admin, stateOf } from './haproxy.mjs';

const run = promisify(execFile);
const script = join(import.meta.dirname, '../../../scripts/cluster.sh');

export const GATEWAYS = ['one', 'two', 'three', 'four'];

/** HAProxy, four gateways, Redis, and HAProxy's peer. */
const PORTS = 7;
const PORTS_FROM = 12_000;
const PORTS_TO = 30_000;
const START_ATTEMPTS = 5;

function isFree(port) {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

/** The first of so many ports that nobody listens on. Somebody may take one before it is used. */
export async function freePorts(count) {
  for (;;) {
    const first = PORTS_FROM + Math.floor(Math.random() * (PORTS_TO - PORTS_FROM - count));
    const all = Array.from({ length: count }, (_, i) => isFree(first + i));
    if ((await Promise.all(all)).every(Boolean)) return first;
  }
}

/** What a child process inherits: nothing that configures the gateway. */
function environment(extra) {
  const { PATH, HOME, LANG } = process.env;
  return { PATH, HOME, LANG, ...extra };
}

export class Cluster {
  constructor(port, env) {
    this.port = port;
    this.dir = mkdtempSync(join(tmpdir(), 'relay-cluster-'));
    this.env = env;
  }

  /** Starts all of it; `env` is for the gateways. */
  static async start(env = {}) {
    for (let attempt = 1; ; attempt++) {
      const cluster = new Cluster(await freePorts(PORTS), env);
      try {
        await cluster.script('start');
        return cluster;
      } catch (error) {
        rmSync(cluster.dir, { recursive: true });
        const taken = /in use|cannot bind|already/i.test(error.stderr);
        if (attempt === START_ATTEMPTS || !taken) throw error;
      }
    }
  }

  /** Runs the script; what it wrote. */
  async script(command) {
    const relay = process.env.RELAY_BIN;
    if (!relay) throw new Error('RELAY_BIN must name the relay binary');
    const args = [command, '--port', this.port, '--dir', this.dir, '--relay', relay];
    const options = { env: environment(this.env), timeout: 120_000 };
    return (await run(script, args.map(String), options)).stdout;
  }

  /** Ends all of it; what is written in the logs is the last thing that is known of it. */
  async stop() {
    await this.script('stop');
    rmSync(this.dir, { recursive: true });
  }

  /** Where clients connect. */
  get url() {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Where one gateway is, past HAProxy. */
  urlOf(name) {
    return `http://127.0.0.1:${this.port + 1 + GATEWAYS.indexOf(name)}`;
  }

  pid(name) {
    return Number(readFileSync(join(this.dir, `${name}.pid`), 'utf8').split(' ')[0]);
  }

  log(name) {
    return readFileSync(join(this.dir, `${name}.log`), 'utf8');
  }

  signal(name, signal) {
    process.kill(this.pid(name), signal);
  }

  /** Waits until a process has ended. */
  ended(name) {
    return eventually(`end of ${name}`, () => !isRunning(this.pid(name)), 60_000);
  }

  /** The number of sockets at each gateway; `undefined` where none answers. */
  async connections() {
    const all = GATEWAYS.map(async (name) => {
      try {
        const options = { signal: AbortSignal.timeout(5000) };
        const health = await (await fetch(`${this.urlOf(name)}/health`, options)).json();
        return [name, health.connections];
      } catch {
        return [name, undefined];
      }
    });
    return Object.fromEntries(await Promise.all(all));
  }

  get socket() {
    return join(this.dir, 'admin.sock');
  }

  /** What HAProxy's administration socket answers. */
  admin(command) {
    return admin(this.socket, command);
  }

  /** Whether HAProxy gives new sessions to a gateway. */
  async isUp(name) {
    return (await stateOf(this.socket, name)).running;
  }

  /** The process of HAProxy that serves; `undefined` while it is being replaced. */
  async worker() {
    const info = await this.admin('show info').catch(() => '');
    return /^Pid: (\d+)$/m.exec(info)?.[1];
  }

  /** Whether that process would tell its successor what it knows. */
  async mayBeReloaded() {
    const [, flags] = /flags=(0x[0-9a-f]+)/.exec(await this.admin('show peers'));
    // It has heard all that others know, or that there are none.
    return (Number(flags) & 3) === 3;
  }

  /** Sessions that HAProxy has learned. */
  async learned() {
    const table = await this.admin('show table relay');
    return [...table.matchAll(/key=(\S+) .*server_key=(\S+)/g)].map(([, sid, name]) => ({ sid, name }));
  }
}

/** Whether there is such a process; one that only waits to be asked for is gone. */
export function isRunning(pid) {
  try {
    const state = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /s, '')[0];
    return state !== 'Z';
  } catch {
    return false;
  }
}
