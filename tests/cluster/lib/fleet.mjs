// Instances of both kinds, ours and Node's, on one Redis, each a process that may be ended and
// replaced on its port by one of the other kind. Owns their ports; knows nothing of clients.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { parseMetrics } from '../../e2e/js/lib/metrics.mjs';
import { eventually } from '../../e2e/js/lib/wait.mjs';
import { freePorts } from './cluster.mjs';
import { Redis } from './redis.mjs';

const PATIENCE_MS = 60_000;

const programs = {
  relay: () => {
    if (!process.env.RELAY_BIN) throw new Error('RELAY_BIN must name the relay binary');
    return [process.env.RELAY_BIN];
  },
  node: () => [process.execPath, join(import.meta.dirname, 'node-gateway.mjs')],
};

export class Instance {
  constructor(name, port, fleet) {
    this.name = name;
    this.port = port;
    this.fleet = fleet;
    this.url = `http://127.0.0.1:${port}`;
  }

  /** Starts it; it may not be in touch with the others yet when this returns. */
  async start(kind) {
    this.kind = kind;
    const { PATH, HOME } = process.env;
    const env = {
      PATH, HOME, HOST: '127.0.0.1', PORT: this.port, INSTANCE_ID: this.name,
      REDIS_URL: this.fleet.redis.url, TRUSTED_PROXIES: '127.0.0.1', ...this.fleet.env,
    };
    const [program, ...args] = programs[kind]();
    this.output = '';
    this.child = spawn(program, args, { cwd: this.fleet.dir, env, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      // The last of it, to be shown if it ends.
      stream.on('data', (text) => (this.output = (this.output + text).slice(-4000)));
    }
    await eventually(`${kind} ${this.name}`, async () => {
      if (!this.isRunning()) throw new Error(`${kind} ${this.name} ended: ${this.output}`);
      return (await this.get('/ready'))?.ok;
    }, PATIENCE_MS);
  }

  isRunning() {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  /** Ends it, in peace or by another signal; the exit code. */
  async stop(signal = 'SIGTERM') {
    if (!this.isRunning()) return this.child.exitCode;
    const ended = once(this.child, 'exit');
    this.child.kill(signal);
    const [code] = await ended;
    return code;
  }

  get(path) {
    return fetch(this.url + path, { signal: AbortSignal.timeout(5000) }).catch(() => undefined);
  }

  /** Status and content of `/health`; no status while there is no answer. */
  async health() {
    const response = await this.get('/health');
    return { code: response?.status, ...(await response?.json().catch(() => ({}))) };
  }

  /** Whether it is in touch with the others, as far as it knows. */
  async isUp() {
    return (await this.health()).redis?.state === 'up';
  }

  /** A figure of the gateway's. */
  async metric(name, labels) {
    return parseMetrics(await (await this.get('/metrics')).text()).value(name, labels);
  }

  /** Resident memory in MiB. */
  memory() {
    const status = readFileSync(`/proc/${this.child.pid}/status`, 'utf8');
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)[1]) / 1024;
  }
}

export class Fleet {
  /** Starts Redis, unless told not to, and an instance of each kind that is listed. */
  static async start(kinds, { env = {}, withRedis = true } = {}) {
    const fleet = new Fleet();
    fleet.env = env;
    fleet.dir = mkdtempSync(join(tmpdir(), 'relay-fleet-'));
    const port = await freePorts(kinds.length + 1);
    fleet.redis = new Redis(port, fleet.dir);
    fleet.instances = kinds.map((_, i) => new Instance(`${i + 1}`, port + 1 + i, fleet));
    try {
      if (withRedis) await fleet.redis.start();
      await Promise.all(fleet.instances.map((it, i) => it.start(kinds[i])));
      if (withRedis) await fleet.joined();
      return fleet;
    } catch (error) {
      await fleet.stop();
      throw error;
    }
  }

  /** Waits until all of them know that they are in touch, and Redis has their subscriptions. */
  async joined() {
    for (const it of this.instances) await eventually(`${it.name} up`, () => it.isUp(), PATIENCE_MS);
    const all = async () => (await this.redis.subscribers().catch(() => 0)) === this.instances.length;
    await eventually('all subscriptions', all, PATIENCE_MS);
  }

  /** Those that ended though nobody told them to. */
  dead() {
    return this.instances.filter((it) => !it.isRunning()).map((it) => `${it.kind} ${it.name}: ${it.output}`);
  }

  async stop() {
    this.redis.child?.kill('SIGCONT');
    await Promise.all(this.instances.map((it) => it.child && it.stop('SIGKILL')));
    await this.redis.stop();
    rmSync(this.dir, { recursive: true, force: true });
  }
}
