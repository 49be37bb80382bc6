// Clients that leave, in every way there is.

import { connect as connectSocket } from 'node:net';
import { connect } from './client.mjs';
import { once } from './events.mjs';

/** How a client leaves a connection without TLS. */
export const PLAIN_WAYS = [
  ['FIN', ({ client }) => client.end()],
  ['RST', ({ client }) => client.reset()],
];

/** How a client leaves one with TLS: by its TLS connection, or by the socket below. */
export const TLS_WAYS = [
  ['close_notify and FIN', ({ client }) => client.end()],
  ['FIN alone', ({ socket }) => socket.end()],
  ['RST', ({ socket }) => socket.resetAndDestroy()],
];

/** A client of `server`, and the socket that its bytes take. */
export async function visit(t, server, tls) {
  if (!tls) {
    const client = await connect(t, server);
    return { client, socket: client.socket };
  }
  const { port } = server.address();
  const socket = connectSocket({ host: '127.0.0.1', port, allowHalfOpen: true });
  socket.on('error', () => {});
  t.teardown(() => socket.destroy());
  await once(socket, 'connect');
  return { client: await connect(t, server, { tls: true, socket }), socket };
}
