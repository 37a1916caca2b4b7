// Writes the msgpack_*.jsonl files of this folder: what socket.io-msgpack-parser (with notepack.io
// 2.2 inside) makes of the inputs below. For values that come from JSON, notepack.io 3 must give
// the same. Used as generate.mjs: `node msgpack.mjs <folder for the .jsonl files> [rounds]`. The
// same versions and rounds (1 for the files here) give the same files.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import parser from "socket.io-msgpack-parser";
import notepack3 from "notepack.io";

const folder = process.argv[2] ?? ".";
const rounds = Number(process.argv[3] ?? 1);
const bin = (...bytes) => Buffer.from(bytes);
const hex = (buffer) => Buffer.from(buffer).toString("hex");
const encode = (value) => new parser.Encoder().encode(value)[0];

// A generator with a fixed seed (mulberry32), so that the files can be made again.
let state = 0x3e55ed;
function random(below) {
  state = (state + 0x6d2b79f5) | 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) % below;
}
const pick = (list) => list[random(list.length)];

function write(name, cases) {
  const lines = cases.map((one) => JSON.stringify(one).replace(/[\u007f-\uffff]/g,
    (c) => "\\u" + c.charCodeAt(0).toString(16).padStart(4, "0")));
  writeFileSync(join(folder, name), lines.join("\n") + "\n");
  console.log(name, cases.length);
}

// --- Values: JSON text to msgpack ---------------------------------------------------------------
const long = (length) => JSON.stringify("x".repeat(length));
const list = (length) => JSON.stringify(Array.from({ length }, (_, i) => i));
const object = (length) => JSON.stringify(Object.fromEntries(Array.from({ length }, (_, i) => ["k" + (length - i), i])));
const values = [
  "null", "true", "false", " [ null , true ] ", "0", "-0", "0.0", "-0.0", "1.0", "10e-1", "1E2", "127", "128", "255", "256", "65535",
  "65536", "2147483647", "2147483648", "4294967295", "4294967296", "9007199254740991", "9007199254740990.0",
  "9007199254740992", "9007199254740993", "18446744073709551615", "18446744073709551616", "1e21", "1e300", "1e400", "-1e400",
  "-1", "-32", "-33", "-128", "-129", "-32768", "-32769", "-2147483648", "-2147483649", "-4294967296", "-4294967297",
  "-9007199254740991", "-9007199254740992", "-1e21", "0.5", "-0.5", "1.1", "1e-7", "5e-324", "1e-400", "1.7976931348623157e308",
  "123456789012345678901234567890", "3.141592653589793", "999999999999999", "-999999999999999", "1000000000000000",
  '""', '"a"', '"é"', '"😀"', '"\\u0000"', '"\\ud83d\\ude00"', '"\\n\\"\\\\\\/"', '"\\ud800"', '"a\\ud800b"', '"\\udc00\\ud800"',
  JSON.stringify("\ud800" + "x".repeat(40)), JSON.stringify("é\udfff" + "x".repeat(40) + "\ud83d\ude00"),
  long(31), long(32), long(33), long(255), long(256), long(65535), long(65536), JSON.stringify("é".repeat(16)), JSON.stringify("é".repeat(15)),
  "[]", "[[]]", "[[],[],{}]", list(15), list(16), list(300), list(65535), list(65536), "[".repeat(300) + "]".repeat(300),
  "{}", '{"a":1}', ' { "a" : 1 , "b" : { "c" : [ 1 , { } ] } , "d" : "e" } ', object(8), object(9), object(15), object(16), object(70), object(65536),
  '{"a":1,"a":2}', '{"a":1,"b":2,"a":3}', '{"\\u0061":1,"b":2,"a":3}', '{"a":1,"b":2,"\\u0061":{"c":[3]}}', '{"a":{"x":[[1]]},"b":[{}],"a":0}',
  '{"2":"b","1":"a"}', '{"b":0,"10":1,"9":2,"a":3}', '{"b":[[1],[2]],"0":[[3],{"x":[4]}],"a":[5]}', '{"1":1,"0":{"5":1,"4":{"3":1,"2":[1,{"b":1,"0":0}]}}}',
  '{"4294967294":1,"a":2,"0":3}', '{"4294967295":1,"a":2,"0":3}', '{"4294967296":1,"4294967294":2,"4294967293":3}', '{"a":0,"99999999999":1,"1":2}',
  '{"b":1,"01":2,"-1":3,"1.0":4,"1e3":5,"1":6,"":7}', '{"\\u0031":1,"0":2}', '{"a":0,"\\u0031":1}', '{"1":1,"\\u0031":2,"0":3}', '{"0":0,"1":1,"a":2}',
  '{"__proto__":1}', '{"__proto__":{"x":1},"a":2}', '{"a":1,"__proto__":2,"__proto__":3}', '{"constructor":1,"toString":2,"toJSON":3,"length":4}', '[{"__proto__":[]}]',
  '{"\\ud800":1}', '{"":{"":{"":0}}}', '{"_placeholder":true,"num":0}', '[{"_placeholder":true,"num":0},{"_placeholder":true}]', '{"é":1,"e\\u0301":2,"\\u00e9":3}',
  JSON.stringify({ ["k".repeat(40)]: 1, ["é".repeat(20)]: 2, ["k".repeat(300)]: 3 }),
];
const keys = ["a", "b", "c", "0", "1", "2", "10", "4294967294", "4294967295", "01", "", "\\u0061", "\\u0030", "é", "__proto__"];
function randomJson(depth) {
  const space = pick(["", "", " ", "\n"]);
  switch (random(depth > 0 ? 7 : 4)) {
    case 0: return space + pick(["null", "true", "false", "-0", "0.25", "1e3"]);
    case 1: return String(random(1 << random(31)) * pick([1, -1]));
    case 2: return `"${pick(keys)}"`;
    case 3: return String((random(1e6) - 5e5) / pick([1, 3, 1000]));
    case 4: return `[${Array.from({ length: random(5) }, () => randomJson(depth - 1)).join(space + ",")}${space}]`;
    default: return `{${Array.from({ length: random(12) }, () => `${space}"${pick(keys)}"${space}:${randomJson(depth - 1)}`).join(",")}}`;
  }
}
for (let i = 0; i < 150 * rounds; i++) values.push(randomJson(4));
// Long outputs are told by their beginning and a sum.
const digest = (buffer) => {
  if (buffer.length <= 700) return { hex: hex(buffer) };
  let sum = 0;
  for (const byte of buffer) sum = (Math.imul(sum, 31) + byte) >>> 0;
  return { length: buffer.length, begin: hex(buffer.subarray(0, 40)), sum };
};
const generated = [[list(300), "list", 300], [list(65535), "list", 65535], [list(65536), "list", 65536], [object(65536), "object", 65536],
  [long(65535), "string", 65535], [long(65536), "string", 65536]];
