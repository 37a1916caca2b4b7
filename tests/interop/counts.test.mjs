// How many sockets an audience has, asked by servers of Relay in clusters of three. Servers for Node are
// asked for their sockets, as by each other; those of Relay say a number, where no server for Node listens.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { settle } from "./lib/check.mjs";
import { Cluster, until } from "./lib/cluster.mjs";

const REQUESTS = "socket.io-request#/#";
const names = ["a", "b", "c"];

/** What is published meanwhile, as channel and message. */
async function published(cluster, act) {
  const redis = cluster.redis.duplicate();
  const heard = [];
  redis.on("pmessage", (_, channel, message) => heard.push([channel, message]));
  await redis.psubscribe("*");
  await act();
  // What was said before is heard before.
  await cluster.redis.publish("the end", "");
  await until("all to be heard", () => heard.some(([channel]) => channel === "the end"));
  redis.disconnect();
  return heard.filter(([channel]) => channel !== "the end" && !/-relay#[0-9a-f]+#$/.test(channel));
}

function cells(cluster, kinds, from) {
  const client = (name) => cluster.clients.find((it) => it.name === name);
  const count = (options) => client(`${from}0`).tell("count", options);
  const counts = (what, options, expected) =>
    test(`count ${what}`, async () => assert.deepEqual(await count(options()), [expected, true]));
  const others = names.filter((it) => it !== from);

  counts("everybody", () => ({}), 6);
  for (const to of names) counts(`the sockets of ${to}`, () => ({ rooms: [`server-${to}`] }), 2);
  counts("a room of all", () => ({ rooms: ["all"] }), 6);
  counts("a room that is a number", () => ({ rooms: [5] }), 3);
  counts("several rooms, each socket once", () => ({ rooms: [`server-${others[0]}`, "first-0", 5] }), 4);
  counts("one socket", () => ({ rooms: [client(`${others[1]}1`).socket.id] }), 1);
  counts("everybody except a room", () => ({ except: [5] }), 3);
  counts("everybody except one", () => ({ except: [client(`${others[0]}0`).socket.id] }), 5);
  counts("a room except others", () => ({ rooms: ["all"], except: [`server-${others[0]}`, "5"] }), 2);
  counts("a room except itself", () => ({ rooms: ["all"], except: ["all"] }), 0);
  counts("an empty room", () => ({ rooms: ["nowhere"] }), 0);

  test("count while everybody asks", async () => {
    const counted = Promise.all(Array.from({ length: 100 }, (_, n) => count(n % 2 ? {} : { rooms: ["all"], except: [5] })));
    const fetched = Promise.all(names.map((name) => client(`${name}1`).tell("fetch", {})));
    for (const [n, answer] of (await counted).entries()) assert.deepEqual(answer, [n % 2 ? 6 : 3, true]);
    for (const [sockets, complete] of await fetched) assert.deepEqual([sockets.length, complete], [6, true]);
  });

  test("count with one message, and one of each other server", async () => {
    const heard = await published(cluster, () => count({}));
    const [request, ...answers] = heard;
    assert.equal(request[0], REQUESTS);
    const { uid } = JSON.parse(request[1]);
    const answered = answers.map(([channel, message]) => {
      const { count, complete, sockets } = JSON.parse(message);
      return [channel, count ?? sockets.length, complete ?? null];
    });
    const expected = others.map((name) => kinds[names.indexOf(name)] === "node"
      ? ["socket.io-response#/#", 2, null] : [`socket.io-relay-count#/#${uid}#`, 2, true]);
    assert.deepEqual(answered.sort(), expected.sort());
  });
}

for (const kinds of [["node", "node", "relay"], ["node", "relay", "relay"], ["relay", "relay", "relay"]])
  describe(kinds.join(", "), () => {
    const cluster = {};
    before(async () => {
      Object.setPrototypeOf(cluster, Cluster.prototype);
      Object.assign(cluster, await Cluster.start(kinds));
      await settle(cluster);
    });
    after(() => cluster.stop());
    for (const from of names.filter((_, i) => kinds[i] === "relay")) describe(`from relay ${from}`, () => cells(cluster, kinds, from));

    test("count with somebody who never answers", async () => {
      const mute = cluster.redis.duplicate();
      await mute.subscribe(REQUESTS);
      const c0 = cluster.clients.find((it) => it.name === "c0");
      assert.deepEqual(await c0.tell("count", { rooms: ["all"] }), [6, false], "it ends with its time-out");
      mute.disconnect();
      await cluster.counts(REQUESTS, 3);
      assert.deepEqual(await c0.tell("count", { rooms: ["all"] }), [6, true]);
    });
    test("count, and nobody waits for anybody afterwards", async () => {
      assert.equal((await cluster.redis.pubsub("NUMSUB", REQUESTS))[1], 3);
      for (const name of names) {
        const [sockets, complete] = await cluster.clients.find((it) => it.name === `${name}0`).tell("fetch", {});
        assert.deepEqual([sockets.length, complete], [6, true], name);
        const [answers, whole] = await cluster.clients.find((it) => it.name === `${name}0`).tell("side-ask", "question", 1);
        assert.deepEqual([answers.length, whole], [2, true], name);
      }
      assert.deepEqual(cluster.dead(), []);
    });
    test("count without a server that has ended", async () => {
      const counts = async (name) => cluster.clients.find((it) => it.name === name).tell("count", {});
      await cluster.peer("a").stop();
      await cluster.counts(REQUESTS, 2);
      assert.deepEqual(await counts("c0"), [4, true]);
      await cluster.peer("b").stop();
      await cluster.counts(REQUESTS, 1);
      assert.deepEqual(await counts("c1"), [2, true]);
    });
  });
