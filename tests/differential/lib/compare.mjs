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

/**
 * Sorts differences by `accepted`: {field: reason}, where the field `post#2.*` stands for all that
 * was seen there. `stale` are accepted ones that are gone.
 */
export function judge(found, accepted = {}) {
  const covers = (pattern, field) =>
    pattern.endsWith('.*') ? field.startsWith(pattern.slice(0, -1)) : field === pattern;
  const patterns = Object.keys(accepted);
  const isAccepted = ({ field }) => patterns.some((pattern) => covers(pattern, field));
  return {
    accepted: found.filter(isAccepted),
    unexpected: found.filter((one) => !isAccepted(one)),
    stale: patterns.filter((pattern) => !found.some(({ field }) => covers(pattern, field))),
  };
}
