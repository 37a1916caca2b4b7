// Two runs of one case: which fields differ, and which of these are accepted.

/**
 * A length that only the other server gives says nothing else than its body does: Node sends some
 * short answers in chunks.
 */
const ONLY_IF_IN_NODE = /\.header\.content-length$/;

/** `[{field, node, ours}]`; `only` limits it to fields that end in one of its words. */
export function differences(node, ours, only) {
  const fields = new Set([...node.keys(), ...ours.keys()]);
  return [...fields]
    .filter((field) => !only || only.some((word) => field.endsWith(`.${word}`)))
    .filter((field) => node.has(field) || !ONLY_IF_IN_NODE.test(field))
    .map((field) => ({ field, node: node.get(field), ours: ours.get(field) }))
    .filter((one) => one.node !== one.ours);
}

/** The rules of `accepted.mjs`, and what became of each in a run. */
export class Accepted {
  #rules;

  constructor(rules) {
    this.#rules = rules.map((rule) => ({ ...rule, met: new Set(), seen: new Set() }));
  }

  /** Names in the rules that no case has. */
  unknown(names) {
    return this.#rules.flatMap(({ cases }) =>
      Array.isArray(cases) ? cases.filter((name) => !names.has(name)) : [],
    );
  }

  /** Sorts the differences of the case `name`: `{accepted, unexpected}`. */
  judge(name, found) {
    const rules = this.#rules.filter(({ cases }) => isAbout(cases, name));
    for (const rule of rules) rule.seen.add(name);
    const isAccepted = (one) => {
      const rule = rules.find((rule) => covers(rule, one));
      rule?.met.add(name);
      return rule !== undefined;
    };
    const accepted = found.filter(isAccepted);
    return { accepted, unexpected: found.filter((one) => !accepted.includes(one)) };
  }

  /** `[{why, count}]`, in how many cases each reason was met. */
  counts() {
    return this.#rules.map(({ why, met }) => ({ why, count: met.size }));
  }

  /**
   * What is accepted and did not occur: `[{why, name}]`. A rule that names its cases must be met
   * in each of them that ran, one for all or for a pattern in any (which only a whole run tells).
   */
  stale(isWhole) {
    return this.#rules.flatMap(({ why, cases, met, seen }) => {
      if (Array.isArray(cases)) {
        return [...seen].filter((name) => !met.has(name)).map((name) => ({ why, name }));
      }
      return isWhole && met.size === 0 ? [{ why, name: String(cases ?? 'any case') }] : [];
    });
  }
}

function isAbout(cases, name) {
  if (cases === undefined) return true;
  return Array.isArray(cases) ? cases.includes(name) : cases.test(name);
}

/** Whether a rule is about this field with these values. */
function covers(rule, { field, node, ours }) {
  const plain = field.replace(/#\d+/, '');
  const fits = (pattern) => {
    const text = pattern.includes('#') ? field : plain;
    return pattern.endsWith('*') ? text.startsWith(pattern.slice(0, -1)) : text === pattern;
  };
  return rule.fields.some(fits) && isLike(rule, 'node', node) && isLike(rule, 'ours', ours);
}

/** Of a rule that does not name a value any is right. */
function isLike(rule, side, value) {
  if (!(side in rule)) return true;
  const wanted = rule[side];
  return wanted instanceof RegExp ? wanted.test(value ?? '') : wanted === value;
}
