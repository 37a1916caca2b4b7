// Writes the golden files of this folder: what socket.io-parser and JSON.parse of Node make of
// the inputs below. Copy generate.mjs and package.json somewhere else, `npm install`, and run
// `node generate.mjs <folder for the .jsonl files>`. The same versions give the same files.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Decoder, Encoder } from "socket.io-parser";

const folder = process.argv[2] ?? ".";
const bin = (...bytes) => Buffer.from(bytes);
const hex = (buffer) => Buffer.from(buffer).toString("hex");

// A generator with a fixed seed (mulberry32), so that the files can be made again.
let state = 0x5eed;
function random(below) {
  state = (state + 0x6d2b79f5) | 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) % below;
}
const pick = (list) => list[random(list.length)];

// The text with one to three characters removed, doubled, replaced or inserted.
function mutate(text, alphabet) {
  const chars = Array.from(text);
  for (let n = 1 + random(3); n > 0; n--) {
    const at = random(chars.length + 1);
    switch (random(4)) {
      case 0: chars.splice(at, 1); break;
      case 1: chars.splice(at, 0, chars[at] ?? "0"); break;
      case 2: chars.splice(at, 1, pick(alphabet)); break;
      default: chars.splice(at, 0, pick(alphabet));
    }
  }
  return chars.join("");
}

function write(name, cases) {
  const lines = cases.map((one) => JSON.stringify(one).replace(/[\u007f-\uffff]/g,
    (c) => "\\u" + c.charCodeAt(0).toString(16).padStart(4, "0")));
  writeFileSync(join(folder, name), lines.join("\n") + "\n");
  console.log(name, cases.length);
}

// --- JSON ---------------------------------------------------------------------------------------
const jsonTexts = [
  "null", "true", "false", "nul", "nulll", "True", "NULL", "tru", "truefalse", "true false",
  "0", "-0", "1", "-1", "01", "-01", "00", "1.", ".1", "1.0", "-.5", "0.5", "1.50", "1e5", "1E5",
  "1e+5", "1e-5", "1e", "1e+", "1.e5", "1.5e5", "1e05", "1e400", "-1e400", "1e-400", "+1", "-", "--1",
  "0x10", "1_000", "Infinity", "-Infinity", "NaN", "123456789012345678901234567890", "9007199254740993",
  "1e1e1", "1.2.3", "0e0", "0.0", "-0.0", "0e", "1f", "1a", "1 2",
  '""', '"a"', "'a'", '"', '"a', 'a"', '"a"b"', '"\\"', '"\\""', '"\\\\"', '"\\\\\\"', '"\\/"',
  '"\\b\\f\\n\\r\\t"', '"\\a"', '"\\x41"', '"\\u"', '"\\u0"', '"\\u00"', '"\\u004"', '"\\u0041"',
  '"\\U0041"', '"\\u00g1"', '"\\u+041"', '"\\u 041"', '"\\ud800"', '"\\udc00"', '"\\ud83d\\ude00"',
  '"\\ud83d"', '"\\ude00\\ud83d"', '"\\ud800\\ud800\\udc00"', '"\\uD83D\\uDE00"', '"\\ud83dx\\ude00"',
  '"\\ud83d\\u0041"', '"\\ud83d\\n"', '"\\u0000"', '"\\u001f\\u007f"', '"\u2028\u2029"', '"é"', '"😀"',
  '"\\u2028"', '"\u007f"', '"\u0080"', '"\uffff"', '"\t"', '"\n"', '"\u0000"', '"\u001f"', '"\u0020"',
  '"0123456789abcdef\u0001"', '"0123456\\n89abcdef"', '"\'"', '"<script>"', '"\\u003c"', '"\\',
  "[]", "[ ]", "[\n]", "[,]", "[1,]", "[,1]", "[1,,2]", "[1 2]", "[1", "1]", "[", "]", "[[]", "[]]",
  "[1,2,3]", " [ 1 , 2 ] ", "[\u00a01]", "[\u000b1]", "\ufeff[]", "[]\ufeff", "\f[]", "[1]//", "[/**/]",
  '["a"]', '["a",]', '["a""b"]', '["a":1]', "[null,true,false]", "[nulltrue]", "[1}", "[[[[[]]]]]",
  "{}", "{ }", '{"a":1}', '{"a" : 1}', '{ "a" :1 , "b": 2 }', '{"a":1,}', '{,"a":1}', '{"a"}', '{"a":}',
  '{"a":1', '{"a"', '{"a":', "{", "}", "{a:1}", "{'a':1}", '{1:1}', '{"a":1,"a":2}', '{"a":1 "b":2}',
  '{"":0}', '{"":{"":{}}}', '{"__proto__":1}', '{"__proto__":{"x":1}}', '{"constructor":1}', '{"a":1]',
  '{"a":[1,{"b":[]}]}', '{"a"::1}', '{"a":1;}', '{"a",1}', '{"b":1,"a":2,"2":3,"1":4}', '{"\\u0061":1}',
  '{"\\u0061":1,"a":2}', '{"\\ud800":1}', "", " ", "\n", "undefined", "0 ", " 0", "\r\n0\t", "é", '"a" ',
  "[" .repeat(70) + "]".repeat(70), '{"a":'.repeat(70) + "0" + "}".repeat(70), "[".repeat(64),
  '[{"a":'.repeat(66) + "0" + "}]".repeat(66), '[{"a":'.repeat(66) + "0" + "]}".repeat(66),
  "[".repeat(2000) + "]".repeat(2000), "[".repeat(2000) + "]".repeat(1999),
  JSON.stringify("long ".repeat(100)), JSON.stringify(Array.from({ length: 100 }, (_, i) => i / 7)),
];
const jsonSeeds = [
  '{"destino":"yo","tipo":"\\u00e9\\n","n":[-1.5e-3,0,true,null],"o":{"k":{}}}',
  '["relay",{"a":[1,[2,[3]]],"s":"\\ud83d\\ude00 \\"q\\" \\\\"}]', '[1e5,-0.25,12]', '"a\\u0041\\t"',
];
for (const seed of jsonSeeds)
  for (let i = 0; i < 60; i++) jsonTexts.push(mutate(seed, Array.from('{}[]",:\\/ue+-.0123 \n\ttrfalsnx\u0001é')));
