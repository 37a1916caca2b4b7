// What a reader starts: a command in a terminal, or a page in a browser. Both are lines to be read.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';

import { JSDOM } from 'jsdom';

import { isAsSaid } from './blocks.mjs';

const PATIENCE_MS = 60_000;
const POLL_MS = 20;

class Program {
  read = 0;

  /** Waits for the next lines, which must be these. */
  async expect(said) {
    for (const expected of said) {
      const deadline = Date.now() + PATIENCE_MS;
      while (this.lines().length <= this.read) {
        if (Date.now() > deadline) throw new Error(`${this.name} did not say: ${expected}`);
        await pause(POLL_MS);
      }
      const line = this.lines()[this.read++];
      if (!isAsSaid(expected, line)) {
        throw new Error(`${this.name} said\n      ${line}\n    instead of\n      ${expected}`);
      }
    }
  }

  /** Lines that no block of the document shows, of a program of which it shows some. */
  unsaid() {
    return this.read > 0 ? this.lines().slice(this.read) : [];
  }
}

/** A command of a shell, from its start to its end. */
export class Command extends Program {
  #output = '';
  #code;

  constructor(name, directory, environment) {
    super();
    this.name = name;
    this.child = spawn('bash', ['-c', name], {
      cwd: directory,
      env: environment,
      // A group of its own: what the shell started ends with it.
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.closed = once(this.child, 'close').then(([code, signal]) => {
      this.#code = code ?? signal;
    });
    this.child.stdout.setEncoding('utf8').on('data', (text) => (this.#output += text));
    this.child.stderr.setEncoding('utf8').on('data', (text) => (this.#output += text));
  }

  lines() {
    const lines = this.#output.split('\n');
    // What may still grow is no line yet.
    return lines.at(-1) === '' || this.exitCode() === undefined ? lines.slice(0, -1) : lines;
  }

  /** The exit code, or what killed it; nothing while it runs, or says something. */
  exitCode() {
    return this.#code;
  }

  async stop() {
    try {
      if (this.exitCode() === undefined) process.kill(-this.child.pid, 'SIGTERM');
    } catch (error) {
      // It has just ended.
      if (error.code !== 'ESRCH') throw error;
    }
    await this.closed;
  }
}

/** A page in a browser without a window; its lines are those of its first `pre`. */
export class Page extends Program {
  constructor(name, dom) {
    super();
    this.name = name;
    this.dom = dom;
  }

  static async open(name, path) {
    const options = { runScripts: 'dangerously', resources: 'usable', pretendToBeVisual: true };
    return new Page(name, await JSDOM.fromFile(path, options));
  }

  lines() {
    const text = this.dom.window.document.querySelector('pre')?.textContent ?? '';
    return text.split('\n').slice(0, -1);
  }

  stop() {
    this.dom.window.close();
  }
}
