// Does what the documents for newcomers say, block by block, and compares what is printed with what
// they say is.
//
//   RELAY_BIN=… PYTHON=… node run.mjs [document …]
//
// A block of js, python, html, toml, dotenv or ini is a file, which its first line names; a page is
// opened as soon as it is there, a service of systemd is started and restarted. A block of sh is commands: `cargo run --release` and `relay` are the gateway
// under test. A block `text NAME` is the next lines of the last command or page that has NAME in it,
// `…` stands for anything, and nothing else may be printed. Ports 5000 to 5009 and Redis' 6379 are
// replaced by free ones, and a Redis is started if a document names its port.
//
// Last line: `N passed, N failed`; what is counted are blocks.

import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

import { blocks, commands, fileName } from './lib/blocks.mjs';
import { Command, Page } from './lib/programs.mjs';
import { activate } from './lib/units.mjs';

const ROOT = resolve(import.meta.dirname, '../..');
const DOCUMENTS = [
  'README.md',
  'README.es.md',
  'docs/getting-started.md',
  'docs/migration.md',
  'docs/configuration.md',
  'docs/operations.md',
];

/** Commands that were done before, or are not for here. */
const DONE = [/^npm install /, /^pip install /, /^scripts\/test\.sh$/, /^scripts\/cluster\.sh start$/];
const GATEWAY = /(cargo run --release( --)?|\brelay)(?= |$)/;
const GATEWAY_ALONE = /(cargo run --release|\brelay)$/;
const PORTS_FROM = 12_000;
const PORTS = 18_000;
const REDIS_PORT = '6379';
const START_MS = 60_000;

const gateway = process.env.RELAY_BIN && resolve(process.env.RELAY_BIN);
if (!gateway) throw new Error('RELAY_BIN must name the relay binary');

/** Not one of those that the kernel gives to outgoing connections: it may be taken before it is used. */
async function freePort() {
  for (;;) {
    const port = PORTS_FROM + Math.floor(Math.random() * PORTS);
    const server = createServer().listen(port);
    const free = await new Promise((done) => {
      server.once('listening', () => done(true)).once('error', () => done(false));
    });
    if (!free) continue;
    server.close();
    await once(server, 'close');
    return port;
  }
}

/** One document as a reader follows it, in a directory of its own. */
class Reading {
  programs = [];
  ports = new Map();

  constructor(directory) {
    this.directory = directory;
    const { PATH, HOME, LANG, PYTHONPATH } = process.env;
    this.environment = { PATH: `${join(directory, 'bin')}:${PATH}`, HOME, LANG };
    // Nobody but this machine comes in, and no client is waited for at the end.
    Object.assign(this.environment, { HOST: '127.0.0.1', DRAIN_WINDOW: '0', DRAIN_DEADLINE: '5' });
    if (PYTHONPATH) this.environment.PYTHONPATH = PYTHONPATH;
  }

  static async begin() {
    const it = new Reading(await mkdtemp(join(tmpdir(), 'relay-docs-')));
    await symlink(join(import.meta.dirname, 'node_modules'), join(it.directory, 'node_modules'));
    await mkdir(join(it.directory, 'bin'));
    await symlink(gateway, join(it.directory, 'bin/relay'));
    const python = process.env.PYTHON ?? 'python3';
    const script = `#!/bin/sh\nPATH=\${PATH#*:}\nexec "${python}" "$@"\n`;
    await writeFile(join(it.directory, 'bin/python3'), script, { mode: 0o755 });
    return it;
  }

  async end() {
    for (const it of this.programs.toReversed()) await it.stop();
    await rm(this.directory, { recursive: true });
  }

  /** The text with ports that are free. */
  async withPorts(text) {
    for (const [port] of text.matchAll(/\b(500\d|6379)\b/g)) {
      if (this.ports.has(port)) continue;
      this.ports.set(port, String(await freePort()));
      if (port === REDIS_PORT) await this.startRedis();
    }
    return text.replace(/\b(500\d|6379)\b/g, (port) => this.ports.get(port));
  }

