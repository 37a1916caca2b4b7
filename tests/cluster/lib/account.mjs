// What became of numbered messages. Knows no client: only what was said, what was heard, and when.

/**
 * One sender's messages at one receiver. A message that the receiver does not have is `excused` if
 * it was away: between what it heard before and after it lost its connection, and the message was
 * said before it was back. Or if it was said in one of the windows, in which more than the
 * receiver was broken. All others are `lost`. What was never acknowledged may be anywhere.
 */
export function account({ sender, receiver }, windows = []) {
  const { numbers, times } = receiver.from(sender.index);
  const at = new Map();
  const sum = { said: 0, heard: 0, repeated: 0, disordered: 0, excused: 0, lost: [], latest: 0 };
  let highest = -1;
  for (const [i, n] of numbers.entries()) {
    if (at.has(n)) sum.repeated += 1;
    else if (n < highest) sum.disordered += 1;
    if (!at.has(n)) at.set(n, times[i]);
    highest = Math.max(highest, n);
  }
  const following = nextTimes(sender.said, at);
  let before = receiver.since;
  for (const [n, { sentAt, acknowledged }] of sender.said.entries()) {
    if (at.has(n)) {
      before = at.get(n);
      sum.heard += 1;
      sum.latest = Math.max(sum.latest, before - sentAt);
    }
    if (!acknowledged || sentAt < receiver.since) continue;
    sum.said += 1;
    if (at.has(n)) continue;
    const away = ({ from, to }) => from >= before && from <= following[n] && sentAt <= to;
    const broken = ({ from, to }) => from <= sentAt && sentAt <= to;
    if (receiver.outages.some(away) || windows.some(broken)) sum.excused += 1;
    else sum.lost.push(n);
  }
  return sum;
}

/** For each number, when the next one behind it was heard that was heard at all. */
function nextTimes(said, at) {
  const times = new Array(said.length);
  let next = Infinity;
  for (let n = said.length - 1; n >= 0; n--) {
    times[n] = next;
    if (at.has(n)) next = at.get(n);
  }
  return times;
}

/** The sum over many pairs, with the faults in words. */
export function total(pairs, windows) {
  const sum = { said: 0, heard: 0, repeated: 0, disordered: 0, excused: 0, lost: 0, latest: 0, faults: [] };
  for (const pair of pairs) {
    const one = account(pair, windows);
    for (const key of ['said', 'heard', 'repeated', 'disordered', 'excused']) sum[key] += one[key];
    sum.lost += one.lost.length;
    sum.latest = Math.max(sum.latest, one.latest);
    if (one.lost.length + one.repeated + one.disordered > 0) {
      const { lost, repeated, disordered } = one;
      const some = lost.slice(0, 10).join(' ');
      sum.faults.push(`${pair.receiver.name}, ${pair.sender.name}: ${lost.length} lost (${some}), ` +
        `${repeated} repeated, ${disordered} out of order`);
    }
  }
  return sum;
}