write("msgpack_values.jsonl", values.map((text) => {
  const value = JSON.parse(text);
  const bytes = encode(value);
  if (!bytes.equals(notepack3.encode(value))) throw new Error(`notepack 2 and 3 differ: ${text}`);
  const big = generated.find(([it]) => it === text);
  return { ...(big ? { make: big[1], count: big[2] } : { text }), ...digest(bytes) };
}));

// --- Packets: what the server sends -------------------------------------------------------------
function payload(data) {
  const attachments = [];
  const replace = (value) => {
    if (Buffer.isBuffer(value)) return { _placeholder: true, num: attachments.push(hex(value)) - 1 };
    if (Array.isArray(value)) return value.map(replace);
    if (value && typeof value === "object")
      return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, replace(v)]));
    return value;
  };
  const json = data === undefined ? null : JSON.stringify(replace(data));
  return { json, attachments };
}
const argLists = [
  ["foo"], [""], ["foo", 1, "x"], [1, 2], ["a", null], ["a", [], {}], ["é😀"], ["a", -0, 1e-7, 1.5, 2 ** 40], ["a", { "": "" }],
  ["baz", bin(1, 2)], ["baz", bin(), bin(255)], ["baz", { a: [bin(1), { b: bin(2) }], c: bin(3) }], ["b", bin(...Array(31).fill(7))],
  ["b", Buffer.alloc(255, 1)], ["b", Buffer.alloc(256, 2)], ["ten", ...Array.from({ length: 10 }, (_, i) => bin(i))], ["i", { 1: bin(1), 0: bin(2), x: bin(3) }],
];
const namespaces = ["/", "/admin", "/a/b?c=d", "/é", "/" + "n".repeat(40)];
const ids = [undefined, 0, 7, 128, 4294967296, 9007199254740991];
const packets = [];
for (const [i, data] of argLists.entries())
  for (let n = 0; n < 3; n++) {
    const nsp = namespaces[(i + n) % namespaces.length];
    const id = ids[(i + n) % ids.length];
    // The orders of members are those of a Socket.IO 4.8 server.
    packets.push(id === undefined ? { type: 2, data, nsp } : { type: 2, data, id, nsp });
    packets.push({ id: id ?? 1, type: 3, data, nsp });
  }