  async startRedis() {
    const port = this.ports.get(REDIS_PORT);
    const options = `--port ${port} --bind 127.0.0.1 --save '' --appendonly no`;
    const server = await this.start(`exec redis-server ${options}`);
    const deadline = Date.now() + START_MS;
    while (!server.lines().some((line) => line.includes('Ready to accept connections'))) {
      if (server.exitCode() !== undefined || Date.now() > deadline) {
        throw new Error(`Redis does not serve:\n${server.lines().join('\n')}`);
      }
      await pause(50);
    }
  }

  async do(block) {
    const name = fileName(block);
    if (name) await this.save(name, block);
    else if (block.language === 'sh') await this.run(commands(block));
    else if (block.language === 'text') await this.compare(block);
    else throw new Error(`nobody knows how to test ${block.language || 'a block of no language'}`);
  }

  async save(name, { language, text }) {
    // What belongs elsewhere on a reader's machine is below the directory here.
    const path = join(this.directory, name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, `${await this.withPorts(text)}\n`);
    if (language === 'html') this.programs.push(await Page.open(name, path));
    if (name.endsWith('.service')) await activate(path, gateway, (line) => this.start(line));
  }

  async run(lines) {
    for (const line of lines.filter((it) => !DONE.some((done) => done.test(it)))) {
      if (GATEWAY_ALONE.test(line)) await this.serve(line);
      else await this.start(await this.withPorts(line.replace(GATEWAY, 'relay')));
    }
  }

  async start(line) {
    const program = new Command(line, this.directory, this.environment);
    this.programs.push(program);
    return program;
  }

  /** Starts a gateway, on port 5000 unless the command names another, and waits until it serves. */
  async serve(line) {
    const named = /\bPORT=(\d+)/.test(line) ? line : `PORT=5000 ${line}`;
    const command = await this.withPorts(named.replace(GATEWAY, 'exec relay'));
    const port = /\bPORT=(\d+)/.exec(command)[1];
    // `A=b exec c` is a shell's own: the assignments go to the command through `env`.
    const program = await this.start(command.replace(/^(.*?) exec relay/, 'exec env $1 relay'));
    const deadline = Date.now() + START_MS;
    for (;;) {
      const answer = await fetch(`http://127.0.0.1:${port}/ready`).catch(() => undefined);
      if (answer?.ok) return;
      if (program.exitCode() !== undefined || Date.now() > deadline) {
        throw new Error(`the gateway does not serve:\n${program.lines().join('\n')}`);
      }
      await pause(50);
    }
  }

  async compare({ about, text }) {
    const program = this.programs.findLast((it) => it.name.includes(about));
    if (!about || !program) throw new Error('the block must say whose output it is');
    await program.expect((await this.withPorts(text)).split('\n'));
  }

  /** What must hold when all was done: nothing has failed, or said more than the document shows. */
  async check() {
    for (const program of this.programs) {
      const code = program.exitCode?.();
      if (code) throw new Error(`${program.name} ended with ${code}: ${program.lines().join('\n')}`);
      const [unsaid] = program.unsaid();
      if (unsaid) throw new Error(`the document does not say that ${program.name} says: ${unsaid}`);
    }
  }
}

/** The number of blocks that were as the document says; throws at the first that is not. */
async function follow(document) {
  const found = blocks(await readFile(join(ROOT, document), 'utf8'));
  if (found.length === 0) throw new Error('there is nothing to test');
  const reading = await Reading.begin();
  try {
    for (const block of found) {
      await reading.do(block).catch((error) => {
        throw new Error(`line ${block.line}: ${error.message}`);
      });
    }
    await reading.check();
    return found.length;
  } finally {
    await reading.end();
  }
}

let passed = 0;
let failed = 0;
const chosen = process.argv.slice(2);
for (const document of chosen.length > 0 ? chosen : DOCUMENTS) {
  try {
    const count = await follow(document);
    passed += count;
    console.log(`ok   ${document}: ${count} blocks`);
  } catch (error) {
    failed += 1;
    console.log(`FAIL ${document}: ${error.message}`);
  }
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
