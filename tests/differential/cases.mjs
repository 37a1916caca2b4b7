// All cases: `{group, name, mode, steps, only?}`. `mode` names a configuration of `modes.mjs`;
// `only` limits the comparison to the fields it names, where the rest is nobody's contract.

import content from './cases/content.mjs';
import cors from './cases/cors.mjs';
import handshake from './cases/handshake.mjs';
import heartbeat from './cases/heartbeat.mjs';
import http from './cases/http.mjs';
import polling from './cases/polling.mjs';
import socketio from './cases/socketio.mjs';
import upgrade from './cases/upgrade.mjs';
import websocket from './cases/websocket.mjs';

const GROUPS = { handshake, polling, socketio, websocket, upgrade, http, content, cors, heartbeat };

export const CASES = Object.entries(GROUPS).flatMap(([group, cases]) =>
  cases.map(({ name, mode = 'plain', ...rest }) => ({
    group,
    name: mode === 'plain' ? name : `${name} [${mode}]`,
    mode,
    ...rest,
  })),
);

const names = new Set();
for (const { name } of CASES) {
  if (names.has(name)) throw new Error(`two cases are called ${JSON.stringify(name)}`);
  names.add(name);
}
