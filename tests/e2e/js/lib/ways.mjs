// How stock clients connect, and those that a test has open. Knows no client library.

/** The ways in which stock clients connect; `upgrade` is their default: polling, then WebSocket. */
export const WAYS = {
  websocket: { transports: ['websocket'] },
  polling: { transports: ['polling'] },
  upgrade: {},
};

const open = new Set();

/** Has a client, which has a `socket`, ended when its test has finished. */
export function closeAfterwards(client) {
  open.add(client);
}

/** Ends the clients of the test that has just finished. */
export function closeClients() {
  for (const client of open) client.socket.disconnect();
  open.clear();
}