for (const nsp of namespaces) {
  packets.push({ type: 0, data: { sid: "abc" }, nsp }, { type: 0, nsp }, { type: 1, nsp }, { id: 12, type: 3, data: [], nsp });
  packets.push({ type: 4, data: { message: "Invalid namespace" }, nsp });
  packets.push({ type: 4, data: { message: "n\"o\u2028é", data: { code: 1, list: [null] } }, nsp }, { type: 4, data: { message: "x", data: null }, nsp });
}
write("msgpack_encode.jsonl", packets.map((packet) => {
  const { json, attachments } = payload(packet.data);
  return { type: packet.type, nsp: packet.nsp, id: packet.id ?? null, payload: json, attachments, hex: hex(encode(packet)),
    message: packet.type === 4 ? packet.data.message : undefined,
    data: packet.type === 4 && packet.data.data !== undefined ? JSON.stringify(packet.data.data) : undefined };
}));

// --- Packets: what the server receives ----------------------------------------------------------
const event = (...data) => encode({ type: 2, data, nsp: "/" });
// An event with one argument that is given by its bytes.
const raw = (argument) => Buffer.concat([Buffer.from("83a47479706502a36e7370a12fa46461746192a161", "hex"), Buffer.from(argument, "hex")]);
const packet = (members) => Buffer.from(members.replace(/ /g, ""), "hex");
const TYPE = "a474797065", NSP = "a36e7370", DATA = "a464617461", ID = "a26964", ROOT = NSP + "a12f", A = DATA + "91a161";
const double = (value) => { const b = Buffer.alloc(9, 0xcb); b.writeDoubleBE(value, 1); return hex(b); };
const float = (value) => { const b = Buffer.alloc(5, 0xca); b.writeFloatBE(value, 1); return hex(b); };
const numbers = [0, -0, 1, 0.1, 1 / 3, 1e20, 1e21, -1e21, 1.5e300, 1e-6, 1e-7, 1.5e-7, 5e-324, Number.MAX_VALUE, 2 ** 53, 2 ** 53 + 2, 2 ** 63, 2 ** 64, 123456789012345680000,
  NaN, Infinity, -Infinity, 4.35, 0.000001, 0.0000012, 1e22, 9.5e-324, 2.2250738585072014e-308, 1e23, 8.41e21, 9007199254740993, 5e20, 1175964107203539.25, 1175964107203539.75];
