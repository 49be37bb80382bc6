import { connect, createServer } from 'node:net';
import { once } from './events.mjs';

/**
 * A network in between, which can be cut: what connects to its port reaches the Unix socket at `path`, at so many
 * `bytes` a second.
 */
export async function startCut(t, path, bytes = Number.POSITIVE_INFINITY) {
  const pairs = new Set();
  let to = path;
  let isStopped = false;
  let isGone = false;
  let attempts = 0;
  const server = createServer((near) => {
    attempts += 1;
    if (isGone) return near.destroy();
    const pair = [near, connect(to)];
    pairs.add(pair);
    for (const [socket, other] of [pair, pair.toReversed()]) {
      socket.on('data', (bytes) => other.write(bytes));
      socket.on('error', () => {});
      socket.on('close', () => {
        pairs.delete(pair);
        other.destroy();
      });
      if (isStopped) socket.pause();
    }
    if (bytes < Number.POSITIVE_INFINITY) near.on('data', ({ length }) => slow(near, length));
  });
  const slow = (socket, length) => {
    socket.pause();
    setTimeout(() => socket.resume(), (length / bytes) * 1000);
  };
  const each = (does) => {
    for (const socket of [...pairs].flat()) does(socket);
  };
  t.teardown(() => {
    server.close();
    each((socket) => socket.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `redis://127.0.0.1:${server.address().port}`,
    /** How many connections there were, or were tried. */
    attempts: () => attempts,
    /** Connections are to another socket from now on; those that there are stay. */
    turnTo(path) {
      to = path;
    },
    /** Nothing arrives any more, and nobody is told. */
    stop() {
      isStopped = true;
      each((socket) => socket.pause());
    },
    /** All connections break, and there are no others. */
    break() {
      isGone = true;
      each((socket) => socket.destroy());
    },
    /** What was held back arrives. */
    goOn() {
      isStopped = false;
      isGone = false;
      each((socket) => socket.resume());
    },
  };
}
