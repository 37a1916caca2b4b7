// Polling requests, one by one. Owns the queries; knows nothing of what the packets mean.

import { request as httpRequest } from 'node:http';

import { WAIT_MS } from './pace.mjs';

/** What separates packets in a payload. */
export const SEPARATOR = '\x1e';

/** The address under test from the environment, such as `http://127.0.0.1:5000/socket.io/`. */
export function endpoint(variable) {
  const url = process.env[variable];
  if (!url) throw new Error(`${variable} must hold the address under test`);
  return new URL(url);
}

/** `base` with a query; a value that is `undefined` is left out. */
export function address(base, query = {}) {
  const url = new URL(base);
  for (const [name, value] of Object.entries({ EIO: '4', ...query })) {
    if (value !== undefined) url.searchParams.set(name, value);
  }
  return url;
}

/** Sends a request with `query`: `{status, headers, text}`. */
export async function ask(base, query, { signal, ...options } = {}) {
  const limit = AbortSignal.timeout(WAIT_MS);
  const response = await fetch(address(base, query), {
    ...options,
    signal: signal ? AbortSignal.any([signal, limit]) : limit,
  });
  return { status: response.status, headers: response.headers, text: await response.text() };
}

const polling = (sid) => ({ transport: 'polling', sid });

/** Polls. */
export const get = (base, sid, options) => ask(base, polling(sid), options);

/** Posts packets. */
export const post = (base, sid, ...packets) =>
  ask(base, polling(sid), {
    method: 'POST',
    body: packets.join(SEPARATOR),
    headers: { 'Content-Type': 'text/plain;charset=UTF-8' },
  });

/** Opens a session by polling: what the open packet says. */
export async function handshake(base) {
  const { status, text } = await get(base);
  if (status !== 200 || text[0] !== '0') throw new Error(`no handshake: ${status} ${text}`);
  return JSON.parse(text.slice(1));
}

/** Begins a POST and does not end it. `gone()` takes the connection away. */
export function beginPost(base, sid) {
  const request = httpRequest(address(base, polling(sid)), {
    method: 'POST',
    agent: false,
    headers: { 'Content-Type': 'text/plain;charset=UTF-8', 'Content-Length': 100 },
  });
  // How the server ends it is its own affair.
  request.on('error', () => {});
  request.write('4unfinished');
  return { gone: () => request.destroy() };
}
