// The end of a process, or of a worker, in the middle of a response: to no client does it look whole.

import test from 'ava';
import { CERT, KEY } from './helpers/certificate.mjs';
import { connect } from './helpers/client.mjs';
import { ENDLESS_WINDOWS, frame, getOf, hasEnd, PREFACE } from './helpers/http2.mjs';
import { runProgram } from './helpers/program.mjs';

/** Serves what never ends, over TCP and TLS, and comes to its own `end` where it is asked to. */
const SERVER = `
  const { once } = require('node:events');
  const { Readable } = require('node:stream');
  const { createServer, stream } = require('wapix');
  const begun = (read) => {
    const source = new Readable({ read });
    source.push('begun');
    return source;
  };
  const routes = {
    '/waits': { get: () => stream(begun(() => {})) },
    '/flows': {
      get: () => stream(begun(function () { setTimeout(() => this.push(Buffer.alloc(65536)), 1); })),
    },
    '/events': { get: () => stream(begun(() => {}), 'text/event-stream') },
    '/end': { get: () => { end(); return new Promise(() => {}); } },
  };
  const https = ${JSON.stringify({ key: KEY, cert: CERT })};
  const servers = [{}, { https }].map((it) => createServer(routes, it).listen(0, '127.0.0.1'));
  Promise.all(servers.map((server) => once(server, 'listening'))).then(() => {
    tell(servers.map((server) => server.address().port));
  });
`;

const inProcess = (end) => `
  import { createRequire } from 'node:module';
  const require = createRequire(process.cwd() + '/program.js');
  const end = () => { ${end} };
  const tell = (ports) => console.log('ports', ...ports);
  ${SERVER}
`;

const inWorker = (end) => `
  import { Worker } from 'node:worker_threads';
  const worker = new Worker(${JSON.stringify(`
    const { parentPort } = require('node:worker_threads');
    const end = () => { ${end} };
    const tell = (ports) => parentPort.postMessage(ports);
    ${SERVER}
  `)}, { eval: true, execArgv: [] });
  worker.on('error', () => {});
  worker.on('message', (message) => {
    if (message === 'terminate') worker.terminate();
    else console.log('ports', ...message);
  });
`;

const THROWN = "setImmediate(() => { throw new Error('uncaught'); });";
// None of HTTP/1.0 flows: where a reset comes with data, Node's own client sees an end.
const CLIENTS = [
  ['1.0', '/waits'],
  ['1.0', '/events'],
  ['1.0', '/waits', { tls: true }],
  ['1.1', '/waits'],
  ['1.1', '/flows'],
  ['1.1', '/events'],
  ['1.1', '/waits', { tls: true }],
  ['2', '/waits'],
  ['2', '/flows'],
  ['2', '/events'],
  ['2', '/waits', { tls: true, ALPNProtocols: ['h2'] }],
];
/** All that came, what was taken of it first. */
const bytesOf = (taken, { bytes }) => Buffer.concat([Buffer.from(taken, 'latin1'), bytes]);
const none = { address: () => null };

for (const [how, program] of [
  ['process.exit()', inProcess('process.exit(3);')],
  ['an uncaught exception', inProcess(THROWN)],
  ['SIGKILL', inProcess("process.kill(process.pid, 'SIGKILL');")],
  ['worker.terminate()', inWorker("parentPort.postMessage('terminate');")],
  ['process.exit() in a worker', inWorker('process.exit(3);')],
  ['an uncaught exception in a worker', inWorker(THROWN)],
]) {
  test(`no response that ${how} cuts off looks whole`, async (t) => {
    const [, ...ports] = await runProgram(t, program).printed(/ports (\d+) (\d+)/);
    const open = (options) =>
      connect(t, none, { host: '127.0.0.1', port: ports[options?.tls ? 1 : 0], ...options });
    const clients = [];
    for (const [version, path, options] of CLIENTS) {
      const client = await open(options);
      if (version === '2') client.send(PREFACE, ENDLESS_WINDOWS, frame(1, 5, 1, getOf(path)));
      else client.send(`GET ${path} HTTP/${version}\r\nHost: test\r\n\r\n`);
      clients.push({ client, begun: await client.through('begun') });
    }
    (await open()).send('GET /end HTTP/1.1\r\nHost: test\r\n\r\n');
    for (const [index, { client, begun }] of clients.entries()) {
      const [version, path, options] = CLIENTS[index];
      const which = `HTTP/${version} ${path} ${options ? 'over TLS' : ''}`;
      const ending = await client.ended();
      // Its end is the end of the connection: only a reset says that it is not whole.
      if (version === '1.0') t.is(ending, 'ECONNRESET', which);
      else if (version === '2') t.false(hasEnd(bytesOf(begun, client), 1), which);
      else t.false(client.bytes.subarray(-5).equals(Buffer.from('0\r\n\r\n')), which);
    }
  });
}
