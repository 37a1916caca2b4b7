// Starts and ends the servers that are compared: processes of their own, on free ports.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { exampleArguments } from '../modes.mjs';

const NODE_SERVER = fileURLToPath(new URL('../node.mjs', import.meta.url));
const START_MS = 20_000;
const HOST = '127.0.0.1';

/** A server: where it is and how to end it. */
export class Server {
  constructor(address, child) {
    this.address = address;
    this.child = child;
  }

  /** One that somebody else started. */
  static at(url) {
    const { hostname, port } = new URL(url);
    return new Server({ host: hostname, port: Number(port || 80) });
  }

  static async node(mode) {
    const child = spawn(process.execPath, [NODE_SERVER, mode], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const signal = AbortSignal.timeout(START_MS);
    const [line] = await once(child.stdout, 'data', { signal });
    return new Server({ host: HOST, port: Number(line) }, child);
  }

  /** Runs the conformance example in a mode. */
  static command(command, mode, shards) {
    return Server.run(command, (port) => [
      ...exampleArguments(mode, port),
      '--shards',
      String(shards),
    ]);
  }

  /**
   * Runs `command`, words apart by spaces, in which `{port}` is filled in; the arguments that
   * `more` makes of the port follow. The command may name variables first, as in a shell: `A=b
   * program`.
   */
  static async run(command, more) {
    const port = await freePort();
    const words = command
      .trim()
      .split(/\s+/)
      .map((word) => word.replaceAll('{port}', port));
    const from = words.findIndex((word) => !/^[A-Z_]+=/.test(word));
    const env = Object.fromEntries(words.slice(0, from).map((word) => word.split(/=(.*)/s, 2)));
    const child = spawn(words[from], [...words.slice(from + 1), ...more(port)], {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    const server = new Server({ host: HOST, port }, child);
    await server.#listening();
    return server;
  }

  async #listening() {
    let failed;
    this.child.once('error', (error) => (failed = error));
    const until = Date.now() + START_MS;
    while (Date.now() < until) {
      if (failed) throw failed;
      if (!this.running()) throw new Error(`the server ended: ${this.child.exitCode}`);
      if (await accepts(this.address)) return;
      await sleep(20);
    }
    this.stop();
    throw new Error(`nobody listens on port ${this.address.port} after ${START_MS} ms`);
  }

  /** `true` too for a server of somebody else, of which nothing is known. */
  running() {
    return !this.child || (this.child.exitCode === null && this.child.signalCode === null);
  }

  stop() {
    this.child?.kill('SIGKILL');
  }
}

async function accepts({ host, port }) {
  const socket = connect({ host, port });
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

/** Somebody may take it before it is used; then the server ends and the run says so. */
async function freePort() {
  const server = createServer().listen(0, HOST);
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}
