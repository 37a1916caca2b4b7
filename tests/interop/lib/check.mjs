// What each client of a cluster is to hear of what somebody sends.
import assert from "node:assert/strict";

let fences = 0;

/** A number that nobody was given before. */
export const fresh = () => ++fences;

/** What each client should hear of what `act` does: a list of events, by name. */
export async function check(cluster, from, act, expected) {
  const fence = fresh();
  await act();
  // What a server sends in one namespace keeps its order: behind the fence comes nothing late.
  await from.fence(fence);
  for (const client of cluster.clients.filter((it) => !it.ended)) {
    const heard = (await client.until(fence)).filter(([event]) => event === "news");
    assert.deepEqual(heard, expected(client.name), client.name);
  }
}

/** A server that its client tells what to send. */
export const server = (client) => ({
  fence: (number) => client.tell("emit", {}, "fence", number),
  emit: (options, ...event) => client.tell("emit", options, ...event),
});

export const only = (names, event) => (name) => (names.includes(name) ? [event] : []);
export const everybody = (event) => () => [event];

/** Who is where: `x0` is in the room 5, `x1` in "5"; all `x` are in `server-x`, both are in `all`. */
export async function settle(cluster) {
  for (const name of cluster.peers.map((it) => it.name))
    for (const number of [0, 1]) {
      const client = await cluster.client(`${name}${number}`);
      await client.tell("join", [`server-${name}`, `first-${number}`, "all", number === 0 ? 5 : "5"]);
    }
}
