// Writes the .jsonl files of this folder: what the Node adapters and the emitter publish when their
// API is called, what they answer, and what they make of broken messages. Redis is played by an
// object that notes what is published. Used as `node generate.mjs [folder for the .jsonl files]`;
// the same versions give the same files.
import { createRequire } from "node:module";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Server } from "socket.io";
import { createAdapter } from "@socket.io/redis-adapter";
import { Emitter } from "@socket.io/redis-emitter";
import notepack from "notepack.io";

const require = createRequire(import.meta.url);
const folder = process.argv[2] ?? ".";
const hex = (data) => Buffer.from(data).toString("hex");
const bin = (...bytes) => Buffer.from(bytes);
const UID = "abc123", REQUEST = "req001";

function write(name, cases) {
  const lines = cases.map((one) => JSON.stringify(one).replace(/[\u007f-\uffff]/g,
    (c) => "\\u" + c.charCodeAt(0).toString(16).padStart(4, "0")));
  writeFileSync(join(folder, name), lines.join("\n") + "\n");
  console.log(name, cases.length);
}

// --- Redis that only notes ------------------------------------------------------------------------
const published = [];
const redis = () => ({
  publish: (channel, message) => { published.push({ channel, message }); return Promise.resolve(1); },
  psubscribe() {}, subscribe() {}, on() {}, off() {}, listenerCount: () => 2,
  // NUMSUB: three subscribers, so that the adapter asks at all.
  send_command: (_name, args, done) => done?.(null, [args[1], "3"]),
  call: async (_name, _sub, channel) => [channel, 3],
});
const take = () => published.splice(0);
const turn = () => new Promise((resolve) => setImmediate(resolve));

function namespace(name) {
  const io = new Server({ adapter: createAdapter(redis(), redis()) });
  const it = io.of(name);
  it.adapter.uid = UID;
  it.adapter.serverCount = async () => 3;
  return it;
}

// The value as text and its binaries, as the default parser takes them apart.
function taken(value) {
  const attachments = [];
  const replace = (it) => {
    if (Buffer.isBuffer(it)) return { _placeholder: true, num: attachments.push(hex(it)) - 1 };
    if (Array.isArray(it)) return it.map(replace);
    if (it && typeof it === "object" && !(it instanceof Date)) return Object.fromEntries(Object.entries(it).map(([k, v]) => [k, replace(v)]));
    return it;
  };
  return { args: JSON.stringify(replace(value)), attachments };
}

// --- Broadcasts -----------------------------------------------------------------------------------
const audiences = [
  { rooms: [], except: [] }, { rooms: ["r1"], except: [] }, { rooms: [5], except: [] }, { rooms: ["5"], except: [] }, { rooms: ["a", 5, "b"], except: ["c", 7] },
  { rooms: [], except: ["sid"] }, { rooms: ["é😀#*"], except: [] }, { rooms: [-1.5], except: [0.25] }, { rooms: [""], except: [] }, { rooms: ["r".repeat(40)], except: ["x".repeat(300)] },
  { rooms: Array.from({ length: 20 }, (_, i) => "room" + i), except: Array.from({ length: 17 }, (_, i) => i) },
];
const events = [
  ["foo"], ["foo", 1, "x"], [5, null], ["foo", { a: 1, b: [true, false, null], "1": 0 }], ["é", "😀", "\u2028\u0000"], ["n", 1.5, -0, 2 ** 40, -(2 ** 53 - 1), 1e-7],
  ["foo", bin(1, 2)], ["foo", { a: [bin(1), { b: bin() }] }, bin(255)], ["ten", ...Array.from({ length: 10 }, (_, i) => bin(i))], ["b", Buffer.alloc(256, 7)], ["d", new Date(1700000000123), new Date(1700000000000)],
  ["u", undefined, { u: undefined, v: 1 }], ["deep", [[[[[[[[{ a: {} }]]]]]]]]],
];
const broadcasts = [];
for (const [i, data] of events.entries())
  for (const [j, { rooms, except }] of audiences.entries()) {
    if (i > 1 && j > 1 && (i + j) % 4) continue;
    const nsp = ["/", "/relay", "/a#b", "/é"][(i + j) % 4];
    const volatile = (i + j) % 3 === 0;
    const it = namespace(nsp);
    let operator = it.to(rooms).except(except);
    if (volatile) operator = operator.volatile;
    operator.emit(...data);
    const [{ channel, message }] = take();
    broadcasts.push({ by: "adapter", uid: UID, nsp, channel, hex: hex(message), ...taken(data), rooms, except, volatile, exact: !data.some((it) => it instanceof Date) });
    const emitter = new Emitter(redis()).of(nsp);
    operator = emitter.to(rooms).except(except);
    if (volatile) operator = operator.volatile;
    operator.emit(...data);
    for (const { channel, message } of take())
      broadcasts.push({ by: "emitter", uid: "emitter", nsp, channel, hex: hex(message), ...taken(data), rooms, except, volatile, exact: false });
  }
