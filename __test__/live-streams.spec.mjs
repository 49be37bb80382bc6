// However a process or a worker ends, a thousand live streams do not hold it up or crash it.

import test from 'ava';
import { runProgram } from './helpers/program.mjs';

const STREAMS = 1000;

/** Streams that flow, that say nothing, and that have more to say than their clients take. */
const SERVER = `
  const { Readable } = require('node:stream');
  const { createServer, stream } = require('wapix');
  let live = 0;
  const track = (source) => {
    live += 1;
    return stream(source.once('close', () => { live -= 1; }), 'text/event-stream');
  };
  const flowing = () => new Readable({ read() { setTimeout(() => this.push('tick'), 10); } });
  const server = createServer({
    '/flowing': { get: () => track(flowing()) },
    '/silent': { get: () => track(new Readable({ read() {} })) },
    '/stalled': { get: () => track(new Readable({ read() { this.push(Buffer.alloc(65536)); } })) },
  });
  server.listen(0, '127.0.0.1');
`;

/** A program with live streams of its own clients, which then does `steps`. */
const streaming = (serving, steps) => `
  import { once } from 'node:events';
  import { createRequire } from 'node:module';
  import { connect } from 'node:net';
  import { Worker } from 'node:worker_threads';
  const require = createRequire(process.cwd() + '/program.js');
  ${serving}
  const sockets = Array.from({ length: ${STREAMS} }, (_, index) => {
    const socket = connect(port, '127.0.0.1').on('error', () => {});
    const path = index % 10 === 0 ? 'stalled' : index % 2 === 0 ? 'silent' : 'flowing';
    socket.write('GET /' + path + ' HTTP/1.1\\r\\nHost: test\\r\\n\\r\\n');
    socket.once('data', () => { if (path === 'stalled') socket.pause(); });
    socket.tail = '';
    socket.on('data', (chunk) => {
      socket.tail = (socket.tail + chunk.subarray(-7).toString('latin1')).slice(-7);
    });
    return socket;
  });
  const closed = Promise.all(sockets.map((socket) => once(socket, 'close')));
  await Promise.all(sockets.map((socket) => once(socket, 'data')));
  console.log('live');
  ${steps}
`;

const HERE = `
  ${SERVER}
  await once(server, 'listening');
  const { port } = server.address();
`;

const WORKER = `
  const worker = new Worker(${JSON.stringify(`
    ${SERVER}
    const { parentPort } = require('node:worker_threads');
    server.on('listening', () => parentPort.postMessage(server.address().port));
    parentPort.on('message', (order) => {
      if (order === 'exit') process.exit(5);
      if (order === 'close') server.close(() => parentPort.close());
      if (order === 'throw') setImmediate(() => { throw new Error('uncaught'); });
    });
  `)}, { eval: true, execArgv: [] });
  const [port] = await once(worker, 'message');
`;

/** The end, as the clients see it, those too that have read nothing so far: none looks whole. */
const CUT_OFF = `
  for (const socket of sockets) socket.resume();
  await closed;
  const whole = sockets.filter(({ tail }) => tail === '\\r\\n0\\r\\n\\r\\n');
  if (whole.length > 0) throw new Error(whole.length + ' look whole');
`;

/** All that Node says of an error that nobody catches. */
const UNCAUGHT =
  /^file:.*:\d+\n.*throw new Error\('uncaught'\);.*\n *\^\n\nError: uncaught\n(?: {4}at .*\n)+\nNode\.js \S+\n$/;

const CLOSED = `
  server.close({ deadline: 2_000 });
  await once(server, 'close');
  if (live !== 0) throw new Error(live + ' sources are left');
  ${CUT_OFF}
`;

for (const [name, serving, steps, code, stderr = /^$/] of [
  ['process.exit()', HERE, 'process.exit(3);', 3],
  ['process.exit() in a stream', HERE, "sockets[1].on('data', () => process.exit(3));", 3],
  ['process.exit() as they close', HERE, 'server.close(); setImmediate(() => process.exit(3));', 3],
  [
    'an uncaught exception',
    HERE,
    "setImmediate(() => { throw new Error('uncaught'); });",
    1,
    UNCAUGHT,
  ],
  [
    'clients that leave, then close',
    HERE,
    `sockets.forEach((socket) => socket.destroy()); ${CLOSED}`,
    0,
  ],
  ['close', HERE, CLOSED, 0],
  ['worker.terminate()', WORKER, `await worker.terminate(); ${CUT_OFF}`, 0],
  [
    'process.exit() in a worker',
    WORKER,
    `worker.postMessage('exit'); const [exit] = await once(worker, 'exit');
     ${CUT_OFF} process.exitCode = exit;`,
    5,
  ],
  [
    'an uncaught exception in a worker',
    WORKER,
    `worker.postMessage('throw'); const [error] = await once(worker, 'error');
     ${CUT_OFF} process.exitCode = error.message === 'uncaught' ? 6 : 7;`,
    6,
  ],
  ['process.exit() beside a worker', WORKER, 'process.exit(3);', 3],
]) {
  test.serial(`a thousand live streams and ${name}: the end, no crash, nothing said`, async (t) => {
    const program = runProgram(t, streaming(serving, steps));
    await program.printed(/live/);
    const exit = await program.exit();
    t.is(program.stdout, 'live\n', program.stderr);
    t.deepEqual(exit, { code, signal: null }, program.stderr);
    t.regex(program.stderr, stderr);
  });
}
