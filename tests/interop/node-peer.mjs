// A server for Node that does what its clients tell it: the counterpart of the example `peer`, whose
// table says what that is. Started as `node node-peer.mjs PORT REDIS_HOST REDIS_PORT NAME PARSER`; prints `ready`.
// With ioredis a message that the adapter cannot take ends the process, and the tests see that.
import { createServer } from "node:http";
import { Redis } from "ioredis";
import { Server } from "socket.io";
import { createAdapter } from "@socket.io/redis-adapter";
import { parsers } from "./lib/parsers.mjs";

const [port, host, redisPort, name, parser] = process.argv.slice(2);
const redis = () => new Redis({ host, port: Number(redisPort) });
const [publisher, subscriber] = [redis(), redis()];
const http = createServer();
const io = new Server(http, { adapter: createAdapter(publisher, subscriber, { parser: parsers[parser] }) });

const to = ({ rooms, except, volatile }) => {
  const operator = io.in(rooms ?? []).except(except ?? []);
  return volatile ? operator.volatile : operator;
};

function taken(value) {
  const binaries = [];
  const replace = (it) => {
    if (Buffer.isBuffer(it)) return { _placeholder: true, num: binaries.push(it.toString("hex")) - 1 };
    if (Array.isArray(it)) return it.map(replace);
    if (it && typeof it === "object") return Object.fromEntries(Object.entries(it).map(([k, v]) => [k, replace(v)]));
    return it;
  };
  return { text: JSON.stringify(replace(value)) ?? "null", binaries };
}

io.on("connection", (socket) => {
  socket.data = socket.handshake.auth;
  const on = (event, act) => socket.on(event, (...args) => act(args.pop(), ...args));
  on("join", (done, rooms) => (socket.join(rooms), done()));
  on("leave", (done, rooms) => (rooms.forEach((room) => socket.leave(room)), done()));
  on("emit", (done, options, ...event) => (to(options).emit(...event), done()));
  on("ask", (done, options, ...event) => {
    to(options).timeout(options.timeout ?? 5000).emit(...event, (error, answers) => done(answers.map(taken), !error));
  });
  on("fetch", async (done, options) => {
    try {
      const sockets = await to(options).fetchSockets();
      done(sockets.map((it) => ({ id: it.id, rooms: [...it.rooms], data: it.data, handshake: typeof it.handshake === "object" })), true);
    } catch {
      // Some server did not answer in time: then what the others said is not told.
      done(null, false);
    }
  });
  on("bulk", (done, { join, leave, disconnect, ...options }) => {
    if (join) to(options).socketsJoin(join);
    else if (leave) to(options).socketsLeave(leave);
    else to(options).disconnectSockets(disconnect);
    done();
  });
  on("side", (done, ...event) => (io.serverSideEmit(...event), done()));
  on("side-ask", (done, ...event) => {
    io.serverSideEmit(...event, (error, answers) => done(answers.map(taken), !error));
  });
});
for (const event of ["hello", "question", "silent"])
  io.on(event, (...args) => {
    const answer = typeof args.at(-1) === "function" ? args.pop() : null;
    io.local.emit("heard", [event, ...args]);
    answer?.(event === "silent" ? undefined : name);
  });

await Promise.all([publisher, subscriber].map((it) => it.status === "ready" || new Promise((ready) => it.once("ready", ready))));
http.listen(Number(port), "127.0.0.1", () => console.log("ready"));
// Whoever started it closes its input to end it.
process.stdin.resume().on("end", () => process.exit(0));