// Socket.IO 2: notepack 2, a type of its own for events with binaries, lists that may be absent.
const old = require("socket.io-redis");
const oldNamespace = { name: "/", connected: {}, adapter: null, server: { encoder: { encode: (_packet, done) => done([]) } } };
const oldAdapter = new (old({ pubClient: redis(), subClient: redis() }))(oldNamespace);
const oldUid = oldAdapter.uid;
const fixed = (message) => Buffer.from(Buffer.from(message).toString("latin1").replaceAll(oldUid, UID), "latin1");
for (const [data, opts, expected] of [
  [["foo", 1], {}, {}], [["foo"], { rooms: ["r1"], except: ["x"], flags: {} }, { rooms: ["r1"], except: ["x"] }],
  [["foo", bin(1, 2)], { rooms: ["a", "b"], flags: { volatile: true } }, { rooms: ["a", "b"], volatile: true }], [["d", new Date(1700000000123), undefined], { except: ["s"] }, { except: ["s"] }],
]) {
  oldAdapter.broadcast({ type: data.some(Buffer.isBuffer) ? 5 : 2, data }, opts);
  const [{ channel, message }] = take();
  broadcasts.push({ by: "5.x", uid: UID, nsp: "/", channel, hex: hex(fixed(message)), ...taken(data), rooms: [], except: [], volatile: false, ...expected, exact: false });
}
write("broadcasts.jsonl", broadcasts);

// --- Requests of the adapter ------------------------------------------------------------------------
const requests = [];
async function request(call, what) {
  const it = namespace("/relay");
  call(it);
  await turn(); await turn();
  for (const { channel, message } of take()) {
    const text = Buffer.from(message).toString("latin1");
    const id = /requestId(?:":"|\xa6)([A-Za-z0-9_-]{6})/.exec(text)?.[1];
    requests.push({ channel, hex: hex(Buffer.from(id ? text.replaceAll(id, REQUEST) : text, "latin1")), ...what, id: id ? REQUEST : null });
  }
}
for (const { rooms, except } of audiences) {
  const on = (it) => it.in(rooms).except(except);
  await request((it) => on(it).socketsJoin(["x", 5]), { what: "join", rooms, except, list: ["x", 5] });
  await request((it) => on(it).socketsLeave("é"), { what: "leave", rooms, except, list: ["é"] });
  await request((it) => on(it).disconnectSockets(), { what: "disconnect", rooms, except, close: false });
  await request((it) => on(it).disconnectSockets(true), { what: "disconnect", rooms, except, close: true });
  await request((it) => void on(it).fetchSockets().catch(() => {}), { what: "fetch", rooms, except });
  for (const data of [["q"], ["foo", bin(1, 2), { a: 1 }]])
    await request((it) => on(it).timeout(500).emit(...data, () => {}), { what: "broadcast", rooms, except, ...taken(data), timeout: 500 });
}
await request((it) => it.serverSideEmit("hello", 1, { a: "é" }), { what: "serverSideEmit", args: '["hello",1,{"a":"é"}]' });
await request((it) => it.serverSideEmit("hello", [null], () => {}), { what: "serverSideEmit", args: '["hello",[null]]' });
await request((it) => void it.adapter.allRooms().catch(() => {}), { what: "allRooms" });
write("requests.jsonl", requests);

