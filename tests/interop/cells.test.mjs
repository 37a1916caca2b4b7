// Clusters of three: servers for Node and of Relay on one Redis. Every cell of the table, from each
// server to each other one, is a test. A server that ends, or keeps another one waiting, fails it.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Emitter } from "@socket.io/redis-emitter";
import { check, everybody, fresh, only, server, settle } from "./lib/check.mjs";
import { Cluster, until } from "./lib/cluster.mjs";

const binary = Buffer.from([0, 1, 255]);

function cells(cluster, from, to) {
  const [sender, near, far] = [() => server(cluster.clients.find((it) => it.name === `${from}0`)), `${from}0`, `${to}0`];
  const client = (name) => cluster.clients.find((it) => it.name === name);
  const emits = (what, options, event, expected) =>
    test(what, () => check(cluster, sender(), () => sender().emit(options(), ...event), expected));

  emits("to everybody", () => ({}), ["news", 1, "é", { a: [null, 1.5] }], everybody(["news", 1, "é", { a: [null, 1.5] }]));
  emits("to everybody, volatile", () => ({ volatile: true }), ["news"], everybody(["news"]));
  emits("to a room", () => ({ rooms: [`server-${to}`] }), ["news"], only([`${to}0`, `${to}1`], ["news"]));
  emits("to a room that is a number", () => ({ rooms: [5] }), ["news"], (name) => (name[1] === "0" ? [["news"]] : []));
  emits("to a room that is a text like a number", () => ({ rooms: ["5"] }), ["news"], (name) => (name[1] === "1" ? [["news"]] : []));
  emits("to several rooms, once", () => ({ rooms: [`server-${to}`, "first-0", 5] }), ["news"], (name) => (name[0] === to || name[1] === "0" ? [["news"]] : []));
  emits("to one socket", () => ({ rooms: [client(far).socket.id] }), ["news"], only([far], ["news"]));
  emits("to all others", () => ({ except: [client(near).socket.id] }), ["news"], (name) => (name === near ? [] : [["news"]]));
  emits("except a room of the other server", () => ({ except: [`server-${to}`] }), ["news"], (name) => (name[0] === to ? [] : [["news"]]));
  emits("to a room except a number", () => ({ rooms: ["all"], except: [5] }), ["news"], (name) => (name[1] === "0" ? [] : [["news"]]));
  emits("to a room that nobody is in", () => ({ rooms: ["nowhere"] }), ["news"], () => []);
  emits("with binaries", () => ({}), ["news", binary, { a: [binary, { b: Buffer.alloc(70_000, 7) }] }],
    everybody(["news", binary, { a: [binary, { b: Buffer.alloc(70_000, 7) }] }]));
  emits("with ten binaries", () => ({}), ["news", ...Array(10).fill(binary)], everybody(["news", ...Array(10).fill(binary)]));
  emits("large", () => ({ rooms: [`server-${to}`] }), ["news", "x".repeat(300_000)], only([`${to}0`, `${to}1`], ["news", "x".repeat(300_000)]));

  test("many, in their order", async () => {
    const numbers = Array.from({ length: 1_000 }, (_, i) => i);
    const sends = () => Promise.all(numbers.map((i) => sender().emit({ rooms: [`server-${to}`] }, "news", i)));
    await check(cluster, sender(), sends, (name) => (name[0] === to ? numbers.map((i) => ["news", i]) : []));
  });

  test("with acknowledgements", async () => {
    const [answers, complete] = await client(near).tell("ask", { rooms: [`server-${to}`] }, "question?", 1);
    assert.ok(complete);
    assert.deepEqual(answers.map((it) => it.text).sort(), [`"${to}0"`, `"${to}1"`]);
  });
  test("with acknowledgements of everybody", async () => {
    const [answers, complete] = await client(near).tell("ask", {}, "question?", 1);
    assert.ok(complete);
    assert.deepEqual(answers.map((it) => JSON.parse(it.text)).sort(), cluster.clients.filter((it) => !it.ended).map((it) => it.name).sort());
  });
  test("with acknowledgements that are binary", async () => {
    const [answers, complete] = await client(near).tell("ask", { rooms: [client(far).socket.id] }, "question", binary);
    assert.ok(complete);
    assert.deepEqual(answers, [{ text: `{"name":"${far}","binary":{"_placeholder":true,"num":0}}`, binaries: [Buffer.from(far).toString("hex")] }]);
  });
  test("with acknowledgements that say nothing", async () => {
    const [answers, complete] = await client(near).tell("ask", { rooms: [`server-${to}`] }, "nothing");
    assert.deepEqual([answers, complete], [Array(2).fill({ text: "null", binaries: [] }), true]);
  });
  test("with acknowledgements of nobody", async () => {
    assert.deepEqual(await client(near).tell("ask", { rooms: ["nowhere"] }, "question?"), [[], true]);
  });
  test("with acknowledgements that do not come", async () => {
    const asked = await client(near).tell("ask", { rooms: [client(far).socket.id, `${client(near).socket.id}`], timeout: 300 }, "mute");
    assert.deepEqual(asked, [[], false]);
  });

  test("fetch the sockets of the other server", async () => {
    const [sockets, complete] = await client(near).tell("fetch", { rooms: [`server-${to}`] });
    assert.ok(complete);
    assert.deepEqual(sockets.map((it) => it.data.name).sort(), [`${to}0`, `${to}1`]);
    const one = sockets.find((it) => it.data.name === far);
    assert.deepEqual(new Set(one.rooms), new Set([client(far).socket.id, `server-${to}`, "first-0", "all", 5]));
    assert.deepEqual([one.id, one.handshake], [client(far).socket.id, true]);
  });
  test("fetch all sockets but some", async () => {
    const [sockets, complete] = await client(near).tell("fetch", { except: [5] });
    assert.ok(complete);
    assert.deepEqual(sockets.map((it) => it.data.name).sort(), ["a1", "b1", "c1"]);
  });
  test("fetch nobody", async () => {
    assert.deepEqual(await client(near).tell("fetch", { rooms: ["nowhere"] }), [[], true]);
  });

  test("an event of the server", async () => {
    const number = fresh();
    await client(near).tell("side", "hello", number, { a: "é" });
    const wanted = JSON.stringify(["heard", ["hello", number, { a: "é" }]]);
    const hears = (it) => it.heard.some((event) => JSON.stringify(event) === wanted);
    await until(`${far} to hear of it`, () => hears(client(far)));
    assert.ok(!hears(client(near)), "not the server that sent it");
  });
  test("an event of the server that is answered", async () => {
    const [answers, complete] = await client(near).tell("side-ask", "question", 1);
    assert.ok(complete);
    assert.deepEqual(answers.map((it) => it.text).sort(), ["a", "b", "c"].filter((it) => it !== from).map((it) => `"${it}"`));
  });
  test("an event of the server that is answered with nothing", async () => {
    const [answers, complete] = await client(near).tell("side-ask", "silent");
    assert.deepEqual([answers.length, complete], [2, true]);
  });

  test("join sockets of the other server", async () => {
    const room = `joined-${from}-${to}`;
    await client(near).tell("bulk", { rooms: [`server-${to}`], except: ["5"], join: [room, 77] });
    await check(cluster, sender(), () => sender().emit({ rooms: [room] }, "news"), only([far], ["news"]));
    await check(cluster, sender(), () => sender().emit({ rooms: [77], except: [`server-${from}`] }, "news"), only([far], ["news"]));
    await client(near).tell("bulk", { rooms: [room], leave: [77, room] });
    await check(cluster, sender(), () => sender().emit({ rooms: [room, 77] }, "news"), () => []);
  });
  for (const close of [false, true])
    test(`disconnect sockets of the other server${close ? " with their connections" : ""}`, async () => {
      const guest = await cluster.client(`${to}9`);
      await guest.tell("join", ["guests"]);
      await sender().emit({ rooms: ["guests"] }, "farewell");
      await client(near).tell("bulk", { rooms: ["guests"], disconnect: close });
      await until("the guest to be sent away", () => guest.ended);
      assert.equal(guest.ended, "io server disconnect");
      assert.deepEqual(guest.heard.filter(([event]) => event === "farewell"), [["farewell"]]);
      cluster.clients.splice(cluster.clients.indexOf(guest), 1);
    });
}

