// A Redis, servers on it, and clients on those: started and ended by whoever needs them.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { once } from "node:events";
import { Redis } from "ioredis";
import { Client } from "./client.mjs";
import { line } from "./line.mjs";

// The machine may be slow: nothing here is about speed.
export const PATIENCE_MS = 30_000;

/** Below those that the kernel gives to whoever connects: one that tries again and again would meet itself there. */
async function freePort() {
  for (;;) {
    const port = 12_000 + Math.floor(Math.random() * 18_000);
    const server = createServer().listen(port, "127.0.0.1");
    if (!(await once(server, "listening").then(() => true, () => false))) continue;
    server.close();
    await once(server, "close");
    return port;
  }
}

export async function until(what, isSo) {
  const end = Date.now() + PATIENCE_MS;
  while (!(await isSo())) {
    if (Date.now() > end) throw new Error(`waited in vain for ${what}`);
    await new Promise((done) => setTimeout(done, 10));
  }
}

/** A server of one kind: `node` or `relay`. */
class Peer {
  constructor(kind, name) {
    this.kind = kind;
    this.name = name;
    this.died = false;
    this.errors = "";
  }

  async start({ host, port: redisPort }, shards, parser) {
    this.port = await freePort();
    const [program, args] = this.kind === "node"
      ? [process.execPath, [join(import.meta.dirname, "../node-peer.mjs"), this.port, host, redisPort, this.name, parser]]
      : [process.env.RELAY_PEER, ["--listen", `127.0.0.1:${this.port}`, "--redis", `redis://${host}:${redisPort}`, "--name", this.name, "--shards", shards, "--parser", parser]];
    if (!program) throw new Error("RELAY_PEER names the example `peer`: cargo build -p relay --example peer");
    this.process = spawn(program, args.map(String), { stdio: ["pipe", "pipe", "pipe"] });
    this.process.on("exit", () => { this.died = true; });
    this.process.stderr.on("data", (text) => { this.errors += text; });
    let said = "";
    this.process.stdout.on("data", (text) => { said += text; });
    await until(`${this.kind} ${this.name}`, () => {
      if (this.died) throw new Error(`${this.kind} ${this.name} ended: ${this.errors}`);
      return said.includes("ready");
    });
  }

  async kill() {
    this.process.kill("SIGKILL");
    await until(`the end of ${this.name}`, () => this.died);
  }

  async stop() {
    if (this.died) return;
    this.process.stdin.end();
    const timer = setTimeout(() => this.process.kill("SIGKILL"), PATIENCE_MS);
    if (!this.died) await once(this.process, "exit");
    clearTimeout(timer);
  }
}

export class Cluster {
  /** `kinds`: of each server; they are called `a`, `b`, `c`. `withLine`: the last one has a way of its own. `parser`: of all. */
  static async start(kinds, { shards = 2, withLine = false, parser = "notepack" } = {}) {
    const cluster = new Cluster();
    cluster.folder = mkdtempSync(join(tmpdir(), "relay-interop-"));
    const port = await freePort();
    cluster.server = spawn("redis-server", ["--bind", "127.0.0.1", "127.0.0.2", "--port", String(port), "--save", "", "--appendonly", "no"],
      { cwd: cluster.folder, stdio: "ignore" });
    cluster.redisPort = port;
    cluster.redis = new Redis({ host: "127.0.0.1", port, retryStrategy: () => 20, maxRetriesPerRequest: null });
    cluster.redis.on("error", () => {});
    await cluster.redis.ping();
    cluster.peers = kinds.map((kind, i) => new Peer(kind, "abc"[i]));
    if (withLine) cluster.line = await line(port);
    for (const peer of cluster.peers)
      await peer.start((peer === cluster.peers.at(-1) && cluster.line) || { host: "127.0.0.1", port }, shards, parser);
    // Servers for Node do not wait for their subscriptions.
    await cluster.counts("socket.io-request#/#", kinds.length);
    cluster.clients = [];
    return cluster;
  }

  counts(channel, expected) {
    return until(`${expected} subscribers of ${channel}`, async () =>
      (await this.redis.pubsub("NUMSUB", channel))[1] === expected);
  }

  peer(name) {
    return this.peers.find((it) => it.name === name);
  }

  /** A client of a server, called like `a0`. */
  async client(name) {
    const client = new Client(name, this.peer(name[0]).port);
    await client.connected();
    this.clients.push(client);
    return client;
  }

  /** The servers that ended though nobody told them to, and what they said. */
  dead() {
    return this.peers.filter((it) => it.died).map((it) => `${it.kind} ${it.name}: ${it.errors}`);
  }

  async stop() {
    for (const client of this.clients) client.close();
    await Promise.all(this.peers.map((it) => it.stop()));
    this.line?.close();
    this.redis.disconnect();
    this.server.kill("SIGKILL");
    rmSync(this.folder, { recursive: true, force: true });
  }
}
