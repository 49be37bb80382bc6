// Takes events, in a process of its own: `client.mjs PORT CONNECTIONS`. Prints, for each line on its
// standard input, the events received since the last one, and the microseconds that the middle one and the
// slowest of a hundred took from their publishing.
import { connect } from 'node:net';
import { createInterface } from 'node:readline';

const [port, connections] = process.argv.slice(2).map(Number);
const EVENT = /"at":"(\d+)"/g;
const AT_A_TIME = 100;
let latencies = [];

function open() {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1').setEncoding('latin1');
    socket.write('GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n');
    socket.on('data', (text) => {
      resolve();
      const now = process.hrtime.bigint();
      for (const [, at] of text.matchAll(EVENT)) latencies.push(Number(now - BigInt(at)) / 1000);
    });
  });
}

for (let opened = 0; opened < connections; opened += AT_A_TIME) {
  await Promise.all(Array.from({ length: Math.min(AT_A_TIME, connections - opened) }, open));
}
console.log('started');
createInterface(process.stdin).on('line', () => {
  const sorted = latencies.sort((a, b) => a - b);
  latencies = [];
  const part = (of) => Math.round(sorted[Math.floor(sorted.length * of)] ?? 0);
  console.log(`${sorted.length} ${part(0.5)} ${part(0.99)}`);
});