// --- Requests that only others send, as they stand in their code -----------------------------------
const emitted = [];
const emitter = new Emitter(redis()).of("/relay");
for (const [call, what] of [
  [(it) => it.in(["a", 5]).except("b").socketsJoin(["x"]), { what: "join", rooms: ["a", 5], except: ["b"], list: ["x"] }],
  [(it) => it.socketsLeave("x"), { what: "leave", rooms: [], except: [], list: ["x"] }],
  [(it) => it.in("a").disconnectSockets(true), { what: "disconnect", rooms: ["a"], except: [], close: true }],
  [(it) => it.in("a").disconnectSockets(), { what: "disconnect", rooms: ["a"], except: [], close: false }],
  [(it) => it.serverSideEmit("hello", 1), { what: "serverSideEmit", args: '["hello",1]' }],
]) {
  call(emitter);
  for (const { channel, message } of take()) emitted.push({ by: "emitter", channel, hex: hex(message), ...what, id: null });
}
oldAdapter.rooms = {};
for (const [call, what] of [
  [(it) => it.clients(["a"], () => {}), { what: "sockets", rooms: ["a"] }], [(it) => it.clientRooms("S", () => {}), { what: "roomsOf", socket: "S" }], [(it) => it.allRooms(() => {}), { what: "allRooms" }],
  [(it) => it.remoteJoin("S", "r", () => {}), { what: "join", rooms: ["S"], except: [], list: ["r"], confirm: true }], [(it) => it.remoteLeave("S", "r", () => {}), { what: "leave", rooms: ["S"], except: [], list: ["r"], confirm: true }],
  [(it) => it.remoteDisconnect("S", true, () => {}), { what: "disconnect", rooms: ["S"], except: [], close: true, confirm: true }], [(it) => it.customRequest({ a: 1 }, () => {}), { what: "custom" }],
]) {
  call(oldAdapter);
  await turn();
  for (const { channel, message } of take()) {
    const id = JSON.parse(message).requestid;
    emitted.push({ by: "5.x", channel, hex: hex(Buffer.from(String(message).replaceAll(id, REQUEST))), ...what, id: REQUEST });
  }
}
write("emitted.jsonl", emitted);

// --- Answers --------------------------------------------------------------------------------------
const answers = [];
async function answer(message, what, prepare = () => {}) {
  const it = namespace("/relay");
  prepare(it);
  await it.adapter.onrequest(it.adapter.requestChannel, Buffer.isBuffer(message) ? message : Buffer.from(JSON.stringify(message)));
  await turn();
  for (const { channel, message } of take()) answers.push({ channel, hex: hex(message), ...what });
}
const handshake = { headers: { host: "h" }, time: "t", address: "::1", xdomain: false, secure: false, issued: 1, url: "/", query: {}, auth: {} };
const socket = (id, rooms, data) => (it) => {
  const client = { id, handshake, rooms: new Set(rooms), data, client: { writeToEngine() {} }, notifyOutgoingListeners() {}, acks: new Map(), packet() {} };
  it.sockets.set(id, client);
  it.adapter.addAll(id, new Set(rooms));
  return client;
};
const id = { uid: "peer01", requestId: REQUEST };
const one = socket("S1", ["S1", 5, "r"], { user: "é" });
await answer({ ...id, type: 0, rooms: [] }, { what: "ids", ids: ["S1"] }, one);
await answer({ ...id, type: 0, rooms: ["x"] }, { what: "ids", ids: [] }, one);
await answer({ ...id, type: 1 }, { what: "rooms", rooms: ["S1", 5, "r"] }, one);
await answer({ ...id, type: 5, opts: { rooms: [5], except: [] } }, { what: "sockets", sockets: [{ id: "S1", handshake: JSON.stringify(handshake), rooms: ["S1", 5, "r"], data: '{"user":"é"}' }] }, one);
await answer({ ...id, type: 5, opts: { rooms: ["5"], except: [] } }, { what: "sockets", sockets: [] }, one);
for (const value of [undefined, null, 7, "é", { a: [1] }])
  await answer({ ...id, type: 6, data: ["hello"] }, { what: "serverSide", data: value === undefined ? null : JSON.stringify(value) }, (it) => it.on("hello", (done) => done(value)));