write("json.jsonl", jsonTexts.map((text) => {
  try {
    return { text, canonical: JSON.stringify(JSON.parse(text)) };
  } catch {
    return { text, canonical: null };
  }
}));

// --- Encoding -----------------------------------------------------------------------------------
// The JSON that the encoder should write: binaries replaced depth-first.
function payload(data) {
  let num = 0;
  const replace = (value) => {
    if (Buffer.isBuffer(value)) return { _placeholder: true, num: num++ };
    if (Array.isArray(value)) return value.map(replace);
    if (value && typeof value === "object" && !(value instanceof Date))
      return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, replace(v)]));
    return value;
  };
  return data === undefined ? null : JSON.stringify(replace(data));
}
const argLists = [
  ["foo"], [""], ["foo", 1, "x"], [1, 2], ["a", null], ["a", [], {}], ["é😀"], ["a", "\ud800"], ["a", "\u2028"],
  ["a", -0, 1e21, 1e-7, 1.5], ["a", new Date(1700000000123)], ["a", undefined], ["a", { u: undefined, v: 1 }],
  ["a", NaN], ["a", { _placeholder: true, num: 0 }], ["q\"\\\n\u0001"], ["a", { "": "" }],
  ["baz", bin(1, 2)], ["baz", bin(), bin(255)], ["baz", { a: [bin(1), { b: bin(2) }], c: bin(3) }],
  ["ten", ...Array.from({ length: 10 }, (_, i) => bin(i))],
];
const namespaces = ["/", "/admin", "/a/b?c=d", "/é", "/1"];
const ids = [undefined, 0, 7, 10, 4294967296, 9007199254740991];
const packets = [];
for (const [i, data] of argLists.entries())
  for (const type of [2, 3])
    for (let n = 0; n < 3; n++) {
      const id = type === 3 ? (ids[(i + n) % ids.length] ?? 1) : ids[(i + n) % ids.length];
      packets.push({ type, nsp: namespaces[(i + n) % namespaces.length], id, data });
    }
