// The resident memory of a connection that has had one answer, and is kept alive.
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { start } from '../lib/server.mjs';
import { wrk } from '../requests/load.mjs';
import { ask, CONTENT } from './answer.mjs';

export const IDLE_CONNECTIONS = 5_000;

const AT_A_TIME = 100;
// wapix lets go of what an idle connection does not need after some seconds.
const SETTLE_MILLISECONDS = 5_000;
const WARM_UP = { requests: [{ path: '/users/42' }], connections: 64 };

/** A connection that has had its answer. */
async function open(port) {
  const socket = connect(port, '127.0.0.1').setEncoding('latin1');
  socket.write('GET /users/42 HTTP/1.1\r\nHost: localhost\r\n\r\n');
  let received = '';
  while (!received.endsWith(CONTENT)) {
    const [text] = await once(socket, 'data');
    received += text;
  }
  return socket;
}

export async function measureIdle(name) {
  const server = await start('growth/servers', name);
  const sockets = [];
  try {
    await ask(server.port);
    await wrk({ ...WARM_UP, origin: `http://127.0.0.1:${server.port}` }, 1);
    await delay(SETTLE_MILLISECONDS);
    const [memory, descriptors] = [server.memory(), server.descriptors()];
    while (sockets.length < IDLE_CONNECTIONS) {
      const opening = Array.from({ length: AT_A_TIME }, () => open(server.port));
      sockets.push(...(await Promise.all(opening)));
    }
    await delay(SETTLE_MILLISECONDS);
    const opened = server.descriptors() - descriptors;
    if (opened < IDLE_CONNECTIONS) throw new Error(`${name} has ${opened} connections open`);
    return { kibibytes: (server.memory() - memory) / 1024 / IDLE_CONNECTIONS };
  } finally {
    for (const socket of sockets) socket.destroy();
    await server.stop();
  }
}
