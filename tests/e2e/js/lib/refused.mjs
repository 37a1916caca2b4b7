import assert from 'node:assert/strict';

/** An acknowledgement that refuses: `[false, {code, message}]`, and nothing more. */
export function assertRefused(answer, code) {
  assert.equal(answer[0], false);
  assert.equal(answer[1].code, code);
  assert.equal(typeof answer[1].message, 'string');
  assert.deepEqual(Object.keys(answer[1]), ['code', 'message']);
  assert.equal(answer.length, 2);
}
