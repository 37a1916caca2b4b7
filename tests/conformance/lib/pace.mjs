// The times of the servers under test. They are those of the protocols' own suites; on a machine
// that has other things to do `CONFORMANCE_PACE=4` makes all of them four times as long.

const PACE = Number(process.env.CONFORMANCE_PACE ?? 1);

export const PING_INTERVAL_MS = 300 * PACE;
export const PING_TIMEOUT_MS = 200 * PACE;
export const CONNECT_TIMEOUT_MS = 1000 * PACE;
/** Timers may fire a little late, or early as another clock sees it, and two follow each other. */
export const SLACK_MS = 30 * PACE;
/** For one request to arrive before another. */
export const SETTLE_MS = 50 * PACE;
/** For what must come. */
export const WAIT_MS = 20_000;
