// What HAProxy tells, and is told, through its administration socket.

import { connect } from 'node:net';

/** What HAProxy's administration socket answers. */
export function admin(path, command) {
  return new Promise((resolve, reject) => {
    let answer = '';
    connect(path)
      .setEncoding('utf8')
      .on('data', (text) => (answer += text))
      .on('error', reject)
      .on('close', () => resolve(answer))
      .end(`${command}\n`);
  });
}

/** How HAProxy sees a server, called like in the configuration: codes of its management guide. */
export async function stateOf(path, name) {
  const rows = (await admin(path, 'show servers state relay')).split('\n');
  const names = rows.find((row) => row.startsWith('# ')).slice(2).split(' ');
  const row = rows.map((it) => it.split(' ')).find((it) => it[names.indexOf('srv_name')] === name);
  const [operation, wish] = ['srv_op_state', 'srv_admin_state'].map((it) => row[names.indexOf(it)]);
  return { stopped: operation === '0', running: operation === '2', wanted: wish === '0' };
}
