// Carries out the steps of a case against one server and keeps what was seen.

import { setTimeout as sleep } from 'node:timers/promises';

import { observeAnswer } from './observe.mjs';
import { Wire } from './wire.mjs';

/** For what must come; a server that is late by this much is not late but silent. */
const ANSWER_MS = 4000;

/**
 * Runs `steps` against the server at `address` ({host, port}). Resolves to a map from field
 * (`poll#2.status`, `ws#1.frame`) to what was seen, in order.
 */
export async function runScript(steps, address) {
  const run = new Run(address);
  try {
    for (const step of steps.flat(Infinity)) await run.step(step);
    return run.fields();
  } finally {
    run.destroy();
  }
}

class Run {
  #wires = new Map();
  #all = [];
  #sids = new Map();
  #counts = new Map();
  #seen = [];

  constructor(address) {
    this.address = address;
  }

  async step({ do: what, on, ms, head, body, capture }) {
    if (what === 'pause') return sleep(ms);
    const wire = await this.#wire(on, what === 'send');
    switch (what) {
      case 'send':
        return wire.write(this.#bytes(head, body));
      case 'answer':
        return this.#answered(on, await wire.answer(ANSWER_MS), capture);
      case 'frame':
        return this.#framed(on, await wire.frame(ANSWER_MS), capture);
      case 'silence':
        return this.#note(on, { silence: await wire.silence(ms) });
      case 'end':
        return this.#note(on, { end: await wire.end(ms) });
      case 'half':
        return wire.endOurs();
      case 'cut':
        wire.destroy();
        return this.#wires.delete(on);
      default:
        throw new Error(`no such step: ${what}`);
    }
  }

  /** A head is Latin-1, so that a case may hold any byte. */
  #bytes(head, body = Buffer.alloc(0)) {
    return Buffer.concat([Buffer.from(this.#fill(head), 'latin1'), body]);
  }

  #answered(on, answer, capture) {
    if (typeof answer === 'string') return this.#note(on, { status: answer });
    if (capture) this.#capture(capture, answer.body.toString('utf8'));
    this.#note(on, observeAnswer(answer));
    // The next request needs a connection of its own; that the end was announced is enough.
    if (/close/i.test(answer.headers.get('connection')?.join() ?? '')) this.#wires.delete(on);
  }

  #framed(on, shown, capture) {
    if (capture) this.#capture(capture, shown);
    this.#note(on, { frame: shown });
  }

  #capture(name, text) {
    const sid = /0\{"sid":"([^"]+)"/.exec(text)?.[1];
    if (sid) this.#sids.set(name, sid);
  }

  #fill(text) {
    // A session that did not come about is an unknown one.
    return text.replace(/\{([a-z]+)\}/g, (_, name) => this.#sids.get(name) ?? 'not-captured');
  }

  #note(on, fields) {
    const count = (this.#counts.get(on) ?? 0) + 1;
    this.#counts.set(on, count);
    for (const [field, value] of Object.entries(fields)) {
      this.#seen.push([`${on}#${count}.${field}`, value]);
    }
  }

  async #wire(name, mayOpen) {
    const known = this.#wires.get(name);
    if (known && !(known.ended && mayOpen)) return known;
    if (!mayOpen) {
      // Announced as closed by the answer before: so it is, for a step that only looks.
      return {
        end: () => 'ended',
        silence: () => 'ended',
        answer: () => 'ended',
        frame: () => 'ended',
      };
    }
    const wire = await Wire.open(this.address);
    this.#wires.set(name, wire);
    this.#all.push(wire);
    return wire;
  }

  /** Ids differ between any two runs: they are shown by name. */
  fields() {
    const hide = (value) => {
      let text = String(value);
      for (const [name, sid] of this.#sids) text = text.replaceAll(sid, `<${name}>`);
      // In JSONP the quotes are escaped once more.
      return text.replace(/(\\?"sid\\?":\\?")[\w~-]{20}/g, '$1<id>');
    };
    return new Map(this.#seen.map(([field, value]) => [field, hide(value)]));
  }

  destroy() {
    for (const wire of this.#all) wire.destroy();
  }
}
