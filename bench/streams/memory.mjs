// What a server keeps of the streams it has served: its resident memory and its descriptors while short ones
// are taken, a million unless said, and a tenth as many are left by their clients.
import { once } from 'node:events';
import { connect } from 'node:net';
import { start } from '../lib/server.mjs';
import { markdown, written } from '../report/table.mjs';

const CONNECTIONS = 20;
const POINTS = 10;
const PIPELINED = 50;
/** Of so many short streams, one is left. */
const LEFT = 10;
/** How much larger the second half may leave the resident memory. */
const MOST_GROWTH = 0.1;
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

/** Memory in MiB, and descriptors, at each point of so many short streams: the first is before there was a request. */
async function measure(name, streams) {
  const server = await start('streams', name);
  const now = () => ({ memory: server.memory() / MEBIBYTE, descriptors: server.descriptors() });
  const curve = [now()];
  const clients = Array.from({ length: CONNECTIONS }, () => keepAlive(server.port));
  try {
    while (curve.length <= POINTS) {
      await Promise.all(
        clients.flatMap((client) => [
          client.take(streams / POINTS / CONNECTIONS),
          leave(server.port, streams / LEFT / POINTS / CONNECTIONS),
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

/** Fails where memory goes on growing, or descriptors do: the first half has seen all that is kept for reuse. */
function checkCurve(name, curve) {
  const middle = curve[POINTS / 2];
  const end = curve[POINTS];
  const growth = end.memory / middle.memory - 1;
  if (growth > MOST_GROWTH) {
    const from = `${written(middle.memory, 1)} to ${written(end.memory, 1)} MiB`;
    const most = `${written(MOST_GROWTH * 100, 0)} % are allowed`;
    throw new Error(`${name}: memory grew from ${from} in the second half of its streams; ${most}`);
  }
  if (end.descriptors > middle.descriptors + CONNECTIONS) {
    const from = `${middle.descriptors} to ${end.descriptors}`;
    throw new Error(
      `${name}: open descriptors grew from ${from} in the second half of its streams`,
    );
  }
}

/** A row for each point; rejects where what is kept goes on growing. */
export async function memoryTable(streams) {
  const curves = [];
  for (const name of ['wapix', 'wapix-in-loop']) {
    const curve = await measure(name, streams);
    checkCurve(name, curve);
    curves.push(curve);
  }
  const [threaded, inLoop] = curves;
  const rows = threaded.map(({ memory, descriptors }, point) => [
    written((point * streams) / POINTS, 0),
    written((point * streams) / LEFT / POINTS, 0),
    `${written(memory, 1)} (${descriptors})`,
    `${written(inLoop[point].memory, 1)} (${inLoop[point].descriptors})`,
  ]);
  return markdown(['short streams', 'left ones', 'I/O thread, MiB', 'in-loop, MiB'], rows);
}