for (const nsp of namespaces) {
  packets.push({ type: 0, nsp }, { type: 0, nsp, data: { sid: "abc" } }, { type: 1, nsp });
  packets.push({ type: 4, nsp, data: { message: "Invalid namespace" } });
  packets.push({ type: 4, nsp, data: { message: "n\"o\u2028é", data: { code: 1, list: [null] } } });
  packets.push({ type: 4, nsp, data: { message: "x", data: null } }, { type: 3, nsp, id: 12, data: [] });
}
write("encode.jsonl", packets.map((packet) => {
  const expected = payload(packet.data);
  const [text, ...attachments] = new Encoder().encode({ ...packet });
  return { type: packet.type, nsp: packet.nsp, id: packet.id ?? null, payload: expected, text,
    attachments: attachments.map(hex),
    message: packet.type === 4 ? packet.data.message : undefined,
    data: packet.type === 4 && packet.data.data !== undefined ? JSON.stringify(packet.data.data) : undefined };
}));

// --- Decoding -----------------------------------------------------------------------------------
const P = (num) => `{"_placeholder":true,"num":${num}}`;
const odd = [
  "", "7", "9[]", "a", "-1", " 2[\"a\"]", "\u0662[\"a\"]", "é",
  "0", "0{}", "0{\"token\":\"x\"}", "0/", "0/,", "0/random", "0/admin,", "0/admin,{\"a\":1}", "0/a,b", "0[]", "0null",
  "0\"x\"", "0true", "01", "0{}x", "0{", "0{} ", "0{}\n\t\r ", "0 {}", "0/admin, {}", "0/admin {}", "0123{}", "0/x,5",
  "1", "1/", "1/custom", "1/admin,", "1{}", "1[]", "1/admin,{}", "1null", "1 ", "15", "1x", "1/admin,7", "1/admin,7[]",
  "2", "20", "2/admin", "2/admin,", "2/admin,1", "2[]", "2{}", "2null", "2\"a\"", "21", "2abc", "2abc[\"a\"]", "2[\"a\"]",
  "2 [\"a\"]", "2\n[\"a\"]", "2[\"a\"] ", "2[\"a\"]x", "2[\"a\"][]", "212[\"foo\"]", "2012[\"foo\"]", "20[\"foo\"]",
  "212 [\"foo\"]", "2+1[\"foo\"]", "2-1[\"foo\"]", "21.5[\"foo\"]", "21e3[\"foo\"]", "2 1[\"foo\"]", "2\u0661[\"foo\"]",
  "2/admin,13[\"foo\"]", "2/admin,[\"foo\"]", "2/,[\"foo\"]", "2/,1[\"foo\"]", "2/[\"foo\"]", "2/[\"foo\",1]", "2//,[\"a\"]",
  "2admin,[\"foo\"]", "2/é,[\"a\"]", "2/a?b=1,[\"a\"]", "2,[\"a\"]", "2[1]", "2[1,2]", "2[-1]", "2[1e400]", "2[null]",
  "2[true]", "2[[]]", "2[{}]", "2[[\"a\"]]", "2[\"\"]", "2[\"a\",]", "2[\"a\"", "2[\"\\ud800\"]", "2[\"a\",\"\\ud800\"]",
  "2[\"a\",1e400]", "2[\"a\",123456789012345678901234567890]", "2[\"a\",{\"__proto__\":{\"x\":1}}]", "2[\"a\",{\"k\":1,\"k\":2}]",
  "2[\"a\"," + "[".repeat(500) + "]".repeat(500) + "]",
  "29007199254740991[\"a\"]", "29007199254740992[\"a\"]", "299999999999999999999999[\"a\"]",
  "3", "30", "312", "3[]", "312[]", "312[\"a\",1]", "312{}", "312null", "312[\"connect\"]", "312[{}]", "3/admin,13[\"bar\"]",
  "3/admin,[\"bar\"]", "3/admin,13", "312[] ", "312[]]", "3-1[]", "3a[]",
  "4", "4{}", "4{\"message\":\"x\"}", "4\"x\"", "4null", "4[]", "41", "4abc", "4/x,{\"message\":\"Invalid namespace\"}", "4/x",
  "5", "5-", "50-[\"a\"]", "51-", "51-[\"a\"]", "5-1-[\"a\"]", "5[\"a\"]", "51[\"a\"]", "5x-[\"a\"]", "51.0-[\"a\"]", "51.5-[\"a\"]",
  "5+1-[\"a\"]", "5 1-[\"a\"]", "51 -[\"a\"]", "51e0-[\"a\"]", "50x1-[\"a\"]", "501-[\"a\"]", "5\u0661-[\"a\"]", "510-[\"a\"]",
  "511-[\"a\"]", "599999999999999999999999-[\"a\"]", "5Infinity-[\"a\"]", "5/a,1-[\"a\"]", "50-", "60-1[]", "61-1[]", "61-[]",
  "611-1[]", "61-1{}", "61-1[\"disconnect\"]", "51-[]", "51-{}", "51-[" + P(0) + "]", "51-[\"connect\"," + P(0) + "]",
];
for (const name of ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener",
  "connection", "error", "Connect", "connec\\u0074", "\\u0063onnect", "dis\\u0063onnecting", "connect ", "new_namespace"])
  odd.push(`2["${name}"]`, `2/n,5["${name}",1]`);
