// Clusters of two servers for Node and one of Relay that have another parser than notepack, and an emitter
// with it. Every cell is a test: what is encoded by the parser, and what is JSON in any case beside it.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Emitter } from "@socket.io/redis-emitter";
import { check, everybody, fresh, only, server, settle } from "./lib/check.mjs";
import { Cluster, until } from "./lib/cluster.mjs";
import { parsers } from "./lib/parsers.mjs";

const kinds = ["node", "node", "relay"];
const names = ["a", "b", "c"];

const texts = ["é😀", "\u2028\u0000\"\\\n", "\u{10ffff}", "x".repeat(40), "ü".repeat(300), { "ключ": "値" }];
const numbers = [0, -0.5, 127, 128, -32, -33, 65_536, 2 ** 31, 2 ** 32 - 1, -(2 ** 31),
  2 ** 32, -(2 ** 31) - 1, 1_700_000_000_123, 2 ** 53 - 1, -(2 ** 53 - 1), 2 ** 53, 1e21, 1e-7, 1.7976931348623157e308];
const nested = { a: [1, [2, { b: null }], true], list: Array.from({ length: 20 }, (_, i) => i), empty: [{}, []] };
const binary = Buffer.from([0, 1, 99, 100, 255]);

/** A binary as it arrives from another server. */
const foreign = { json: (it) => it.toJSON(), msgpackr: (it) => it };

function cells(cluster, parser, from, to) {
  const [near, far] = [`${from}0`, `${to}0`];
  const client = (name) => cluster.clients.find((it) => it.name === name);
  const emits = (what, options, event, expected) => test(what, () => {
    const sender = server(client(near));
    return check(cluster, sender, () => sender.emit(options(), ...event), expected);
  });
  const arrives = (it) => (name) => (name[0] === from ? it : foreign[parser](it));

  emits("texts to everybody", () => ({}), ["news", ...texts], everybody(["news", ...texts]));
  emits("numbers to everybody", () => ({ volatile: true }), ["news", ...numbers], everybody(["news", ...numbers]));
  emits("nested to everybody", () => ({}), ["news", nested], everybody(["news", nested]));
  emits("to a room", () => ({ rooms: [`server-${to}`] }), ["news", "é"], only([far, `${to}1`], ["news", "é"]));
  emits("to a room that is a number", () => ({ rooms: [5] }), ["news"], (name) => (name[1] === "0" ? [["news"]] : []));
  emits("to several rooms", () => ({ rooms: [`server-${to}`, "first-0", 2 ** 40] }), ["news"], (name) => (name[0] === to || name[1] === "0" ? [["news"]] : []));
  emits("to a room that is a long number", () => ({ rooms: [1_700_000_000_123] }), ["news"], only([far], ["news"]));
  emits("to one socket", () => ({ rooms: [client(far).socket.id] }), ["news"], only([far], ["news"]));
  emits("to all others except a room", () => ({ rooms: ["all"], except: [`server-${to}`, client(near).socket.id] }), ["news"],
    (name) => (name[0] === to || name === near ? [] : [["news"]]));
  emits("with binaries", () => ({}), ["news", binary, { a: [binary] }, Buffer.alloc(0)], (name) => {
    const it = arrives(binary)(name);
    return [["news", it, { a: [it] }, arrives(Buffer.alloc(0))(name)]];
  });
  emits("with a large binary", () => ({ rooms: [`server-${to}`] }), ["news", Buffer.alloc(70_000, 200)], (name) =>
    only([far, `${to}1`], ["news", arrives(Buffer.alloc(70_000, 200))(name)])(name));
  emits("large", () => ({ rooms: [`server-${to}`] }), ["news", "x".repeat(300_000)], only([far, `${to}1`], ["news", "x".repeat(300_000)]));

  const asks = (what, event, expected) => test(what, async () => {
    const [answers, complete] = await client(near).tell("ask", { rooms: [`server-${to}`] }, ...event);
    assert.ok(complete);
    assert.deepEqual(answers.map((it) => JSON.parse(it.text)).sort(), expected);
    assert.ok(answers.every((it) => it.binaries.length === 0));
  });
  asks("with acknowledgements", ["question?", "é"], [far, `${to}1`]);
  asks("with acknowledgements that say nothing", ["nothing"], [null, null]);
  asks("with acknowledgements that are numbers", ["echo", numbers], [numbers, numbers]);
  asks("with acknowledgements that are nested", ["echo", [nested, ...texts]], [[nested, ...texts], [nested, ...texts]]);
  test("with acknowledgements of everybody", async () => {
    const [answers, complete] = await client(near).tell("ask", {}, "question?", 1);
    assert.ok(complete);
    assert.deepEqual(answers.map((it) => JSON.parse(it.text)).sort(), cluster.clients.map((it) => it.name).sort());
  });
  test("with acknowledgements that are binary", async () => {
    const [[answer], complete] = await client(near).tell("ask", { rooms: [client(far).socket.id] }, "question", binary);
    assert.ok(complete);
    const asObject = { text: JSON.stringify({ name: far, binary: Buffer.from(far) }), binaries: [] };
    const asBinary = { text: `{"name":"${far}","binary":{"_placeholder":true,"num":0}}`, binaries: [Buffer.from(far).toString("hex")] };
    assert.deepEqual(answer, parser === "json" ? asObject : asBinary);
    const heard = client(far).heard.find(([event]) => event === "question");
    client(far).heard.splice(client(far).heard.indexOf(heard), 1);
    assert.deepEqual(heard, ["question", foreign[parser](binary)]);
  });

  // What is JSON with any parser.
  test("fetch the sockets of the other server", async () => {
    const [sockets, complete] = await client(near).tell("fetch", { rooms: [`server-${to}`] });
    assert.deepEqual([sockets.map((it) => it.data.name).sort(), complete], [[far, `${to}1`], true]);
  });
  test("an event of the server that is answered", async () => {
    const [answers, complete] = await client(near).tell("side-ask", "question", 1);
    assert.ok(complete);
    assert.deepEqual(answers.map((it) => it.text).sort(), names.filter((it) => it !== from).map((it) => `"${it}"`));
  });
  test("join sockets of the other server", async () => {
    const room = `joined-${from}-${to}`;
    await client(near).tell("bulk", { rooms: [`server-${to}`], except: ["5"], join: [room] });
    const sender = server(client(near));
    await check(cluster, sender, () => sender.emit({ rooms: [room] }, "news"), only([far], ["news"]));
  });
  if (kinds[names.indexOf(from)] === "relay")
    test("count sockets", async () => {
      assert.deepEqual(await client(near).tell("count", { rooms: ["all"] }), [6, true]);
    });
}