/** What an emitter publishes, which is no server and gets no answer. */
function emitted(cluster, to) {
  let emitter;
  before(() => { emitter = new Emitter(cluster.redis); });
  const client = (name) => cluster.clients.find((it) => it.name === name);
  const sender = () => ({ fence: (number) => emitter.emit("fence", number) });
  const emits = (what, act, expected) => test(what, () => check(cluster, sender(), () => act(emitter), expected));

  emits("to everybody", (it) => it.emit("news", 1), everybody(["news", 1]));
  emits("to a room", (it) => it.to(`server-${to}`).emit("news"), only([`${to}0`, `${to}1`], ["news"]));
  emits("to a number", (it) => it.to(5).volatile.emit("news"), (name) => (name[1] === "0" ? [["news"]] : []));
  emits("to rooms except one", (it) => it.to(["all", 5]).except(`server-${to}`).emit("news"), (name) => (name[0] === to ? [] : [["news"]]));
  emits("with binaries", (it) => it.emit("news", binary, { a: binary }), everybody(["news", binary, { a: binary }]));
  emits("join and leave", (it) => {
    it.in(client(`${to}0`).socket.id).socketsJoin(["emitted", 8]);
    it.to("emitted").emit("news", 1);
    it.to(8).emit("news", 2);
    it.in(8).socketsLeave("emitted");
    it.to("emitted").emit("news", 3);
    it.socketsLeave(8);
    it.to(8).emit("news", 4);
  }, (name) => (name === `${to}0` ? [["news", 1], ["news", 2]] : []));
  test("disconnect", async () => {
    const guest = await cluster.client(`${to}9`);
    await guest.tell("join", ["guests"]);
    emitter.in("guests").disconnectSockets(true);
    await until("the guest to be sent away", () => guest.ended);
    cluster.clients.splice(cluster.clients.indexOf(guest), 1);
  });
  test("an event for the servers", async () => {
    const number = fresh();
    emitter.serverSideEmit("hello", number);
    const wanted = JSON.stringify(["heard", ["hello", number]]);
    await until("it to be heard", () => client(`${to}0`).heard.some((event) => JSON.stringify(event) === wanted));
  });
}

