// A client that keeps what it hears, and answers questions.
import { io } from "socket.io-client";
import { PATIENCE_MS, until } from "./cluster.mjs";

export class Client {
  constructor(name, port) {
    this.name = name;
    this.heard = [];
    this.socket = io(`http://127.0.0.1:${port}`, { transports: ["websocket"], auth: { name }, reconnection: false });
    this.socket.onAny((event, ...args) => {
      const answer = typeof args.at(-1) === "function" ? args.pop() : null;
      this.heard.push([event, ...args]);
      if (event === "question") answer?.({ name, binary: Buffer.from(name) });
      else if (event === "echo") answer?.(args[0]);
      else if (event === "nothing") answer?.();
      else if (event !== "mute") answer?.(name);
    });
    this.socket.on("disconnect", (reason) => { this.ended = reason; });
  }

  connected() {
    return until(`${this.name} to connect`, () => this.socket.connected);
  }

  /** Tells its server to do something; what that answers. */
  tell(event, ...args) {
    return new Promise((resolve, reject) => {
      this.socket.timeout(PATIENCE_MS).emit(event, ...args, (error, ...answers) =>
        error ? reject(new Error(`no answer to ${event}`)) : resolve(answers));
    });
  }

  /** Everything heard until the event `fence` with this number came, and forgets it. */
  async until(fence) {
    const at = () => this.heard.findIndex(([event, number]) => event === "fence" && number === fence);
    await until(`fence ${fence} at ${this.name}`, () => at() >= 0);
    return this.heard.splice(0, at() + 1).slice(0, -1);
  }

  close() {
    this.socket.close();
  }
}
