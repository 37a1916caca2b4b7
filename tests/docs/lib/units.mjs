// Units of systemd, as far as documents show them: a socket that outlives its service. Without a
// systemd that runs, a program of ours passes the listener on; that the units are well-formed is
// said by `systemd-analyze`, where there is one.

import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';

const SUPERVISOR = resolve(import.meta.dirname, '../../e2e/js/lib/supervisor.py');
const PATIENCE_MS = 60_000;

/** The value behind a key of a unit. */
function value(unit, key) {
  const found = new RegExp(`^${key}=(.*)$`, 'm').exec(unit);
  if (!found) throw new Error(`the unit has no ${key}`);
  return found[1];
}

/** Throws if systemd would not understand the units, or ignore something in them. */
async function verify(socketPath, servicePath, gateway) {
  const directory = await mkdtemp(join(tmpdir(), 'relay-units-'));
  try {
    const [socket, service] = [socketPath, servicePath].map((it) => join(directory, basename(it)));
    await copyFile(socketPath, socket);
    // It must be a program that is there.
    const text = await readFile(servicePath, 'utf8');
    await writeFile(service, text.replace(/^ExecStart=\S+/m, `ExecStart=${gateway}`));
    const { stdout, stderr } = await promisify(execFile)('systemd-analyze', ['verify', socket, service]);
    const own = (stdout + stderr).split('\n').filter((line) => line.includes(directory));
    if (own.length > 0) throw new Error(own.join('\n'));
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
    console.log('     systemd-analyze is not there: nobody reads the units as systemd does');
  } finally {
    await rm(directory, { recursive: true });
  }
}

/** The status of `/ready`, on a connection of its own. */
async function ready(port) {
  const request = get({ host: '127.0.0.1', port, path: '/ready', agent: false, headers: { connection: 'close' } });
  const [response] = await once(request, 'response');
  response.resume();
  await once(response, 'end');
  return response.statusCode;
}

async function until(what, is) {
  const deadline = Date.now() + PATIENCE_MS;
  while (!(await is())) {
    if (Date.now() > deadline) throw new Error(`in vain: ${what}`);
    await pause(10);
  }
}

/**
 * Starts the service on its socket and restarts it, as `systemctl restart` does: whoever asks
 * meanwhile is answered. `start` runs a command and gives it back.
 */
export async function activate(servicePath, gateway, start) {
  const socketPath = servicePath.replace(/\.service$/, '.socket');
  const service = await readFile(servicePath, 'utf8');
  const port = value(await readFile(socketPath, 'utf8'), 'ListenStream');
  await verify(socketPath, servicePath, gateway);
  const command = value(service, 'ExecStart').replace(/^\S*\/relay\b/, gateway);
  const program = await start(`exec python3 ${SUPERVISOR} ${port} ${command}`);
  const pids = () => program.lines().map((it) => /^started (\d+)$/.exec(it)?.[1]).filter(Boolean);
  const serves = () => ready(port).then((status) => status === 200, () => false);
  await until('an answer of the first process', serves);
  const says = () => program.lines().some((line) => line.includes('"settings_ignored"'));
  await until('a line that HOST and PORT are not used', says);
  process.kill(Number(pids()[0]), 'SIGTERM');
  await until('a second process that is ready', async () => {
    // A refusal or a reset is thrown.
    const status = await ready(port);
    return pids().length === 2 && status === 200;
  });
}
