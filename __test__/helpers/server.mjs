import { threadId } from 'node:worker_threads';
import { createServer } from 'wapix';
import { once } from './events.mjs';

/** Serves `routes` on a port the system chose, until the test has ended. */
export async function serve(t, routes, options, where = { port: 0, host: '127.0.0.1' }) {
  const server = createServer(routes, options);
  server.listen(where);
  await once(server, 'listening');
  t.teardown(() => stop(server));
  return server;
}

// Below those that Linux gives by itself, ten to a file: each has a thread of its own.
let lastPort = 10_000 + ((process.pid * 100 + threadId) % 2_200) * 10;

/**
 * A port for servers that leave it and come back: one that the system gave could be another's by
 * then, a client's of any test beside.
 */
export function lastingPort() {
  lastPort += 1;
  return lastPort;
}

/** Closes `server` where it listens. */
export async function stop(server) {
  if (!server.listening) return;
  server.close();
  await once(server, 'close');
}

/** Serves one handler of `GET /`. */
export function serveGet(t, get, options) {
  return serve(t, { '/': { get } }, options);
}

export function originOf(server, scheme = 'http') {
  const { address, port } = server.address();
  return `${scheme}://${address.includes(':') ? `[${address}]` : address}:${port}`;
}