for (let i = 0; i < 120 * rounds; i++) {
  const b = Buffer.from(Array.from({ length: 8 }, () => random(256)));
  if (i % 2) b[0] = pick([0x3e, 0x3f, 0x40, 0x41, 0x43, 0x44, 0xc4]);
  numbers.push(b.readDoubleBE());
}
const exact = [
  ...numbers.map((value) => raw(double(value))), ...[0.1, 1.5, 3.4028234663852886e38, 1e-45, NaN].map((value) => raw(float(value))),
  ..."00 7f e0 ff cc80 ccff cd0100 cdffff ce00010000 ceffffffff cf0000000100000000 cf001fffffffffffff cf0020000000000001 cfffffffffffffffff cf8000000000000000 d080 d07f d18000 d1ffff d280000000 d2ffffffff d38000000000000000 d3ffffffffffffffff d3ffe0000000000001 d3ffdfffffffffffff d37fffffffffffffff d30000000000000001"
    .split(" ").map(raw),
  ..."c0 c2 c3 a0 a161 d90161 da000161 db0000000161 90 9101 dc0000 dc000101 dd00000000 dd0000000101 80 81a16101 de0000 de0001a16101 df00000000 df00000001a16101 c400 c40101 c5000101 c600000001aa"
    .split(" ").map(raw),
  // Strings: lossy where they are no UTF-8.
  ..."a0 a1ff a2c3a9 a1c3 a2c328 a3e282ac a2e282 a3eda080 a6eda0bdedb880 a4f09f9880 a3f09f98 a4f4908080 a5fbbfbfbfbf a2c080 a3efbbbf a3e0809f a400085c22 a30a0d1f a37fc280 a3e280a8 a6616263ff6465"
    .split(" ").map(raw),
  // The extensions of notepack 2, and unknown ones.
  ..."d40000 d400ff 93d40000d4000001 81a161d40000 82a161d40000a16201 82a16201a161d40000 d7000000018bcfe56800 d700ffffffffffffffff d7000000000000000000 d7008000000000000000 d7007fffffffffffffff d700001eb208c2dc0000 d700001eb208c2dc0001 d700ffe14df73d240000"
    .split(" ").map(raw),
  ..."c70000 c702000102 c800010007 c9000000010008 d40105 d5000102 d60001020304 d800000102030405060708090a0b0c0d0e0f d501aabb d605aabbccdd d7050102030405060708 d87f000102030405060708090a0b0c0d0e0f c70305010203 c7000a c8000105aa c90000000105aa d480ff"
    .split(" ").map(raw),
  event("a", new Date(1700000000123), undefined, { u: undefined, v: 1, d: new Date(NaN) }), event("a", Buffer.from("xyz"), new Uint8Array([1, 2]), new ArrayBuffer(3)),
  event("a", { n: { b: [bin(1), bin(2)] }, c: bin() }), event("é😀", "\u2028\u0000", { "k\n": "v" }), event("a", { _placeholder: true, num: 0 }), event("a", { _placeholder: true }),
  encode({ type: 2, data: ["a", 1], options: { compress: true }, id: 7, nsp: "/admin" }), encode({ type: 3, id: 0, data: [], nsp: "/" }), encode({ type: 3, id: 5, data: [bin(1), null], nsp: "/x,y" }),
  encode({ type: 0, data: undefined, nsp: "/" }), encode({ type: 0, nsp: "/n" }), encode({ type: 0, data: { token: "x", n: { m: [1] } }, nsp: "/zz" }), encode({ type: 1, nsp: "/" }), encode({ type: 1, data: undefined, nsp: "/" }),
  encode({ type: 4, nsp: "/", data: { message: "Invalid namespace" } }), encode({ type: 4, nsp: "/", data: "text" }), encode({ type: 2, data: [5], nsp: "" }), encode({ type: 2, data: ["a"], nsp: "no slash" }),
];
const odd = [
  "", "c0", "c1", "c3", "00", "90", "9102", "80", "a0", "c400", "d40000", "92a474797065", "81", "81" + TYPE, "8100", "80c0",
  `83 ${TYPE} 02 ${A} ${ROOT} 00`, `83 ${TYPE} 02 ${A} ${ROOT} c1`, `83 ${TYPE} 02 ${A} ${NSP} a2 2f`, `84 ${TYPE} 02 ${A} ${ROOT}`, `82 ${TYPE} 02 ${A} ${ROOT}`,
  `83 ${TYPE} 05 ${A} ${ROOT}`, `83 ${TYPE} 06 ${A} ${ROOT}`, `83 ${TYPE} ff ${A} ${ROOT}`, `83 ${TYPE} c0 ${A} ${ROOT}`, `83 ${TYPE} a132 ${A} ${ROOT}`, `83 ${TYPE} c3 ${A} ${ROOT}`, `83 ${TYPE} ${double(2)} ${A} ${ROOT}`,
  `83 ${TYPE} ${double(2.5)} ${A} ${ROOT}`, `83 ${TYPE} ${float(2)} ${A} ${ROOT}`, `83 ${TYPE} d002 ${A} ${ROOT}`, `83 ${TYPE} ${double(-0)} ${DATA} 80 ${ROOT}`, `83 ${TYPE} 9102 ${A} ${ROOT}`, `83 ${TYPE} d40000 ${A} ${ROOT}`,
  `82 ${A} ${ROOT}`, `82 ${TYPE} 02 ${A}`, `82 ${TYPE} 02 ${ROOT}`, `83 ${TYPE} 02 ${A} ${NSP} c0`, `83 ${TYPE} 02 ${A} ${NSP} 01`, `83 ${TYPE} 02 ${A} ${NSP} c4012f`, `83 ${TYPE} 02 ${A} ${NSP} d40000`, `83 ${TYPE} 02 ${A} ${NSP} a1ff`,
  ...["c0", "80", "90", "d40000", "01", "a161", "c40101", "d7000000000000000000", "c703000102aa", "d50102ff"].flatMap((data) => [0, 1, 2, 3, 4].map((type) => `83 ${TYPE} 0${type} ${DATA} ${data} ${ROOT}`)),
  ...["c0", "00", "ff", "d40000", "a130", "c2", "90", double(5), double(5.5), double(-0), double(-3), double(NaN), double(Infinity), double(2 ** 53), double(2 ** 53 - 1), "cf0020000000000000", "cfffffffffffffffff", "d300000000000000ff", "d3ffffffffffffff00"]
    .flatMap((id) => [0, 2, 3].map((type) => `84 ${TYPE} 0${type} ${ID} ${id} ${type ? A : DATA + "80"} ${ROOT}`)),
  `83 ${TYPE} 03 ${A} ${ROOT}`, `84 ${TYPE} 00 ${TYPE} 02 ${A} ${ROOT}`, `84 ${TYPE} 02 ${TYPE} d40000 ${A} ${ROOT}`, `84 ${TYPE} 02 ${DATA} 01 ${A} ${ROOT}`, `84 ${TYPE} 02 ${A} ${DATA} 01 ${ROOT}`, `84 ${TYPE} 01 ${DATA} 01 ${DATA} d40000 ${ROOT}`,
  `84 ${TYPE} 02 ${DATA} 91c40101 ${A} ${ROOT}`, `85 ${TYPE} 02 ${A} ${ID} a178 ${ID} 05 ${ROOT}`, `84 ${TYPE} 02 ${A} ${ROOT} 01 02`, `84 ${TYPE} 02 ${A} ${ROOT} c0 92c40101 81a16102`, `84 ${TYPE} 02 ${A} ${ROOT} a9${hex("__proto__")} 01`,
  `84 ${TYPE} 02 ${A} ${ROOT} a9${hex("__proto__")} 81${ID}05`, `83 ${TYPE} 00 ${DATA} 81a162c40101 ${ROOT}`, `83 ${TYPE} 04 ${DATA} 81a162c40101 ${ROOT}`, `df00000003 ${TYPE} 02 ${A} ${ROOT}`, `de0003 d904${hex("type")} 02 ${A} ${ROOT}`,
  ...["91c0", "90", "91c3", "9190", "9180", "91c400", "91d40000", "9101", `91${double(NaN)}`, `91${double(1.5)}`, "91d7000000000000000000", "91a1ff", "91d50102ff"].map((data) => `83 ${TYPE} 02 ${DATA} ${data} ${ROOT}`),
  ...["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener", "connection", "error"].map((name) => hex(event(name))),
  // Keys.
  ...["8101a0", "81e0a0", `81${double(1.5)}a0`, `81${double(NaN)}a0`, `81${double(1e21)}a0`, "81c0a0", "81c2a0", "81c3a0", "81d40000a0", "8190a0", "819101a0", "8180a0", "81c40161a0", "81d7000000000000000000a0", "81c70100aaa0", "81d501aabba0", "81a1ffa0", "8190d40000",
    "82a16101a16102", "83a16101a16202a16103", "82013101a13102", "8203000200", "82a16101a161d40000", "82a161d40000a16101", `82a9${hex("__proto__")}0101a16202`, `82a9${hex("__proto__")}81a178019001`, `81a9${hex("__proto__")}81a17801`, `82a9${hex("__proto__")}81a178c40101a16202`, `81a9${hex("__proto__")}d40000`].map((argument) => hex(raw(argument))),
  // Literal placeholders beside binaries.
  ...[[{ _placeholder: true, num: 0 }, bin(1)], [bin(1), { a: [{ _placeholder: true }] }], [{ _placeholder: 1, num: 0 }, bin(1)], [{ _placeholder: false, num: 7 }, bin(1)], [{ _placeholder: true, num: 5, x: bin(1) }], [{ _placeholder: bin(1), num: 0 }],
    ["_placeholder", { num: 0, p: ["_placeholder", true] }, bin(1)], Array.from({ length: 10 }, (_, i) => bin(i)), Array.from({ length: 11 }, (_, i) => bin(i))].map((args) => hex(event("a", ...args))),
  // Timestamps, which notepack 2 does not know.
  ..."d6ff6553f100 d7ff1d5353006553f100 c70cff3b8b87c0ffffffffffffffff d5ff0102 c703ff010203 d7ffffffffffffffffff c70cff000000007fffffffffffffff".split(" ").map((argument) => hex(raw(argument))),
  // Claims that nothing follows.
  ..."dd7fffffff ddffffffff df7fffffff dfffffffff dcffff deffff c6ffffffff dbffffffff c9ffffffff00 9f 8f bf c7ff00 d8 d9 c4 c7 c8 c9 ca cb cc cd ce cf d0 d1 d2 d3 d4 d400 d5 d6 d7 da db dc dd de df cb00 91".split(" ").map((argument) => hex(raw(argument))),
  hex(raw("91".repeat(200) + "c0")), hex(raw("81a161".repeat(200) + "c0")),
].map((text) => packet(text));
const seeds = [event("foo", { a: 1, b: [bin(1, 2), null], "1": "x" }), encode({ type: 2, data: ["a", new Date(5), undefined, 1.5], options: { compress: true }, id: 9, nsp: "/admin" }), encode({ type: 3, id: 5, data: ["ok", new Uint8Array(2)], nsp: "/" }),
  encode({ type: 0, data: { token: "x" }, nsp: "/" }), raw("84a161d40000a16201a162c3a9" + hex("__proto__") + "9101"), raw("9ad40000d501aabbd6ff6553f100c70200aabbcaffc00000a2c3a9c2cd0100d3ffffffffffffff009101")];
