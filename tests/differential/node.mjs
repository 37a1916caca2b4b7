// Node's server in one mode, as a process of its own: `node node.mjs MODE [PORT]`. Tells its port
// in a line on standard output and ends with its parent.

import { createServer } from 'node:http';
import { Server } from 'socket.io';

import { answerEvents } from '../conformance/behaviour.mjs';
import { MODES, nodeOptions } from './modes.mjs';

const [mode = 'plain', port = '0'] = process.argv.slice(2);
if (!(mode in MODES)) throw new Error(`no such mode: ${mode}`);

const http = createServer((_request, response) => response.writeHead(404).end());
answerEvents(new Server(http, nodeOptions(mode)));
http.listen(Number(port), '127.0.0.1', () => console.log(http.address().port));
// Whoever started this holds the other end of its standard input.
process.stdin.on('end', () => process.exit(0)).resume();
