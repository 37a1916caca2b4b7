// A Redis of the test's own that can fail: started again on its port, killed, stopped and continued.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';

import { eventually } from '../../e2e/js/lib/wait.mjs';

/** Asks what is on the port; the answer as text, after its first line has come. */
function ask(port, host, words) {
  return new Promise((resolve, reject) => {
    let answer = '';
    const socket = connect(port, host, () => socket.write(`${words}\r\n`));
    socket.setTimeout(1000, () => socket.destroy(new Error('no answer')));
    socket.setEncoding('utf8').on('error', reject).on('data', (text) => {
      answer += text;
      if (!complete(answer)) return;
      resolve(answer);
      socket.destroy();
    });
    socket.on('close', () => reject(new Error('closed')));
  });
}

/** One line, or a list whose elements are all there. */
function complete(answer) {
  const lines = answer.split('\r\n').length - 1;
  const pair = /^\*(\d+)\r\n/.exec(answer);
  // An element of these lists is a number, in one line, or a name, in two.
  return pair ? lines >= 1 + (Number(pair[1]) / 2) * 3 : lines >= 1;
}

export class Redis {
  constructor(port, dir) {
    this.port = port;
    this.dir = dir;
    this.url = `redis://127.0.0.1:${port}`;
  }

  async start() {
    const args = ['--bind', '127.0.0.1', '127.0.0.2', '--port', this.port, '--save', '', '--appendonly', 'no'];
    this.child = spawn('redis-server', args.map(String), { cwd: this.dir, stdio: 'ignore' });
    const answers = () => this.ask('PING').then((it) => it === '+PONG\r\n', () => false);
    await eventually('Redis', answers, 60_000);
  }

  ask(words) {
    return ask(this.port, '127.0.0.1', words);
  }

  signal(signal) {
    this.child.kill(signal);
  }

  async kill() {
    const ended = once(this.child, 'exit');
    this.child.kill('SIGKILL');
    await ended;
  }

  /** Ends the connections of one type, `pubsub` or `normal`; how many there were. */
  async killClients(type) {
    return Number((await this.ask(`CLIENT KILL TYPE ${type}`)).slice(1));
  }

  /** How many instances listen to what is asked in the namespace. */
  async subscribers() {
    const answer = await this.ask('PUBSUB NUMSUB socket.io-request#/relay#');
    return Number(/:(\d+)\r\n/.exec(answer)[1]);
  }

  async stop() {
    if (!this.child || this.child.exitCode !== null || this.child.signalCode !== null) return;
    await this.kill();
  }
}
