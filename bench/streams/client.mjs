// Takes responses and throws them away, in a process of its own: `client.mjs PORT PATH CONNECTIONS`.
// Prints the bytes received so far for each line on its standard input; ends when they all have
// ended.
import { connect } from 'node:net';
import { createInterface } from 'node:readline';

const [port, path, connections] = process.argv.slice(2);
let received = 0;
let open = Number(connections);
let started = 0;
const buffer = Buffer.alloc(1024 * 1024);
for (let connection = 0; connection < Number(connections); connection++) {
  let first = true;
  const socket = connect({
    port: Number(port),
    host: '127.0.0.1',
    onread: {
      buffer,
      callback(length) {
        received += length;
        if (first && ++started === Number(connections)) console.log('started');
        first = false;
      },
    },
  });
  socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
  socket.on('close', () => {
    if (--open === 0) {
      console.log(received);
      process.exit();
    }
  });
}
createInterface(process.stdin).on('line', () => console.log(received));