const A = { hex: "0102" };
const B = { hex: "" };
const sequences = [
  ...odd.map((text) => [{ text }]),
  ...odd.filter((text) => /^[56]/.test(text)).map((text) => [{ text }, A]),
  ["51-[\"a\"," + P(0) + "]", A], ["52-/admin,[\"baz\"," + P(0) + "," + P(1) + "]", A, B],
  ["61-15[\"bar\"," + P(0) + "]", A], ["61-/admin,15[" + P(0) + "]", A], ["52-[\"a\"," + P(1) + "," + P(0) + "]", A, B],
  ["52-[\"a\"," + P(0) + "," + P(0) + "]", A, B], ["52-[\"a\"," + P(0) + "]", A, B], ["52-[\"a\"]", A, B], ["51-[\"a\"]", A],
  ["51-[\"a\"," + P(1) + "]", A], ["51-[\"a\"," + P(-1) + "]", A], ["51-[\"a\"," + P("-0") + "]", A], ["51-[\"a\"," + P("0.0") + "]", A],
  ["51-[\"a\"," + P("0e0") + "]", A], ["51-[\"a\"," + P("0E+7") + "]", A], ["52-[\"a\"," + P("10e-1") + "]", A, B],
  ["51-[\"a\"," + P("0.5") + "]", A], ["51-[\"a\"," + P("\"0\"") + "]", A], ["51-[\"a\"," + P("null") + "]", A],
  ["51-[\"a\"," + P("[0]") + "]", A], ["51-[\"a\"," + P("true") + "]", A], ["51-[\"a\"," + P("1e400") + "]", A],
  ["51-[\"a\"," + P("splice") + "]", A], ["51-[\"a\"," + P("\"splice\"") + "]", A], ["51-[\"a\"," + P("{}") + "]", A],
  ["51-[\"a\",{\"_placeholder\":true}]", A], ["51-[\"a\",{\"_placeholder\":1,\"num\":5}]", A],
  ["51-[\"a\",{\"_placeholder\":\"true\",\"num\":5}]", A], ["51-[\"a\",{\"_placeholder\":false,\"num\":5}]", A],
  ["51-[\"a\",{\"num\":0,\"_placeholder\":true}]", A], ["51-[\"a\",{\"num\":0}]", A], ["51-[\"a\",{\"num\":7}]", A],
  ["51-[\"a\",{\"\\u005fplaceholder\":true,\"num\":0}]", A], ["51-[\"a\",{\"\\u005fplaceholder\":true,\"num\":3}]", A],
  ["51-[\"a\",{\"_placeholder\":true,\"n\\u0075m\":3}]", A], ["51-[\"a\",{\"_placeholder\":true,\"num\":3,\"num\":0}]", A],
  ["51-[\"a\",{\"_placeholder\":true,\"num\":0,\"num\":3}]", A], ["51-[\"a\",{\"_placeholder\":true,\"_placeholder\":false,\"num\":3}]", A],
  ["51-[\"a\",{\"_placeholder\":false,\"_placeholder\":true,\"num\":3}]", A], ["51-[\"a\",{\"_placeholder\" : true , \"num\" : 0 } ]", A],
  ["51-[\"a\",{\"_placeholder\":true,\"num\":0,\"x\":" + P(9) + "}]", A], ["51-[\"a\",{\"k\":" + P(9) + ",\"k\":1}]", A],
  ["51-[\"a\",{\"k\":{\"l\":[[" + P(0) + "]]}}]", A], ["51-[\"a\",{\"k\":{\"l\":[[" + P(1) + "]]}}]", A],
  ["51-[\"a\",\"_placeholder\",\"num\"]", A], ["51-[\"a\",[\"_placeholder\",true]]", A], ["51-[\"a\",{\"x\":\"_placeholder\",\"num\":4}]", A],
  ["51-[\"a\",{\"_placeholder\":{\"_placeholder\":true,\"num\":0},\"num\":0}]", A], ["2[\"a\"," + P(5) + "]"], ["2[\"a\",{\"_placeholder\":true}]"],
  ["510-[\"a\"," + Array.from({ length: 10 }, (_, i) => P(i)).join() + "]", ...Array.from({ length: 10 }, (_, i) => ({ hex: hex(bin(i)) }))],
  ["51-[\"a\"," + P(0) + "]", "2[\"b\"]"], ["52-[\"a\"," + P(0) + "]", A, "2[\"b\"]"], [A], ["2[\"a\"]", A], ["51-[\"a\"," + P(0) + "]", A, A],
  ["51-[\"a\"," + P(0) + "]", A, "2[\"b\"]", "51-[\"c\"," + P(0) + "]", B], ["51-[\"a\"," + P(0) + "]"], ["52-[\"a\"," + P(0) + "]", A],
].map((frames) => frames.map((frame) => (typeof frame === "string" ? { text: frame } : frame)));
const wires = ["2[\"foo\",{\"a\":1}]", "2/admin,12[\"foo\",\"x\"]", "3/admin,13[\"bar\"]", "0/admin,{\"token\":\"x\"}",
  "4/x,{\"message\":\"m\"}", "1/admin,", "51-/a,7[\"a\"," + P(0) + "]", "61-15[\"bar\"," + P(0) + "]"];
for (const wire of wires)
  for (let i = 0; i < 40; i++) {
    const text = mutate(wire, Array.from("0123456/,-[]{}\":ax"));
    sequences.push(/^[56]/.test(text) ? [{ text }, A] : [{ text }]);
  }
const plain = (value) => {
  if (Buffer.isBuffer(value)) return { $hex: hex(value) };
  if (Array.isArray(value)) return value.map(plain);
  if (value && typeof value === "object") {
    const copy = Object.create(null);
    for (const key of Object.keys(value)) copy[key] = plain(value[key]);
    return copy;
  }
  return value;
};
write("decode.jsonl", sequences.map((frames) => {
  const decoder = new Decoder();
  const packets = [];
  decoder.on("decoded", (packet) => {
    const data = packet.data === undefined ? null : JSON.stringify(plain(packet.data));
    packets.push({ type: packet.type, nsp: packet.nsp, id: packet.id ?? null, data });
  });
  let refused = null;
  for (const frame of frames) {
    try {
      decoder.add(frame.text ?? Buffer.from(frame.hex, "hex"));
    } catch (error) {
      refused = error.message;
      break;
    }
  }
  return { frames, packets, refused };
}));
