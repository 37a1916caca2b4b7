// A server that is killed, or that nothing passes to and from any more. The others answer what they are
// asked with what they have, and what is said among them arrives.
import assert from "node:assert/strict";
import { performance } from "node:perf_hooks";
import { afterEach, test } from "node:test";
import { Cluster, until } from "./lib/cluster.mjs";

const CHANNEL = "socket.io-request#/#";

/** Two clients at each server; the first of each says numbers to everybody, and asks who is there, all the time. */
class Load {
  static async start(cluster) {
    const load = new Load();
    load.over = false;
    load.answers = {};
    load.said = {};
    for (const { name } of cluster.peers) for (const n of [0, 1]) await cluster.client(`${name}${n}`);
    load.clients = [...cluster.clients];
    load.work = Promise.all(cluster.peers.flatMap(({ name }) => [load.say(name), load.ask(name)]));
    // What goes wrong is told when it is stopped.
    load.work.catch(() => {});
    return load;
  }

  client(name) {
    return this.clients.find((it) => it.name === name);
  }

  async say(name) {
    this.said[name] = 0;
    while (!this.over && !this.client(`${name}0`).ended) {
      const number = this.said[name];
      const saying = this.client(`${name}0`).tell("emit", {}, "number", name, number).catch((error) => error);
      this.said[name] = number + 1;
      if ((await this.unlessEnded(name, saying)) instanceof Error) throw new Error(`${name} stalls`);
      await new Promise((done) => setTimeout(done, 10));
    }
  }

  async ask(name) {
    this.answers[name] = [];
    while (!this.over && !this.client(`${name}0`).ended) {
      const begun = performance.now();
      const asking = this.client(`${name}0`).tell("fetch", {}).catch((error) => error);
      const answer = await this.unlessEnded(name, asking);
      if (answer instanceof Error) throw answer;
      if (!answer) return;
      const [sockets, complete] = answer;
      this.answers[name].push({ names: sockets?.map((it) => it.data.name).sort(), complete, took: performance.now() - begun });
      await new Promise((done) => setTimeout(done, 10));
    }
  }

  /** What is waited for, or nothing if its server is gone. */
  unlessEnded(name, waiting) {
    const { socket, ended } = this.client(`${name}0`);
    return ended ? undefined : Promise.race([waiting, new Promise((gone) => socket.once("disconnect", () => gone()))]);
  }

  /** Waits until the last of so many answers that a server gives from now on is this. */
  async until(name, names, complete) {
    const from = this.answers[name].length;
    await until(`${name} to see ${names}`, () => {
      const last = this.answers[name].slice(from).at(-1);
      return last?.complete === complete && JSON.stringify(last.names) === JSON.stringify(names);
    });
  }

  async stop() {
    this.over = true;
    await this.work;
  }

  /** What a client heard of the numbers that a server's client said. */
  heard(client, name) {
    return this.client(client).heard.filter(([event, from]) => event === "number" && from === name).map((it) => it[2]);
  }

  /** Each of these servers' clients has all that was said at each of them, once, in order. */
  async complete(names) {
    for (const from of names)
      for (const to of names.flatMap((it) => [`${it}0`, `${it}1`])) {
        await until(`the last number of ${from} at ${to}`, () => this.heard(to, from).at(-1) === this.said[from] - 1);
        assert.deepEqual(this.heard(to, from), Array.from({ length: this.said[from] }, (_, n) => n), `${from} at ${to}`);
      }
  }

  longest(names) {
    return Math.round(Math.max(...names.flatMap((name) => this.answers[name].map((it) => it.took))));
  }
}

const at = (...names) => names.flatMap((it) => [`${it}0`, `${it}1`]);
let cluster;
let load;
afterEach(async () => {
  if (load) load.over = true;
  await cluster?.stop();
});

for (const kinds of [["relay", "node", "relay"], ["relay", "node", "node"]])
  test(`the last of ${kinds.join(", ")} is killed while it is asked`, async (t) => {
    cluster = await Cluster.start(kinds);
    load = await Load.start(cluster);
    for (const name of ["a", "b"]) await load.until(name, at("a", "b", "c"), true);
    await cluster.peer("c").kill();
    for (const name of ["a", "b"]) await load.until(name, at("a", "b"), true);
    await load.stop();
    await load.complete(["a", "b"]);
    // Whatever was asked had an answer, ours at least with what this server has itself.
    for (const { names } of load.answers.a) assert.ok(at("a").every((it) => names.includes(it)));
    t.diagnostic(`the longest answer took ${load.longest(["a"])} ms, of Node ${load.longest(["b"])} ms`);
    assert.deepEqual(cluster.dead().map((it) => it.split(":")[0]), [`${kinds[2]} c`]);
  });

test("nothing passes between Redis and one server", async (t) => {
  cluster = await Cluster.start(["relay", "node", "relay"], { withLine: true });
  t.diagnostic(`by a ${cluster.line.how}`);
  load = await Load.start(cluster);
  for (const name of ["a", "b", "c"]) await load.until(name, at("a", "b", "c"), true);
  cluster.line.cut();
  // Redis does not know that one of those it counts hears nothing any more: all is told but that one's part.
  await load.until("a", at("a", "b"), false);
  // It tells what it has, and once it has noticed that at once.
  await until("c to be alone", () => JSON.stringify(load.answers.c.at(-1).names) === JSON.stringify(at("c")));
  const before = load.answers.c.length;
  await until("c to answer for itself", () => load.answers.c.length > before + 20);
  cluster.line.mend();
  // What it held before is closed at both ends, so nobody is counted twice.
  await cluster.counts(CHANNEL, 3);
  for (const name of ["a", "b", "c"]) await load.until(name, at("a", "b", "c"), true);
  const mended = load.said.c;
  await load.stop();
  await load.complete(["a", "b"]);
  await load.complete(["c"]);
  // What was said since arrives across, too.
  for (const [from, to] of [["c", "a1"], ["c", "b1"]]) {
    await until(`the last number of ${from} at ${to}`, () => load.heard(to, from).at(-1) === load.said[from] - 1);
    const since = load.heard(to, from).filter((n) => n >= mended);
    assert.deepEqual(since, Array.from({ length: load.said[from] - mended }, (_, n) => mended + n));
  }
  t.diagnostic(`the longest answer took ${load.longest(["a"])} ms, of the cut one ${load.longest(["c"])} ms, of Node ${load.longest(["b"])} ms`);
  assert.deepEqual(cluster.dead(), []);
});