for (const seed of seeds)
  for (let i = 0; i < 50 * rounds; i++) {
    const bytes = [...seed];
    for (let n = 1 + random(2); n > 0; n--) {
      const at = random(bytes.length);
      switch (random(4)) {
        case 0: bytes.splice(at, 1); break;
        case 1: bytes.splice(at, 0, pick([0x80, 0x81, 0x90, 0x91, 0xa0, 0xa1, 0xc0, 0xc1, 0xc3, 0xc4, 0xd4, 0xd7, 0, 1])); break;
        case 2: bytes[at] = random(256); break;
        default: bytes[at] ^= 1 << random(8);
      }
    }
    odd.push(Buffer.from(bytes));
  }
const plain = (value) => {
  if (Buffer.isBuffer(value) || value instanceof ArrayBuffer) return { $hex: hex(value) };
  if (Array.isArray(value)) return value.map(plain);
  if (value && typeof value === "object" && !(value instanceof Date)) {
    const copy = Object.create(null);
    for (const key of Object.keys(value)) copy[key] = plain(value[key]);
    return copy;
  }
  return value;
};
// The text that the default parser would send, and its attachments.
function standard(data) {
  const attachments = [];
  const replace = (value) => {
    if (Buffer.isBuffer(value) || value instanceof ArrayBuffer) return { _placeholder: true, num: attachments.push(hex(value)) - 1 };
    if (Array.isArray(value)) return value.map(replace);
    if (value && typeof value === "object" && !(value instanceof Date))
      return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, replace(v)]));
    return value;
  };
  return { text: JSON.stringify(replace(data)) };
}
const decode = (bytes, more) => {
  const decoder = new parser.Decoder();
  const result = { hex: hex(bytes), packet: null, refused: null };
  decoder.on("decoded", (packet) => {
    const data = packet.data === undefined ? null : JSON.stringify(plain(packet.data));
    result.packet = { type: packet.type, nsp: packet.nsp, id: packet.id ?? null, data, ...(more && data ? standard(packet.data) : {}) };
  });
  try {
    decoder.add(bytes);
  } catch (error) {
    result.refused = error.message;
  }
  return result;
};
write("msgpack_decode.jsonl", [...exact.map((bytes) => decode(bytes, true)), ...odd.map((bytes) => decode(bytes, false))]);
