// HAProxy with the configuration of deploy/haproxy, in front of whatever listens on some ports. Owns
// its process; knows nothing of what is behind it.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { eventually } from '../../e2e/js/lib/wait.mjs';
import { freePorts } from './cluster.mjs';
import { admin, stateOf } from './haproxy.mjs';

const configuration = join(import.meta.dirname, '../../../deploy/haproxy/haproxy.cfg');

/** As the configuration says it is to be changed for servers of Node, which have no `/ready`. */
export const checkHealth = (text) => text.replace('meth GET uri /ready', 'meth GET uri /health');

export class Proxy {
  /** Starts it in front of up to four ports, with the configuration as `change` makes it. */
  static async start(upstreams, change = (text) => text) {
    const proxy = new Proxy();
    proxy.dir = mkdtempSync(join(tmpdir(), 'relay-proxy-'));
    proxy.socket = join(proxy.dir, 'admin.sock');
    const env = { PATH: process.env.PATH, ADMIN_SOCKET: `unix@${proxy.socket}` };
    for (const [i, port] of upstreams.entries()) env[`UPSTREAM_${i + 1}`] = `127.0.0.1:${port}`;
    const port = await freePorts(2);
    env.FRONT_BIND = `127.0.0.1:${port}`;
    env.PEER_BIND = `127.0.0.1:${port + 1}`;
    const file = join(proxy.dir, 'haproxy.cfg');
    writeFileSync(file, change(readFileSync(configuration, 'utf8')));
    proxy.child = spawn('haproxy', ['-W', '-f', file], { env, stdio: 'ignore' });
    proxy.url = `http://127.0.0.1:${port}`;
    const answers = () => fetch(`${proxy.url}/health`).then((it) => it.ok, () => false);
    await eventually('HAProxy', answers, 60_000);
    return proxy;
  }

  /** Has a server get no new sessions, or its share again: `drain` or `ready`. */
  async set(name, state) {
    const refused = (await admin(this.socket, `set server relay/${name} state ${state}`)).trim();
    if (refused) throw new Error(refused);
    if (state === 'ready') await eventually(`HAProxy to see ${name}`, () => this.serves(name), 60_000);
  }

  /** Whether new sessions go to a server, if only a few at first. */
  async serves(name) {
    const { stopped, wanted } = await stateOf(this.socket, name);
    return wanted && !stopped;
  }

  async stop() {
    this.child.kill('SIGTERM');
    if (this.child.exitCode === null) await once(this.child, 'close');
    rmSync(this.dir, { recursive: true });
  }
}
