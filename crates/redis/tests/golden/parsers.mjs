// Writes parsers.jsonl: what the Node adapter and the emitter publish with another `parser` than
// notepack, and what a Node server takes from us then. Used as `node parsers.mjs [folder]`; the same
// versions give the same file.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { Server } from "socket.io";
import { createAdapter } from "@socket.io/redis-adapter";
import { Emitter } from "@socket.io/redis-emitter";
import * as msgpackr from "msgpackr";

const folder = process.argv[2] ?? ".";
const parsers = {
  json: { encode: JSON.stringify, decode: JSON.parse },
  msgpackr: { encode: msgpackr.pack, decode: msgpackr.unpack },
};
const hex = (data) => Buffer.from(data).toString("hex");
const bin = (...bytes) => Buffer.from(bytes);
const UID = "abc123", REQUEST = "req001";

const published = [];
const redis = () => ({
  publish: (channel, message) => { published.push({ channel, message }); return Promise.resolve(1); },
  psubscribe() {}, subscribe() {}, on() {}, off() {}, listenerCount: () => 2,
});
const take = () => published.splice(0);

function namespace(parser, name) {
  const io = new Server({ adapter: createAdapter(redis(), redis(), { parser }) });
  const it = io.of(name);
  it.adapter.uid = UID;
  return it;
}

// --- What we write -----------------------------------------------------------------------------------
// The msgpack that Relay writes for msgpackr, in the few forms that it uses. Each is decoded by the
// package below, so that a test that finds the same bytes knows what a Node server makes of them.
function msgpack(value, out = []) {
  const uint = (bytes, number) => { for (let i = bytes - 1; i >= 0; i--) out.push(Math.floor(number / 256 ** i) % 256); };
  const sized = (length, forms) => {
    for (const [below, head, bytes] of forms) if (length < below) { out.push(bytes ? head : head + length); return uint(bytes, length); }
  };
  if (value === null || value === undefined) out.push(0xc0);
  else if (typeof value === "boolean") out.push(value ? 0xc3 : 0xc2);
  else if (typeof value === "number") {
    if (!Number.isInteger(value) || value >= 2 ** 32 || value < -(2 ** 31)) { const double = Buffer.alloc(8); double.writeDoubleBE(value); out.push(0xcb, ...double); }
    else if (value >= 0) sized(value, [[128, 0, 0], [256, 0xcc, 1], [2 ** 16, 0xcd, 2], [2 ** 32, 0xce, 4]]);
    else if (value >= -32) out.push(256 + value);
    else for (const [bytes, head] of [[1, 0xd0], [2, 0xd1], [4, 0xd2]]) if (value >= -(256 ** bytes) / 2) { out.push(head); uint(bytes, value + 256 ** bytes); break; }
  } else if (typeof value === "string") {
    const text = Buffer.from(value);
    sized(text.length, [[32, 0xa0, 0], [256, 0xd9, 1], [2 ** 16, 0xda, 2], [2 ** 32, 0xdb, 4]]);
    for (const byte of text) out.push(byte);
  } else if (Buffer.isBuffer(value)) {
    sized(value.length, [[256, 0xc4, 1], [2 ** 16, 0xc5, 2], [2 ** 32, 0xc6, 4]]);
    for (const byte of value) out.push(byte);
  } else if (Array.isArray(value)) {
    sized(value.length, [[16, 0x90, 0], [2 ** 16, 0xdc, 2], [2 ** 32, 0xdd, 4]]);
    for (const it of value) msgpack(it, out);
  } else {
    const members = Object.entries(value).filter(([, it]) => it !== undefined);
    sized(members.length, [[16, 0x80, 0], [2 ** 16, 0xde, 2], [2 ** 32, 0xdf, 4]]);
    for (const [key, it] of members) { msgpack(key, out); msgpack(it, out); }
  }
  return out;
}

