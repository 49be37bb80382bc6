import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { request as httpsRequest } from 'node:https';
import { createServer as createNodeServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { text as readText } from 'node:stream/consumers';
import test from 'ava';
import { createServer, json, stream } from 'wapix';
import { CERT, KEY, OTHER_KEY } from './helpers/certificate.mjs';
import { connect, request, requestBytes } from './helpers/client.mjs';
import { within } from './helpers/deadline.mjs';
import { closed, once } from './helpers/events.mjs';
import { runProgram } from './helpers/program.mjs';
import { serve, stop } from './helpers/server.mjs';

const peer = ({ ip, raw }) =>
  json([ip, raw.socket.remoteAddress ?? null, raw.socket.remotePort ?? null, raw.socket.encrypted]);
const ROUTES = { '/': { get: peer } };

const unixTest = process.platform === 'win32' ? test.skip : test;

function socketPath(t) {
  const directory = mkdtempSync(join(tmpdir(), 'wapix-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  return join(directory, 'http.sock');
}

unixTest('a Unix socket is served, and its file goes with the server', async (t) => {
  const path = socketPath(t);
  for (const where of [{ path }, path]) {
    const server = await serve(t, ROUTES, {}, where);
    t.is(server.address(), path);
    t.deepEqual((await request(t, server, 'GET /')).json, ['', null, null, false]);
    await stop(server);
    t.false(existsSync(path));
  }
});

unixTest("a Unix socket in use: EADDRINUSE exactly as Node's", async (t) => {
  const path = socketPath(t);
  await serve(t, ROUTES, {}, { path });
  const shapes = [];
  for (const server of [createServer(ROUTES), createNodeServer()]) {
    const failed = once(server, 'error');
    server.listen({ path });
    const [{ message, code, errno, syscall, address, port }] = await failed;
    shapes.push({ message, code, errno, syscall, address, port });
  }
  t.deepEqual(shapes[0], shapes[1]);
  t.true(existsSync(path), 'the file of the other server stays');
});

const https = { key: KEY, cert: CERT };

/** GET over HTTPS, by Node's own client, which checks the certificate. */
async function getSecurely(server, path = '/') {
  const { port } = server.address();
  const sent = httpsRequest({ host: 'localhost', family: 4, port, path, ca: CERT, agent: false });
  sent.end();
  const [response] = await once(sent, 'response');
  return response;
}

for (const [name, options] of [
  ['strings', https],
  ['Buffers', { key: Buffer.from(KEY), cert: Buffer.from(CERT) }],
]) {
  test(`HTTPS with key and certificate as ${name}`, async (t) => {
    const server = await serve(t, ROUTES, { https: options });
    const [ip, address, port, encrypted] = JSON.parse(await readText(await getSecurely(server)));
    t.deepEqual([ip, address, typeof port, encrypted], ['127.0.0.1', '127.0.0.1', 'number', true]);
  });
}

test('a large stream over HTTPS arrives whole; a client that leaves ends its source', async (t) => {
  const endless = new Readable({ read() {} });
  endless.push('first');
  const chunks = Array.from({ length: 200 }, (_, index) => Buffer.alloc(30_000, index));
  const server = await serve(
    t,
    {
      '/large': { get: () => stream(Readable.from(chunks)) },
      '/endless': { get: () => stream(endless) },
    },
    { https },
  );
  const received = [];
  for await (const chunk of await getSecurely(server, '/large')) received.push(chunk);
  t.true(Buffer.concat(received).equals(Buffer.concat(chunks)));
  const response = await getSecurely(server, '/endless');
  await once(response, 'data');
  response.destroy();
  await closed(endless);
  t.pass();
});

test('plain HTTP to an HTTPS server is closed, and the server lives on', async (t) => {
  const server = await serve(t, ROUTES, { https });
  const plain = await connect(t, server);
  plain.send(requestBytes('GET /'));
  t.truthy(await plain.ended());
  t.is((await getSecurely(server)).statusCode, 200);
});

test('a silent TLS client does not hold up close', async (t) => {
  const server = await serve(t, ROUTES, { https });
  const silent = await connect(t, server);
  server.close({ deadline: 60_000 });
  t.truthy(await within(silent.ended(), 'it is closed', 8_000));
});

for (const [name, options] of [
  ['a key that is none', { key: 'none', cert: CERT }],
  ['a certificate that is none', { key: KEY, cert: 'none' }],
  ["a key that is not the certificate's", { key: OTHER_KEY, cert: CERT }],
  ['no key', { cert: CERT }],
  ['no certificate', { key: KEY }],
]) {
  test(`createServer throws for ${name}`, (t) => {
    t.throws(() => createServer(ROUTES, { https: options }), { code: 'WAPIX_INVALID_TLS' });
  });
}

/** A program that serves `GET /` and does `steps` with its server. */
const serving = (steps) => `
  import { createServer, text } from 'wapix';
  import { once } from 'node:events';
  const server = createServer({ '/': { get: () => text('') } });
  process.on('exit', () => console.log('exit'));
  ${steps}
`;

/** Steps that end in an exit of the program's own. */
const EXITING = [
  ['never listening', ''],
  ['unref after listen', "server.listen(0); server.unref(); server.on('listening', () => console.log('on'));"],
  ['unref before listen', 'server.unref(); server.listen(0);'],
  ['unref, ref, unref', 'server.listen(0).unref().ref().unref();'],
  ['unref in the callback', 'server.listen(0, () => server.unref());'],
  ['close', "server.listen(0); await once(server, 'listening'); server.close();"],
  ['close at once', 'server.listen(0); server.close();'],
  [
    'close after requests, with connections idle',
    `server.listen(0, '127.0.0.1');
     await once(server, 'listening');
     const origin = 'http://127.0.0.1:' + server.address().port;
     await Promise.all([1, 2, 3].map(() => fetch(origin).then((response) => response.text())));
     server.close();`,
  ],
  [
    'close, listen, close',
    `server.listen(0); await once(server, 'listening'); server.close(); await once(server, 'close');
     server.listen(0); await once(server, 'listening'); server.close();`,
  ],
]; // biome-ignore format: a table

for (const [name, steps] of EXITING) {
  test(`the process ends by itself: ${name}`, async (t) => {
    // A timer of this kind keeps nothing alive: it runs only where something else does.
    const late = "server.on('close', () => setTimeout(() => console.log('late'), 1000).unref());";
    const program = runProgram(t, serving(late + steps));
    const { code } = await program.exit();
    t.is(code, 0);
    t.notRegex(program.stdout, /late/);
  });
}

for (const [name, steps] of [
  ['listening', 'server.listen(0);'],
  ['unref, then ref', 'server.listen(0).unref().ref();'],
  ['ref before listen', 'server.unref().ref().listen(0);'],
]) {
  test(`the process lives while ${name}`, async (t) => {
    // Nothing else keeps it: beforeExit would come at once.
    const program = runProgram(
      t,
      serving(`process.on('beforeExit', () => console.log('beforeExit')); ${steps}
        await once(server, 'listening');
        const origin = 'http://localhost:' + server.address().port;
        console.log('listening', origin);`),
    );
    const [, origin] = await program.printed(/listening (\S+)/);
    for (let round = 0; round < 5; round += 1) t.is((await fetch(origin)).status, 200);
    t.notRegex(program.stdout, /exit/i);
    program.child.kill('SIGKILL');
    await program.exit();
  });
}

test('an error of listening that nobody handles ends the process, with what failed', async (t) => {
  const server = await serve(t, ROUTES);
  const { port } = server.address();
  const program = runProgram(t, serving(`server.listen(${port}, '127.0.0.1');`));
  const { code } = await program.exit();
  t.is(code, 1);
  t.regex(program.stderr, /EADDRINUSE/);
});

for (const event of ['listening', 'close']) {
  test(`what a listener of ${event} throws is an uncaught exception, as ever`, async (t) => {
    const program = runProgram(
      t,
      serving(`
        process.on('uncaughtException', ({ message }) => {
          console.log('caught', message);
          server.close();
        });
        server.on('${event}', () => { throw new Error('from ${event}'); });
        server.listen(0, () => server.close());`),
    );
    const { code } = await program.exit();
    t.is(code, 0, program.stderr);
    t.regex(program.stdout, new RegExp(`caught from ${event}`));
  });
}