for (const value of [undefined, null, "ok", 1.5, { a: bin(1) }, bin(1, 2)]) {
  const { args, attachments } = value === undefined ? { args: null, attachments: [] } : taken(value);
  const clients = [];
  await answer(notepack.encode({ ...id, type: 7, packet: { type: 2, data: ["q"], nsp: "/relay" }, opts: { rooms: [], except: [], flags: { timeout: 50 } } }), { what: "count", count: 1 }, (it) => clients.push(one(it)));
  for (const client of clients) for (const done of client.acks.values()) done(value);
  for (const { channel, message } of take()) answers.push({ channel, hex: hex(message), what: "ack", json: args, attachments });
}
await answer(notepack.encode({ ...id, type: 7, packet: { type: 2, data: ["q"], nsp: "/relay" }, opts: { rooms: ["x"], except: [], flags: { timeout: 50 } } }), { what: "count", count: 0 });
const joiner = (it) => { const client = one(it); client.join = client.leave = client.disconnect = () => {}; };
await answer({ requestId: REQUEST, type: 2, sid: "S1", room: "r" }, { what: "done" }, joiner);
write("answers.jsonl", answers);

// --- What the adapter makes of a request to count, which Relay alone sends -------------------------
const counts = [];
for (const [rooms, except] of [[[], []], [["r"], []], [[5], []], [["5"], []], [["r", "s"], [5]], [[], ["r"]], [["nowhere"], []], [["é\ud83d\ude00"], ["\u2028"]]]) {
  const it = namespace("/relay");
  for (const [name, ...more] of [["S1", "r", 5], ["S2", "r"], ["S3", "s", "é\ud83d\ude00"]]) socket(name, [name, ...more], {})(it);
  const request = JSON.stringify({ ...id, type: 5, opts: { rooms, except }, relay: "count" });
  await it.adapter.onrequest(it.adapter.requestChannel, Buffer.from(request));
  const [{ channel, message }, ...others] = take();
  const sockets = (await it.in(rooms).except(except).local.fetchSockets()).length;
  counts.push({ rooms, except, request, channel, hex: hex(message), sockets, others: others.length });
}
write("counts.jsonl", counts);

// --- Broken broadcasts: what notepack and the adapter make of them ---------------------------------
let state = 0x5eed;
function random(below) {
  state = (state + 0x6d2b79f5) | 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) % below;
}
const seeds = ["93a661626331323383a47479706502a46461746193a3666f6f01a178a36e7370a12f83a5726f6f6d7391a27231a665786365707490a5666c61677380",
  hex(notepack.encode(["peer01", { type: 2, data: ["é", bin(1, 2), { a: [1.5] }], nsp: "/" }, { rooms: ["a", 5], except: [null], flags: { volatile: true, timeout: 5 } }])),
  hex(notepack.encode(["peer01", { type: 2, data: ["x"] }, { rooms: [] }]))].map((it) => [...Buffer.from(it, "hex")]);
const hostile = [];
for (let i = 0; i < 1500; i++) {
  const bytes = [...seeds[i % seeds.length]];
  for (let n = 1 + random(2); n > 0; n--) {
    const at = random(bytes.length);
    switch (random(4)) {
      case 0: bytes.splice(at, 1); break;
      case 1: bytes.splice(at, 0, [0x80, 0x81, 0x90, 0x91, 0xa0, 0xa1, 0xc0, 0xc1, 0xc3, 0xc4, 0xd4, 0, 1][random(13)]); break;
      case 2: bytes[at] = random(256); break;
      default: bytes[at] ^= 1 << random(8);
    }
  }
  const it = namespace("/");
  it.adapter.uid = "peer02";
  let delivered = null, died = false;
  Object.getPrototypeOf(Object.getPrototypeOf(it.adapter)).broadcast = (packet, opts) => { delivered = { ...taken(packet.data), rooms: [...opts.rooms], except: [...opts.except] }; };
  try { it.adapter.onmessage(null, "socket.io#/#", Buffer.from(bytes)); } catch { died = true; }
  hostile.push({ hex: hex(bytes), died, delivered });
}
write("hostile.jsonl", hostile);
process.exit(0);