// The value as text and its binaries. With JSON there are none: a Buffer is an object there.
function taken(name, value) {
  const attachments = [];
  const replace = (it) => {
    if (ArrayBuffer.isView(it) && !Buffer.isBuffer(it)) return replace(Buffer.from(it.buffer, it.byteOffset, it.byteLength));
    if (it instanceof ArrayBuffer) return replace(Buffer.from(it));
    if (Buffer.isBuffer(it)) return { _placeholder: true, num: attachments.push(hex(it)) - 1 };
    if (it instanceof Set) return replace([...it]);
    if (it instanceof Map) return replace(Object.fromEntries(it));
    if (typeof it === "bigint") return Number(it);
    if (Array.isArray(it)) return it.map(replace);
    if (it && typeof it === "object" && !(it instanceof Date)) return Object.fromEntries(Object.entries(it).map(([k, v]) => [k, replace(v)]));
    return it;
  };
  const text = JSON.stringify(replace(value));
  return { sent: text, attachments, heard: name === "json" ? JSON.stringify(value) : text };
}

// Whether the values are such that ours are their bytes decoded to the same.
function check(name, bytes, expected) {
  const plain = (it) => JSON.parse(JSON.stringify(it));
  const decoded = parsers[name].decode(Buffer.from(bytes));
  const same = name === "json" ? isDeepStrictEqual(decoded, plain(expected)) : isDeepStrictEqual(plain(decoded), plain(expected));
  if (!same) throw new Error(`${name}: ${JSON.stringify(decoded)} instead of ${JSON.stringify(expected)}`);
  return hex(bytes);
}

const ours = (name, value) => check(name, name === "json" ? Buffer.from(JSON.stringify(value)) : msgpack(value), value);

// --- Values ------------------------------------------------------------------------------------------
const plain = [
  ["foo"], ["foo", 1, "x"], [5, null], ["foo", { a: 1, b: [true, false, null] }], ["é", "😀", "\u2028\u0000\"\\"], ["deep", [[[[[[[[{ a: {} }]]]]]]]]],
  ["n", 0, 127, 128, 255, 256, 65535, 65536, 2 ** 31, 2 ** 32 - 1, -1, -32, -33, -128, -129, -32768, -32769, -(2 ** 31)],
  ["wide", 2 ** 32, -(2 ** 31) - 1, 1700000000123, 2 ** 53 - 1, -(2 ** 53 - 1), 2 ** 53, 1.5, 1e-7, 1e21, 1e300, -0.5],
  ["foo", bin(1, 2)], ["foo", { a: [bin(1), { b: bin() }] }, bin(0, 9, 10, 99, 100, 255)], ["ten", ...Array.from({ length: 10 }, (_, i) => bin(i))], ["b", Buffer.alloc(256, 7)],
  ["s", "x".repeat(31), "x".repeat(32), "x".repeat(300), "é".repeat(40)], ["l", Array.from({ length: 20 }, (_, i) => i), Object.fromEntries(Array.from({ length: 20 }, (_, i) => ["k" + i, i]))],
];
// What JSON text does not say: it is read, never written.
const others = [
  ["u", undefined, { u: undefined, v: 1 }], ["nan", NaN, Infinity, -Infinity, -0], ["d", new Date(1700000000123), new Date(1700000000000), new Date(-1), { d: new Date(NaN) }],
];
// Servers for Node end of the first: a BigInt is no JSON. An emitter sends them.
const emittedOnly = [["big", 2n ** 60n, -(2n ** 60n), 2n ** 63n, 5n, -5n], ["m", new Map([["a", 1], [2, { b: [] }]]), new Set([1, "x"])], ["t", new Uint8Array([1, 2]), new Uint8Array([7]).buffer]];
const audiences = [
  { rooms: [], except: [] }, { rooms: ["r1"], except: [] }, { rooms: [5], except: ["5"] }, { rooms: ["a", 5, "b", 1700000000123], except: ["c", 7] },
  { rooms: ["é😀#*\""], except: [] }, { rooms: [-1.5], except: [0.25] }, { rooms: Array.from({ length: 20 }, (_, i) => "room" + i), except: Array.from({ length: 17 }, (_, i) => i) },
];

