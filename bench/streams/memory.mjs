// What a server keeps of the streams it has served: its resident memory and its descriptors while a
// million short ones are taken, and a hundred thousand are left by their clients.
import { once } from 'node:events';
import { connect } from 'node:net';
import { start } from '../lib/server.mjs';
import { markdown, written } from '../report/table.mjs';

const SHORT = 1_000_000;
const ABORTED = 100_000;
const CONNECTIONS = 20;
const POINTS = 10;
const PIPELINED = 50;
const MEBIBYTE = 1024 * 1024;

const request = (path) => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`;
const LAST_CHUNK = '\r\n0\r\n\r\n';

/** A connection that takes short streams, so many requests at a time. */
function keepAlive(port) {
  const socket = connect(port, '127.0.0.1').setEncoding('latin1');
  const batch = request('/short').repeat(PIPELINED);
  return {
    async take(count) {
      let rest = '';
      for (let sent = 0; sent < count; sent += PIPELINED) {
        socket.write(batch);
        for (let taken = 0; taken < PIPELINED; ) {
          const [text] = await once(socket, 'data');
          const responses = (rest + text).split(LAST_CHUNK);
          taken += responses.length - 1;
          rest = responses.at(-1);
        }
      }
    },
    end: () => socket.destroy(),
  };
}

/** Asks for streams that say nothing, one after the other, and leaves each: with FIN, with RST. */
async function leave(port, count) {
  for (let index = 0; index < count; index++) {
    const socket = connect(port, '127.0.0.1').on('error', () => {});
    socket.write(request('/silent'));
    await once(socket, 'data');
    if (index % 2 === 0) socket.destroy();
    else socket.resetAndDestroy();
  }
}

/** Memory in MiB, and descriptors, at each point: the first is before there was a request. */
async function measure(name) {
  const server = await start('streams', name);
  const now = () => ({ memory: server.memory() / MEBIBYTE, descriptors: server.descriptors() });
  const curve = [now()];
  const clients = Array.from({ length: CONNECTIONS }, () => keepAlive(server.port));
  try {
    while (curve.length <= POINTS) {
      await Promise.all(
        clients.flatMap((client) => [
          client.take(SHORT / POINTS / CONNECTIONS),
          leave(server.port, ABORTED / POINTS / CONNECTIONS),
        ]),
      );
      curve.push(now());
    }
    return curve;
  } finally {
    for (const client of clients) client.end();
    await server.stop();
  }
}

/** A row for each point. */
export async function memoryTable() {
  const threaded = await measure('wapix');
  const inLoop = await measure('wapix-in-loop');
  const rows = threaded.map(({ memory, descriptors }, point) => [
    written((point * SHORT) / POINTS, 0),
    written((point * ABORTED) / POINTS, 0),
    `${written(memory, 1)} (${descriptors})`,
    `${written(inLoop[point].memory, 1)} (${inLoop[point].descriptors})`,
  ]);
  return markdown(['short streams', 'left ones', 'I/O thread, MiB', 'in-loop, MiB'], rows);
}