function emitted(cluster, parser, to) {
  let emitter;
  before(() => { emitter = new Emitter(cluster.redis, { parser: parsers[parser] }); });
  const sender = { fence: (number) => emitter.emit("fence", number) };
  const emits = (what, act, expected) => test(what, () => check(cluster, sender, () => act(emitter), expected));

  emits("texts to everybody", (it) => it.emit("news", ...texts), everybody(["news", ...texts]));
  emits("numbers to everybody", (it) => it.emit("news", ...numbers), everybody(["news", ...numbers]));
  emits("nested to a room", (it) => it.to(`server-${to}`).emit("news", nested), only([`${to}0`, `${to}1`], ["news", nested]));
  emits("to a number", (it) => it.to(5).volatile.emit("news"), (name) => (name[1] === "0" ? [["news"]] : []));
  emits("to rooms except one", (it) => it.to(["all", 5]).except(`server-${to}`).emit("news"), (name) => (name[0] === to ? [] : [["news"]]));
  emits("with binaries", (it) => it.emit("news", binary, { a: binary }),
    everybody(["news", foreign[parser](binary), { a: foreign[parser](binary) }]));
  test("an event for the servers", async () => {
    const number = fresh();
    emitter.serverSideEmit("hello", number);
    const wanted = JSON.stringify(["heard", ["hello", number]]);
    const client = cluster.clients.find((it) => it.name === `${to}0`);
    await until("it to be heard", () => client.heard.some((event) => JSON.stringify(event) === wanted));
  });
}

for (const parser of ["json", "msgpackr"])
  describe(`${parser}: ${kinds.join(", ")}`, () => {
    const cluster = {};
    before(async () => {
      Object.setPrototypeOf(cluster, Cluster.prototype);
      Object.assign(cluster, await Cluster.start(kinds, { parser }));
      await settle(cluster);
    });
    after(() => cluster.stop());
    const kind = (name) => `${kinds[names.indexOf(name)]} ${name}`;
    for (const from of names)
      for (const to of names.filter((it) => it !== from))
        describe(`from ${kind(from)} to ${kind(to)}`, () => {
          before(() => cluster.clients.find((it) => it.name === `${to}0`).tell("join", [1_700_000_000_123]));
          after(() => cluster.clients.find((it) => it.name === `${to}0`).tell("leave", [1_700_000_000_123]));
          cells(cluster, parser, from, to);
        });
    for (const to of names) describe(`from the emitter to ${kind(to)}`, () => emitted(cluster, parser, to));
    test("no server ended", () => assert.deepEqual(cluster.dead(), []));
  });