const cases = [];
for (const [name, parser] of Object.entries(parsers)) {
  const events = [...plain, ...others, ...(name === "msgpackr" ? emittedOnly : [])];
  for (const [i, data] of events.entries())
    for (const [j, { rooms, except }] of audiences.entries()) {
      if (i > 1 && j > 0 && (i + j) % 3) continue;
      const nsp = ["/", "/relay", "/a#b", "/é\""][(i + j) % 4];
      const volatile = (i + j) % 2 === 0;
      const flags = volatile ? { volatile: true } : {};
      const said = { parser: name, nsp, rooms, except, volatile, ...taken(name, data) };
      const to = (it) => { const operator = it.to(rooms).except(except); return volatile ? operator.volatile : operator; };
      const written = i < plain.length;

      to(new Emitter(redis(), { parser }).of(nsp)).emit(...data);
      for (const { message } of take()) cases.push({ what: "broadcast", by: "emitter", uid: "emitter", hex: hex(message), ours: null, ...said });

      if (emittedOnly.includes(data)) continue;

      to(namespace(parser, nsp)).emit(...data);
      const [{ message }] = take();
      cases.push({ what: "broadcast", by: "adapter", uid: UID, hex: hex(message), ours: written ? ours(name, [UID, { type: 2, data, nsp }, { rooms, except, flags }]) : null, ...said });
      if (j > 1) continue;
      to(namespace(parser, nsp)).timeout(500).emit(...data, () => {});
      const [request] = take();
      const text = Buffer.from(request.message).toString("latin1");
      const id = /requestId(?:":"|\xa6)([A-Za-z0-9_-]{6})/.exec(text)[1];
      const opts = { rooms, except, flags: { ...flags, timeout: 500 } };
      cases.push({
        what: "request", by: "adapter", uid: UID, hex: hex(Buffer.from(text.replaceAll(id, REQUEST), "latin1")),
        ours: written ? ours(name, { uid: UID, requestId: REQUEST, type: 7, packet: { type: 2, data, nsp }, opts }) : null, ...said,
      });

      // What a client says to it.
      const it = namespace(parser, "/relay");
      const value = data[1];
      const client = { id: "S1", rooms: new Set(["S1"]), client: { writeToEngine() {} }, notifyOutgoingListeners() {}, acks: new Map(), packet() {} };
      it.sockets.set("S1", client);
      it.adapter.addAll("S1", new Set(["S1"]));
      await it.adapter.onrequest(it.adapter.requestChannel, Buffer.from(parser.encode({ uid: "peer01", requestId: REQUEST, type: 7, packet: { type: 2, data: ["q"], nsp: "/relay" }, opts: { rooms: [], except: [], flags: { timeout: 50 } } })));
      take();
      for (const done of client.acks.values()) done(value);
      const answered = value === undefined ? { sent: null, heard: null, attachments: [] } : taken(name, value);
      const ack = { type: 9, requestId: REQUEST, ...(value === undefined ? {} : { packet: value }) };
      for (const { message } of take()) cases.push({ what: "ack", parser: name, hex: hex(message), ours: written ? ours(name, ack) : null, ...answered });
    }
}

// --- What a server with `pack` and `unpack` never writes: records, sets, references, types of others --
const unlike = (what, message) => cases.push({ what: "unlike", parser: "msgpackr", by: what, hex: hex(message) });
const message = (...args) => [UID, { type: 2, data: ["foo", ...args], nsp: "/" }, { rooms: [], except: [], flags: {} }];
unlike("records", new msgpackr.Packr().pack(message({ a: 1 }, { a: 2 })));
unlike("records in a request", new msgpackr.Packr().pack({ uid: UID, requestId: REQUEST, type: 7, packet: message()[1], opts: message()[2] }));
const more = new msgpackr.Packr({ useRecords: false, moreTypes: true });
for (const value of [new Set([1]), new Error("x"), /x/, new Uint16Array([1]), 2n ** 70n]) unlike(value.constructor.name, more.pack(message(value)));
const same = {};
unlike("references", new msgpackr.Packr({ useRecords: false, structuredClone: true }).pack(message(same, same)));
unlike("bundles", new msgpackr.Packr({ useRecords: false, bundleStrings: true }).pack(message("bundled", "strings")));

const lines = cases.map((one) => JSON.stringify(one).replace(/[\u007f-\uffff]/g, (c) => "\\u" + c.charCodeAt(0).toString(16).padStart(4, "0")));
writeFileSync(join(folder, "parsers.jsonl"), lines.join("\n") + "\n");
console.log("parsers.jsonl", cases.length);
process.exit(0);
