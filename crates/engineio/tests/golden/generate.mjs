// Writes the golden files of this folder: what engine.io-parser makes of packets, and Node's
// querystring of queries. Copy generate.mjs and package.json somewhere else, `npm install`, and
// run `node generate.mjs <folder for the .jsonl files>`. The same versions give the same files.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import querystring from "node:querystring";
import { decodePacket, encodePacket } from "engine.io-parser";

const folder = process.argv[2] ?? ".";
const hex = (buffer) => Buffer.from(buffer).toString("hex");

function write(name, cases) {
  const lines = cases.map((one) => JSON.stringify(one).replace(/[\u007f-\uffff]/g,
    (c) => "\\u" + c.charCodeAt(0).toString(16).padStart(4, "0")));
  writeFileSync(join(folder, name), lines.join("\n") + "\n");
  console.log(name, cases.length);
}

// A generator with a fixed seed (mulberry32), so that the files can be made again.
let state = 0xe10;
function random(below) {
  state = (state + 0x6d2b79f5) | 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) % below;
}
const binary = (length) => Buffer.from(Array.from({ length }, () => random(256)));

// --- Packets ------------------------------------------------------------------------------------
const texts = ["", "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "a", "b", "B", "-", " ", " 4", "\u0664", "é", "😀", "\ufeff4",
  "\u001e", "4\u001e4", "0{}", "0{\"sid\":\"x\"}", "1x", "2probe", "2probe ", "3probe", "3", "4hello", "4é😀", "4\u0000", "44", "42[\"a\"]",
  "4b", "4bAQID", "5x", "6x", "noop", "message", "00", "4 ", "4\n"];
for (const type of "0123456")
  for (const data of ["", "x", "probe", "{\"a\":1}", "é\u2028", "\"", "0", "b"]) texts.push(type + data);
for (let length = 0; length <= 40; length++) {
  const base64 = binary(length).toString("base64");
  texts.push("b" + base64, "b" + base64.replace(/=+$/, ""));
}
texts.push("b=", "b==", "bA", "bAA", "bAAA", "bAAAA", "bAQ==", "bAQ=", "bAR==", "bAQIDBA=", "bAQ==AQ==", "b AQID", "bAQ ID", "bAQ\nID", "bAQID ",
  "b-_-_", "b+/+/", "bé", "b*", "b!!!!", "bAQID!", "bAQ*D");
write("packets.jsonl", texts.map((text) => {
  const packet = decodePacket(text, "nodebuffer");
  if (packet.type === "error") return { text, refused: true };
  return Buffer.isBuffer(packet.data)
    ? { text, type: packet.type, hex: hex(packet.data) }
    : { text, type: packet.type, data: packet.data ?? "" };
}));

const packets = ["open", "close", "ping", "pong", "message", "upgrade", "noop"].map((type) => ({ type }));
for (const data of ["probe", "x", "é😀", "\u2028\u0000\"", "{\"a\":[]}"])
  for (const type of ["open", "ping", "pong", "message"]) packets.push({ type, data });
for (let length = 0; length <= 30; length++) packets.push({ type: "message", data: binary(length) });
write("encoded.jsonl", await Promise.all(packets.map((packet) => new Promise((resolve) => {
  encodePacket(packet, false, (text) => resolve(Buffer.isBuffer(packet.data)
    ? { type: packet.type, hex: hex(packet.data), text }
    : { type: packet.type, data: packet.data ?? "", text }));
}))));

// --- Queries ------------------------------------------------------------------------------------
const queries = ["", "&", "&&", "=", "==", "a", "a=", "=b", "a=b", "a=b=c", "a==b", "EIO=4&transport=polling", "EIO=4&transport=websocket&t=abc",
  "EIO=4&transport=polling&sid=aaaaaaaaaaaaaaaaaaaa", "sid=", "sid=&sid=x", "sid=x&sid=", "EIO=3&EIO=4", "EIO=4&EIO=3", "EIO", "eio=4", "%45IO=4",
  "transport=web%73ocket", "transport=polling+", "transport=+polling", "a+b=c+d", "a%20b=c%2Bd", "a=%", "a=%4", "a=%zz", "a=%4z", "a=%%41", "a=%41%",
  "a=%C3%A9", "a=%c3%a9", "a=é", "a=%C3", "a=%C3%28", "a=%F0%9F%98%80", "a=%F0%9F%98", "a=%ff%fe", "a=%00", "a=%0A", "a=b;c=d", "a=b#c", "a[]=1&a[]=2",
  "a=1&&b=2", "&a=1", "a=1&", "a&b&c", "__proto__=1", "hasOwnProperty=2", "token=a.b.c&x=%7B%22k%22%3A1%7D", "a=%25", "a=%2525", "a=%u0041", "=&=", "%=%"];
for (let i = 0; i < 120; i++) {
  let query = "";
  for (let n = random(14); n >= 0; n--) query += ["a", "b", "=", "&", "%", "%4", "%41", "+", "%C3%A9", "EIO", "sid", "transport", "4"][random(13)];
  queries.push(query);
}
write("queries.jsonl", queries.map((query) => {
  const parameters = Object.entries(querystring.parse(query));
  return { query, parameters: parameters.map(([name, value]) => [name, Array.isArray(value) ? value.at(-1) : value]) };
}));
