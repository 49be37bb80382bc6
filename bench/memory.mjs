// What a server keeps of the streams it has served: its resident memory while a million short ones
// are taken and a hundred thousand are left by their clients.
//
//   node memory.mjs [--short 1000000] [--aborted 100000] [--connections 20] [--points 20]
//
// Memory comes from /proc, so this runs on Linux. The clients are this process, and not counted.
import { once } from 'node:events';
import { connect } from 'node:net';
import { parseArgs } from 'node:util';
import { start } from './lib/server.mjs';

const { values: options } = parseArgs({
  options: {
    short: { type: 'string', default: '1000000' },
    aborted: { type: 'string', default: '100000' },
    connections: { type: 'string', default: '20' },
    points: { type: 'string', default: '20' },
  },
});
const connections = Number(options.connections);
const points = Number(options.points);

const PIPELINED = 50;
const MEBIBYTE = 1024 * 1024;
/** By how much the last quarter may lie above the first: V8's young generation grows once by as much. */
const TOLERANCE = 16 * MEBIBYTE;

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

const mean = (numbers) => numbers.reduce((sum, number) => sum + number, 0) / numbers.length;
const inMebibytes = (bytes) => (bytes / MEBIBYTE).toFixed(1);

const server = await start('memory', 'wapix');
const clients = Array.from({ length: connections }, () => keepAlive(server.port));
const short = Number(options.short) / points;
const aborted = Number(options.aborted) / points;
const curve = [];
const rows = [];
const idle = server.memory();
try {
  for (let point = 1; point <= points; point++) {
    const before = performance.now();
    await Promise.all(
      clients.flatMap((client) => [
        client.take(short / connections),
        leave(server.port, aborted / connections),
      ]),
    );
    curve.push(server.memory());
    rows.push({
      'short streams': Math.round(point * short),
      'aborted streams': Math.round(point * aborted),
      'resident MiB': inMebibytes(curve.at(-1)),
      seconds: ((performance.now() - before) / 1000).toFixed(1),
    });
  }
} finally {
  for (const client of clients) client.end();
  await server.stop();
}

const quarter = Math.ceil(points / 4);
const [first, last] = [mean(curve.slice(0, quarter)), mean(curve.slice(-quarter))];
const growth = last - first;
console.log(`${options.short} short streams, ${options.aborted} aborted: resident memory`);
console.table(rows);
console.log(
  `idle ${inMebibytes(idle)} MiB, first quarter ${inMebibytes(first)} MiB, last quarter ` +
    `${inMebibytes(last)} MiB: ${growth < TOLERANCE ? 'flat' : 'growing'}`,
);
if (growth >= TOLERANCE) process.exitCode = 1;
