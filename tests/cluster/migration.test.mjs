// From Node to ours and back, one instance at a time, while messages flow.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { migrate } from './lib/migration.mjs';

test('instances of Node are replaced by ours and back, and no client misses more than its own absence', async (t) => {
  const seen = await migrate({ instances: 2, clients: 60, rate: 20 });
  t.diagnostic(JSON.stringify(seen));
  assert.deepEqual(seen.dead, []);
  assert.deepEqual(seen.faults, []);
  assert.equal(seen.excusedOfStayed, 0);
  assert.ok(seen.outages >= 60, 'every client was moved');
});
