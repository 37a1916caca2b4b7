// Reads the Prometheus text format, strictly enough that what it accepts a scraper accepts.

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*/;
const LABEL = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(,|(?=\}))/;
const VALUE = /^ (NaN|[+-]Inf|[+-]?[0-9.]+(?:[eE][+-]?[0-9]+)?)(?: -?[0-9]+)?$/;
const ESCAPES = { '\\\\': '\\', '\\"': '"', '\\n': '\n' };

/** The types of the metrics, all series, and `value(name, labels)`. */
export function parseMetrics(text) {
  if (!text.endsWith('\n')) throw new Error('the last line has no end');
  const types = new Map();
  const series = [];
  const seen = new Set();
  for (const line of text.split('\n').slice(0, -1)) {
    if (line === '') continue;
    if (line.startsWith('#')) {
      const [, word, name, type] = line.split(' ');
      if (word !== 'TYPE') continue;
      if (types.has(name)) throw new Error(`two types of ${name}`);
      types.set(name, type);
    } else {
      const one = parseLine(line);
      const key = JSON.stringify([one.name, Object.entries(one.labels).sort()]);
      if (seen.has(key)) throw new Error(`twice: ${line}`);
      seen.add(key);
      series.push(one);
    }
  }
  const value = (name, labels = {}) =>
    series.find((one) => one.name === name && matches(one.labels, labels))?.value;
  return { types, series, value };
}

function matches(labels, wanted) {
  return Object.entries(wanted).every(([name, value]) => labels[name] === value);
}

function parseLine(line) {
  const name = NAME.exec(line)?.[0];
  if (!name) throw new Error(`no name: ${line}`);
  const labels = {};
  let rest = line.slice(name.length);
  if (rest.startsWith('{')) {
    rest = rest.slice(1);
    while (!rest.startsWith('}')) {
      const found = LABEL.exec(rest);
      if (!found) throw new Error(`broken label: ${line}`);
      const [whole, label, raw] = found;
      labels[label] = raw.replace(/\\["\\n]/g, (escape) => ESCAPES[escape]);
      rest = rest.slice(whole.length);
    }
    rest = rest.slice(1);
  }
  const value = VALUE.exec(rest);
  if (!value) throw new Error(`no value: ${line}`);
  return { name, labels, value: Number(value[1].replace('Inf', 'Infinity')) };
}
