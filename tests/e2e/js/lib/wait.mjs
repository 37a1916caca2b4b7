/** Runs `start(done, fail)` and fails with what was waited for when time is up. */
export function within(ms, what, start) {
  // Made here: a timer's own stack does not tell who waited.
  const late = new Error(`no ${what} within ${ms} ms`);
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(late), ms);
    const settle = (how) => (value) => {
      clearTimeout(timer);
      how(value);
    };
    start(settle(resolve), settle(reject));
  });
}

export function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Asks `probe` again and again until it says something other than `false` or nothing. */
export async function eventually(what, probe, ms = 10_000) {
  const until = Date.now() + ms;
  for (;;) {
    const value = await probe();
    if (value) return value;
    if (Date.now() > until) throw new Error(`no ${what} within ${ms} ms`);
    await pause(20);
  }
}
