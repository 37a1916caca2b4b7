// What the suites of Engine.IO share: the server under test and what is asserted again and again.

import assert from 'node:assert/strict';

import { SEPARATOR, endpoint, get, post } from './http.mjs';

export const SERVER = endpoint('ENGINEIO_URL');
export const PAYLOAD_BYTES_MAX = 1_000_000;
export const UNKNOWN_SID = 'AAAAAAAAAAAAAAAAAAAA';

const ERRORS = [
  'Transport unknown',
  'Session ID unknown',
  'Bad handshake method',
  'Bad request',
  'Forbidden',
  'Unsupported protocol version',
];

/** A refusal: its status, its type and its body to the letter. */
export function assertRefused({ status, headers, text }, code) {
  assert.deepEqual([status, text], [400, JSON.stringify({ code, message: ERRORS[code] })]);
  assert.equal(headers.get('content-type'), 'application/json');
}

/** Nobody knows the session any more. */
export async function assertGone(sid) {
  assertRefused(await get(SERVER, sid), 1);
}

/** A session that polls still echoes. Other echoes may come ahead. */
export async function assertAlive(sid, word = '4alive') {
  const { status, text } = await post(SERVER, sid, word);
  assert.deepEqual([status, text], [200, 'ok']);
  for (let polls = 0; polls < 10; polls++) {
    const answer = await get(SERVER, sid);
    assert.equal(answer.status, 200);
    const packets = answer.text.split(SEPARATOR);
    if (packets.includes('2')) await post(SERVER, sid, '3');
    if (packets.includes(word)) return;
  }
  assert.fail('no echo in ten polls');
}

/** What a session of either transport sends comes back as it was. */
export async function assertEchoes(session, ...packets) {
  session.send(...packets);
  assert.deepEqual(await session.take(packets.length), packets);
}
