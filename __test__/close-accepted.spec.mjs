import { once as onceOf } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import { connect as connectSocket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import test from 'ava';
import { text } from 'wapix';
import { CERT, KEY } from './helpers/certificate.mjs';
import { connect, request, requestBytes } from './helpers/client.mjs';
import { within } from './helpers/deadline.mjs';
import { deferred, once } from './helpers/events.mjs';
import { readResponse } from './helpers/message.mjs';
import { runProgram } from './helpers/program.mjs';
import { lastingPort, originOf, serve } from './helpers/server.mjs';

const ROUTES = { '/': { get: () => text('hello'), post: ({ body }) => text(body) } };
const HTTPS = { https: { cert: CERT, key: KEY } };
const GET = requestBytes('GET /');

/** What comes over `socket` until its end. */
async function received(socket) {
  const chunks = [];
  socket.on('data', (chunk) => chunks.push(chunk));
  await within(onceOf(socket, 'end'), 'the end of the connection');
  return readResponse(Buffer.concat(chunks), { method: 'GET', ended: true });
}

const unixPath = join(tmpdir(), `wapix-accepted-${process.pid}.sock`);
const WAYS = [
  { over: 'TCP', ready: 'connect' },
  { over: 'TLS', ready: 'secureConnect', options: HTTPS },
  ...(process.platform === 'win32'
    ? []
    : [{ over: 'a Unix socket', ready: 'connect', where: { path: unixPath } }]),
];

for (const { over, ready, options, where } of WAYS) {
  test(`who has connected before close is answered, over ${over}`, async (t) => {
    const server = await serve(t, ROUTES, options, where);
    const target = where ?? { port: server.address().port, host: '127.0.0.1' };
    const sockets = Array.from({ length: 20 }, () =>
      options ? connectTls({ ...target, rejectUnauthorized: false }) : connectSocket(target),
    );
    const over = once(server, 'close');
    // Node connects in the next tick: the system has the connections then, and nobody has sent anything.
    await new Promise(process.nextTick);
    server.close();
    const responses = await Promise.all(
      sockets.map(async (socket) => {
        await onceOf(socket, ready);
        socket.write(GET);
        return received(socket);
      }),
    );
    for (const response of responses) {
      t.is(response?.text, 'hello');
      t.is(response.field('connection'), 'close');
    }
    await over;
  });
}

test('a request sent before close over an idle connection is answered', async (t) => {
  const server = await serve(t, ROUTES);
  const clients = await Promise.all(Array.from({ length: 100 }, () => connect(t, server)));
  for (const client of clients) client.send(GET);
  await Promise.all(clients.map((client) => client.response()));
  const over = once(server, 'close');
  // Written when this returns.
  for (const client of clients) client.send(GET);
  server.close();
  for (const client of clients) {
    const response = await client.response();
    t.is(response.text, 'hello');
    t.is(response.field('connection'), 'close');
    client.end();
  }
  await over;
});

test('a request that has come in part before close is answered', async (t) => {
  const server = await serve(t, ROUTES);
  const client = await connect(t, server);
  client.send(GET);
  await client.response();
  client.send('POST / HTTP/1.1\r\nHost: t');
  const over = once(server, 'close');
  server.close();
  client.send('est\r\nContent-Type: text/plain\r\nContent-Length: 6\r\n\r\npos');
  client.send('ted');
  const response = await client.response();
  t.is(response.text, 'posted');
  t.is(response.field('connection'), 'close');
  await over;
});

test('of pipelined requests those that are answered at close are answered whole', async (t) => {
  const server = await serve(t, { '/': { get: () => text('x'.repeat(100_000)) } });
  const client = await connect(t, server);
  client.stall();
  for (let index = 0; index < 100; index += 1) client.send(GET);
  server.close();
  client.resume();
  let last;
  do {
    last = await client.response();
    t.is(last.text.length, 100_000);
  } while (last.field('connection') !== 'close');
  t.is(await client.ended(), 'end');
});

for (const [over, options, scheme] of [
  ['cleartext', {}, 'http'],
  ['TLS', HTTPS, 'https'],
]) {
  test(`HTTP/2 over ${over}: what is in flight at close is answered, whole`, async (t) => {
    const gate = deferred();
    const entered = deferred();
    let count = 0;
    const get = async () => {
      count += 1;
      if (count === 60) entered.resolve();
      await gate.promise;
      return text('x'.repeat(100_000));
    };
    const server = await serve(t, { '/': { get } }, options);
    const ask = async (session) => {
      const stream = session.request({ ':path': '/' });
      let length = 0;
      stream.on('data', (chunk) => {
        length += chunk.length;
      });
      await within(onceOf(stream, 'close'), 'the answer');
      return length;
    };
    const answers = Array.from({ length: 20 }, () => {
      const session = connectHttp2(originOf(server, scheme), { rejectUnauthorized: false });
      t.teardown(() => session.destroy());
      return [ask(session), ask(session), ask(session)];
    }).flat();
    await within(entered.promise, 'sixty requests');
    const over = once(server, 'close');
    server.close();
    gate.resolve();
    t.deepEqual(new Set(await Promise.all(answers)), new Set([100_000]));
    await over;
  });
}

test('after close nobody connects, and the port is free', async (t) => {
  const port = lastingPort();
  const server = await serve(t, ROUTES, {}, { port, host: '127.0.0.1' });
  server.close();
  const next = await serve(
    t,
    { '/': { get: () => text('next') } },
    {},
    { port, host: '127.0.0.1' },
  );
  t.is((await request(t, next, 'GET /')).text, 'next');
});

// Elsewhere a child process may hold the port for the moment that it takes to start.
const onLinux = process.platform === 'linux' ? test : test.skip;

onLinux('the port is free at once, though child processes are being started', async (t) => {
  const program = runProgram(
    t,
    `
    import { once } from 'node:events';
    import { Worker } from 'node:worker_threads';
    import { createServer } from 'wapix';
    // The more memory a process has, the longer it takes for a child of it to start.
    globalThis.memory = Buffer.alloc(300e6, 1);
    new Worker(
      \`import { spawn } from 'node:child_process';
       const start = () => spawn(process.execPath, ['--version']).on('exit', start);
       for (let child = 0; child < 4; child += 1) start();\`,
      { eval: true },
    );
    for (let round = 0; round < 40; round += 1) {
      const server = createServer({});
      server.listen(${lastingPort()}, '127.0.0.1');
      await once(server, 'listening');
      server.close();
      await once(server, 'close');
    }
    process.exit();
    `,
  );
  const { code } = await program.exit();
  t.is(code, 0, program.stderr);
});