for (const kinds of [["node", "node", "relay"], ["node", "relay", "relay"]])
  describe(kinds.join(", "), () => {
    const cluster = {};
    before(async () => {
      Object.setPrototypeOf(cluster, Cluster.prototype);
      Object.assign(cluster, await Cluster.start(kinds));
      await settle(cluster);
    });
    after(() => cluster.stop());
    // One Node to another is what the others are measured by: first.
    const names = ["a", "b", "c"];
    for (const from of names)
      for (const to of names.filter((it) => it !== from)) {
        const kind = (name) => `${kinds["abc".indexOf(name)]} ${name}`;
        describe(`from ${kind(from)} to ${kind(to)}`, () => cells(cluster, from, to));
      }
    for (const to of names) describe(`from the emitter to ${kinds["abc".indexOf(to)]} ${to}`, () => emitted(cluster, to));
    test("no server ended", () => assert.deepEqual(cluster.dead(), []));
    test("servers that end are not counted any more", async () => {
      const channel = "socket.io-request#/#";
      await cluster.peer("c").stop();
      await cluster.counts(channel, 2);
      const [sockets, complete] = await cluster.clients.find((it) => it.name === "a0").tell("fetch", {});
      assert.deepEqual([sockets.length, complete], [4, true]);
    });
  });
