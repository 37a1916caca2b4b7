// Prints what a run found.

/** Prints the differences, the reasons and the table; `true` if all is well. */
export function printResults(results, accepted, isWhole) {
  for (const one of results) printCase(one);
  const stale = accepted.stale(isWhole);
  for (const { why, name } of stale) console.log(`${name}: accepted, but equal now\n  ${why}`);
  for (const { why, count } of accepted.counts()) {
    if (count > 0) console.log(`${String(count).padStart(4)}  ${why}`);
  }
  const groups = [...new Set(results.map(({ group }) => group))];
  const rows = groups.map((group) =>
    summarise(
      group,
      results.filter((one) => one.group === group),
    ),
  );
  const total = summarise('total', results);
  console.log(`\n${HEADINGS.map(pad).join('')}`);
  for (const row of [...rows, total]) console.log(row.map(pad).join(''));
  const retried = results.filter((one) => one.retried).map(({ name }) => name);
  if (retried.length > 0) console.log(`\non the second try: ${retried.join(', ')}`);
  const [, ran, equal, meant, bad] = total;
  // What scripts count.
  console.log(`\n${equal + meant} passed, ${bad + stale.length} failed`);
  return bad === 0 && stale.length === 0 && ran > 0;
}

const HEADINGS = ['group', 'cases', 'equal', 'accepted', 'unexpected', 'skipped'];

function summarise(group, results) {
  const ran = results.filter(({ skipped }) => !skipped);
  const bad = ran.filter(({ unexpected, broken }) => broken || unexpected.length > 0);
  const meant = ran.filter((one) => !bad.includes(one) && one.accepted.length > 0);
  const equal = ran.length - bad.length - meant.length;
  return [group, ran.length, equal, meant.length, bad.length, results.length - ran.length];
}

const pad = (cell, index) => (index === 0 ? String(cell).padEnd(12) : String(cell).padStart(11));

function printCase({ group, name, skipped, unexpected, broken }) {
  if (skipped || (!broken && unexpected.length === 0)) return;
  console.log(`${group}: ${name}`);
  if (broken) console.log(`  broke: ${broken}`);
  for (const { field, node, ours } of unexpected) {
    console.log(`  ${field}\n    node: ${show(node)}\n    ours: ${show(ours)}`);
  }
}

const show = (value) => (value === undefined ? '(absent)' : JSON.stringify(value));

/** Prints all that both servers said. */
export function printShown(name, node, ours) {
  console.log(name);
  for (const field of new Set([...node.keys(), ...ours.keys()])) {
    const same = node.get(field) === ours.get(field);
    console.log(
      `  ${field} = ${show(node.get(field))}${same ? '' : ` | ours ${show(ours.get(field))}`}`,
    );
  }
}
