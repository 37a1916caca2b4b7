// Prints what a run found.

/** Prints the differences and the table; `true` if all is well. */
export function printResults(results) {
  for (const one of results) printCase(one);
  const groups = [...new Set(results.map(({ group }) => group))];
  const rows = groups.map((group) =>
    summarise(
      group,
      results.filter((one) => one.group === group),
    ),
  );
  const total = summarise('total', results);
  console.log(HEADINGS.map((heading, index) => pad(heading, index)).join(''));
  for (const row of [...rows, total]) console.log(row.map(pad).join(''));
  return total[4] === 0 && total[5] === 0 && total[1] > 0;
}

const HEADINGS = ['group', 'cases', 'equal', 'accepted', 'unexpected', 'stale', 'skipped'];

function summarise(group, results) {
  const ran = results.filter(({ skipped }) => !skipped);
  const bad = ran.filter(({ unexpected, broken }) => broken || unexpected.length > 0);
  const meant = ran.filter((one) => !bad.includes(one) && one.accepted.length > 0);
  const stale = ran.filter((one) => one.stale.length > 0);
  const equal = ran.length - bad.length - meant.length;
  return [
    group,
    ran.length,
    equal,
    meant.length,
    bad.length,
    stale.length,
    results.length - ran.length,
  ];
}

const pad = (cell, index) => (index === 0 ? String(cell).padEnd(12) : String(cell).padStart(11));

function printCase({ group, name, skipped, unexpected, stale, broken }) {
  if (skipped || (!broken && unexpected.length === 0 && stale.length === 0)) return;
  console.log(`${group}: ${name}`);
  if (broken) console.log(`  broke: ${broken}`);
  for (const { field, node, ours } of unexpected) {
    console.log(`  ${field}\n    node: ${show(node)}\n    ours: ${show(ours)}`);
  }
  for (const field of stale) console.log(`  ${field}\n    accepted, but equal now`);
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
