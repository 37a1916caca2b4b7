// Writes the golden files of this folder: what `cors` puts into answers, which encoding `accepts`
// chooses, and how `cookie` writes cookies. Copy generate.mjs and package.json somewhere else,
// `npm install`, and run `node generate.mjs <folder for the .jsonl files>`. The same versions give
// the same files.
import { writeFileSync } from "node:fs";
import { IncomingMessage, ServerResponse } from "node:http";
import { join } from "node:path";
import accepts from "accepts";
import { serialize } from "cookie";
import cors from "cors";

const folder = process.argv[2] ?? ".";

// A generator with a fixed seed (mulberry32), so that the files can be made again.
let state = 0x5eed;
function random(below) {
  state = (state + 0x6d2b79f5) | 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) % below;
}
const pick = (list) => list[random(list.length)];

function write(name, cases) {
  writeFileSync(join(folder, name), cases.map((one) => JSON.stringify(one)).join("\n") + "\n");
  console.log(name, cases.length);
}

// --- CORS ---------------------------------------------------------------------------------------
const origins = [
  "*", "https://a.example", true, [], ["https://a.example"],
  ["http://b.example:8080", "https://a.example", "http://[::1]:3000"],
];
const extras = [
  {}, { methods: ["GET", "POST"] }, { methods: ["PATCH"], credentials: true },
  { credentials: true, maxAge: 600 }, { maxAge: 0 }, { methods: [], allowedHeaders: [] },
  { allowedHeaders: ["X-One"], exposedHeaders: ["X-Two", "x-three"] },
  { allowedHeaders: ["X-One", "Content-Type"], maxAge: 86400 },
  { exposedHeaders: [] }, { exposedHeaders: ["ETag"], credentials: true, methods: ["GET"] },
];
const asked = "access-control-request-headers";
const requests = [
  {}, { origin: "https://a.example" }, { origin: "https://A.example" },
  { origin: "https://a.example:444" }, { origin: "http://[::1]:3000" }, { origin: "null" },
  { origin: "" }, { origin: "https://a.example", [asked]: "x-one,Content-Type" },
  { origin: "https://evil.example", [asked]: "x-one" }, { [asked]: "" },
];
const varies = [
  undefined, undefined, "", "Accept-Encoding", "origin", "Accept, Origin", "*", "a, *",
  "ORIGIN,b", "X-Origin", ["Accept", "Cookie"], ["Accept", "origin"],
];

function answer(options, method, headers, before) {
  const request = new IncomingMessage();
  Object.assign(request, { method, headers });
  const response = new ServerResponse(request);
  if (before !== undefined) response.setHeader("Vary", before);
  let ended = false;
  response.end = () => { ended = true; };
  let passed = false;
  cors(options)(request, response, (error) => {
    if (error) throw error;
    passed = true;
  });
  if (ended === passed) throw new Error("neither or both");
  const fields = response.getRawHeaderNames().map((name) => [name, response.getHeader(name)]);
  return { status: ended ? response.statusCode : null, fields };
}

const corsCases = [];
for (const origin of origins) {
  for (const extra of extras) {
    const options = { origin, ...extra };
    for (const request of requests) {
      corsCases.push({ options, method: "OPTIONS", request, ...answer(options, "OPTIONS", request) });
      const vary = pick(varies);
      corsCases.push({ options, method: "GET", request, vary, ...answer(options, "GET", request, vary) });
    }
  }
}
for (const origin of ["https://a.example", ["https://a.example"]]) {
  for (const vary of varies) {
    const [options, request] = [{ origin }, { origin: "https://a.example" }];
    corsCases.push({ options, method: "POST", request, vary, ...answer(options, "POST", request, vary) });
  }
}
write("cors.jsonl", corsCases);

// --- Accept-Encoding ----------------------------------------------------------------------------
const lists = [
  undefined, "", "gzip", "deflate", "gzip, deflate", "deflate, gzip", "deflate,gzip", "br", "*",
  "gzip, deflate, br", "gzip, deflate, br, zstd", "br;q=1.0, gzip;q=0.8, *;q=0.1", "identity",
  "identity;q=1, *;q=0", "identity;q=1, gzip;q=0.5", "*;q=0", "*;q=0, gzip", "gzip;q=0, *",
  "gzip;q=0", "deflate;q=0.9, gzip;q=0.8", "deflate;q=0.8, gzip;q=0.9", "*, gzip", "deflate, *",
  "GZIP", "GZip;Q=0", "x-gzip", "gzip;q=0.5;q=0.1", "gzip;level=9;q=0", "gzip deflate", ",,gzip,,",
  ";q=1", "gzip;", "gzip ;q=0.2,deflate ; q=0.3", "gzip,deflate,gzip", "gzip;q=x,gzip;q=0.5",
];
const names = ["gzip", "deflate", "*", "br", "identity", "Gzip", "DEFLATE", "x-gzip", "", "gzip x"];
const qs = [
  "", "", "", ";q=1", ";q=0", ";q=0.5", ";q=0.8", ";q=1.0", "; q=0.3", ";q=.5", ";q=0.", ";q=",
  ";q=x", ";Q=0", ";x=1;q=0.2", ";q=2", ";q=-1", " ; q=0.9", ";q", "; q= 0.4", ";q=0.5x", ";q =0",
  ";q=0.001", ";q=0.000", ";q=1.1.1", ";q=.", ";q=-", ";q=0.5-1", ";;q=0", ";",
];
for (let n = 0; n < 1000; n++) {
  const entries = Array.from({ length: 1 + random(4) }, () => pick(names) + pick(qs));
  lists.push(entries.join(pick([",", ", ", " , ", ",\t"])));
}
write("encoding.jsonl", [...new Set(lists)].map((accept) => {
  const headers = accept === undefined ? {} : { "accept-encoding": accept };
  const chosen = accepts({ headers }).encodings(["gzip", "deflate"]);
  return { accept: accept ?? null, chosen: chosen || null };
}));

// --- Cookies ------------------------------------------------------------------------------------
const cookieDefaults = { name: "io", path: "/", httpOnly: true, sameSite: "lax" };
const cookieOptions = [
  {}, { path: null }, { path: "/socket.io/" }, { path: "/a b=c?d" }, { httpOnly: false },
  { sameSite: null }, { sameSite: "strict" }, { sameSite: "none", secure: true }, { secure: true },
  { maxAge: 0 }, { maxAge: 86400 }, { domain: "example.com" }, { domain: ".example.com" },
  { name: "relay-node" }, { name: "__Host-io", secure: true }, { name: "!#$%&'*+-.^_`|~09" },
  { path: "/x", httpOnly: true, sameSite: "none", maxAge: 1, domain: "a-b.c1", secure: true },
];
write("cookie.jsonl", cookieOptions.map((change) => {
  const options = { ...cookieDefaults, ...change };
  return { options, value: serialize(options.name, "lv_VI97HAXpY6yYWAAAC", options) };
}));
