// A way to Redis for one server alone, which may be cut: nothing passes, nobody is told, and what was
// under way passes when it is mended. A rule of the firewall where that is allowed, else a proxy.
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { connect, createServer } from "node:net";

const iptables = (...args) => execFileSync("iptables", ["-w", ...args.map(String)], { stdio: "ignore" });

function firewallIsOurs() {
  try {
    iptables("-L", "-n");
    return true;
  } catch {
    return false;
  }
}

/** Redis listens on this address too, and one server alone comes there. */
class Firewalled {
  how = "firewall";
  host = "127.0.0.2";

  constructor(port) {
    this.port = port;
    this.rules = [["-d", this.host, "--dport", port], ["-s", this.host, "--sport", port]]
      .map((rule) => ["INPUT", "-p", "tcp", ...rule, "-j", "DROP"]);
    // A rule must not outlive the test, however that ends.
    this.mend = this.mend.bind(this);
    process.on("exit", this.mend);
  }

  cut() {
    this.isCut = true;
    for (const rule of this.rules) iptables("-I", ...rule);
  }

  mend() {
    if (!this.isCut) return;
    this.isCut = false;
    for (const rule of this.rules) iptables("-D", ...rule);
  }

  close() {
    this.mend();
    process.off("exit", this.mend);
  }
}

/** Holds what comes from both sides while it is cut. */
class Proxied {
  how = "proxy";
  host = "127.0.0.1";
  sockets = new Set();

  async listen(redisPort) {
    this.server = createServer((near) => {
      const far = connect(redisPort, "127.0.0.1");
      for (const [one, other] of [[near, far], [far, near]]) {
        this.sockets.add(one);
        one.on("data", (bytes) => other.write(bytes)).on("error", () => {}).on("close", () => {
          this.sockets.delete(one);
          other.destroy();
        });
        if (this.isCut) one.pause();
      }
    });
    await once(this.server.listen(0, "127.0.0.1"), "listening");
    this.port = this.server.address().port;
    return this;
  }

  cut() {
    this.isCut = true;
    for (const it of this.sockets) it.pause();
  }

  mend() {
    this.isCut = false;
    for (const it of this.sockets) it.resume();
  }

  close() {
    this.server.close();
    for (const it of this.sockets) it.destroy();
  }
}

export function line(redisPort) {
  return firewallIsOurs() ? new Firewalled(redisPort) : new Proxied().listen(redisPort);
}
