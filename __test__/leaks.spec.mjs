import { connect } from 'node:net';
import test from 'ava';
import { CERT, KEY } from './helpers/certificate.mjs';
import { within } from './helpers/deadline.mjs';
import { once } from './helpers/events.mjs';
import { runProgram } from './helpers/program.mjs';

/** A program that serves `get` at `/`, and whose clients ask and leave, 50 a round. */
const leaving = (get, rounds, https) => `
  import { createReadStream, existsSync, readdirSync } from 'node:fs';
  import { once } from 'node:events';
  import { connect } from 'node:net';
  import { Readable } from 'node:stream';
  import { connect as connectTls } from 'node:tls';
  import { createServer, stream } from 'wapix';

  const https = ${JSON.stringify(https)};
  const descriptors = () => (existsSync('/dev/fd') ? readdirSync('/dev/fd').length : 0);
  // Handles, timers and requests of the event loop, by their kind.
  const resources = () => process.getActiveResourcesInfo().sort().join();
  const used = async () => {
    for (let turns = 0; turns < 3; turns += 1) {
      gc();
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  };
  let live = 0;
  let served = 0;
  const track = (source) => {
    live += 1;
    served += 1;
    source.once('close', () => { live -= 1; });
    return source;
  };
  const server = createServer({ '/': { get: ${get} } }, https && { https });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  async function leave(index) {
    const below = connect(server.address().port, '127.0.0.1').on('error', () => {});
    const socket = https ? connectTls({ socket: below, rejectUnauthorized: false }) : below;
    socket.on('error', () => {});
    socket.write('GET / HTTP/1.1\\r\\nHost: test\\r\\n\\r\\n');
    await once(socket, 'data');
    const closed = once(socket, 'close');
    if (index % 2 === 0) socket.end();
    else below.resetAndDestroy();
    socket.resume();
    await closed;
  }
  async function round() {
    await Promise.all(Array.from({ length: 50 }, (_, index) => leave(index)));
    while (live > 0) await new Promise((resolve) => setImmediate(resolve));
  }

  await round();
  const rest = () => new Promise((resolve) => setTimeout(resolve, 10));
  await rest();
  console.log('begun');
  const before = [descriptors(), resources(), await used()];
  for (let count = 0; count < ${rounds}; count += 1) await round();
  // The I/O thread closes its side a moment after the source has heard.
  while (descriptors() > before[0] || resources() !== before[1]) await rest();
  console.log('served', served, 'live', live);
  const kept = (await used()) - before[2];
  console.log('kept', kept, kept < 2 ** 20 ? 'flat' : 'more');
  server.close();
`;

for (const [name, rounds, https] of [
  ['a thousand', 20],
  ['over TLS five hundred', 10, { key: KEY, cert: CERT }],
]) {
  test.serial(`${name} aborted downloads leave descriptors, timers and sources flat`, async (t) => {
    const get = '() => stream(track(createReadStream(process.execPath)))';
    const program = runProgram(t, leaving(get, rounds, https), ['--expose-gc']);
    await program.printed(/begun/);
    t.is((await program.exit()).code, 0, program.stderr);
    t.regex(program.stdout, new RegExp(`served ${rounds * 50 + 50} live 0\nkept -?\\d+ flat\n`));
    t.is(program.stderr, '', 'an ordinary leave is not logged');
  });

  test.serial(`${name} aborted event streams leave no listeners on what they share`, async (t) => {
    const get = `({ signal }) => {
      const source = track(new Readable({ read() {} }));
      const onExit = () => {};
      process.on('SIGUSR2', onExit);
      signal.addEventListener('abort', () => process.off('SIGUSR2', onExit));
      process.setMaxListeners(0);
      return stream(source, 'text/event-stream');
    }`;
    const program = runProgram(
      t,
      `${leaving(get, rounds, https)}
      console.log('listeners', process.listenerCount('SIGUSR2'));`,
      ['--expose-gc'],
    );
    await program.printed(/begun/);
    t.is((await program.exit()).code, 0, program.stderr);
    t.regex(
      program.stdout,
      new RegExp(`served ${rounds * 50 + 50} live 0\nkept -?\\d+ flat\nlisteners 0\n`),
    );
  });
}

/** Clients that leave at other moments than amid what they read, 50 a round. */
const moments = (https) => `
  import { createReadStream, existsSync, readdirSync } from 'node:fs';
  import { EventEmitter, once } from 'node:events';
  import { connect } from 'node:net';
  import { connect as connectTls } from 'node:tls';
  import { createServer, stream } from 'wapix';

  const https = ${JSON.stringify(https)};
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  const rest = () => new Promise((resolve) => setTimeout(resolve, 10));
  const descriptors = () => (existsSync('/dev/fd') ? readdirSync('/dev/fd').length : 0);
  // Handles, timers and requests of the event loop, by their kind.
  const resources = () => process.getActiveResourcesInfo().sort().join();
  // What handlers share, which they take their listeners off at the end of their request.
  const shared = new EventEmitter().setMaxListeners(0);
  const listeners = () => [shared, server, process]
    .flatMap((of) => of.eventNames().map((name) => String(name) + ' ' + of.listenerCount(name)))
    .sort().join();
  const levelled = async (count) => {
    let before;
    do {
      before = count();
      await rest();
    } while (count() !== before);
    return before;
  };
  const live = new Set();
  let entered = 0;
  const listen = (signal) => {
    entered += 1;
    const onEvent = () => {};
    const timer = setInterval(onEvent, 60_000);
    shared.on('event', onEvent);
    signal.addEventListener('abort', () => {
      clearInterval(timer);
      shared.off('event', onEvent);
    });
  };
  const opened = () => {
    const source = createReadStream(process.execPath);
    live.add(source);
    source.once('close', () => live.delete(source));
    return stream(source);
  };
  const file = ({ signal }) => {
    listen(signal);
    return opened();
  };
  const late = async ({ signal }) => {
    listen(signal);
    live.add(signal);
    await once(signal, 'abort');
    live.delete(signal);
    return opened();
  };
  const unread = { handler: late, config: { streamBody: true } };
  const server = createServer({
    '/file': { get: file },
    '/pending': { get: late, post: unread },
  }, https && { https });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  const head = (line) => line + ' HTTP/1.1\\r\\nHost: test\\r\\n';
  const GET = (path) => head('GET ' + path) + '\\r\\n';
  const BODY = 'x'.repeat(50_000);
  const POST = head('POST /pending') + 'Content-Length: ' + BODY.length + '\\r\\n\\r\\n' + BODY;
  const MOMENTS = {
    'a handler is pending': [1, GET('/pending')],
    'a client has stalled': [1, GET('/file')],
    'a stream waits behind another answer': [2, GET('/pending') + GET('/file')],
    'a body is unread': [1, POST],
  };
  async function round([requests, bytes]) {
    entered = 0;
    const sockets = Array.from({ length: 50 }, () => {
      const below = connect(server.address().port, '127.0.0.1').on('error', () => {});
      const socket = https ? connectTls({ socket: below, rejectUnauthorized: false }) : below;
      return { below, socket: socket.on('error', () => {}) };
    });
    for (const { socket } of sockets) socket.write(bytes);
    while (entered < 50 * requests) await turn();
    await levelled(() => [...live].reduce((sum, { bytesRead = 0 }) => sum + bytesRead, 0));
    const closed = sockets.map(({ socket }) => new Promise((over) => socket.once('close', over)));
    for (const [index, { below, socket }] of sockets.entries()) {
      if (index % 2 === 0) socket.end();
      else below.resetAndDestroy();
      socket.resume();
    }
    await Promise.all(closed);
    while (live.size > 0) await turn();
  }

  for (const moment of Object.values(MOMENTS)) await round(moment);
  // Where it prints is a handle, too, once it has.
  console.log('begun');
  await levelled(() => descriptors() + resources());
  const before = [descriptors(), resources(), listeners()];
  for (const [what, moment] of Object.entries(MOMENTS)) {
    await round(moment);
    while (descriptors() > before[0] || resources() !== before[1]) await rest();
    console.log(what, listeners() === before[2] ? 'as before' : listeners());
  }
  server.close();
`;

for (const [over, https] of [
  ['', undefined],
  [' over TLS', { key: KEY, cert: CERT }],
]) {
  test.serial(
    `clients that leave${over} while nothing comes leave descriptors, timers and listeners flat`,
    async (t) => {
      const program = runProgram(t, moments(https));
      t.is((await program.exit()).code, 0, program.stderr);
      t.regex(program.stdout, /^begun\n(.* as before\n){4}$/);
      t.is(program.stderr, '');
    },
  );
}

/** Serves short streams and silent ones, and tells of its memory. */
const MEMORY = `
  import { Readable } from 'node:stream';
  import { createServer, json, stream } from 'wapix';
  let live = 0;
  const server = createServer({
    '/short': { get: () => stream(Readable.from(['some', ' more'])) },
    '/silent': {
      get: ({ signal }) => {
        live += 1;
        signal.addEventListener('abort', () => { live -= 1; });
        return stream(new Readable({ read() {} }), 'text/event-stream');
      },
    },
    '/memory': {
      get: async () => {
        while (live > 0) await new Promise((resolve) => setImmediate(resolve));
        for (let round = 0; round < 3; round += 1) {
          gc();
          await new Promise((resolve) => setImmediate(resolve));
        }
        return json(process.memoryUsage());
      },
    },
  });
  server.listen(0, '127.0.0.1', () => console.log('port', server.address().port));
`;

const ask = (path) => `GET ${path} HTTP/1.1\r\nHost: test\r\n\r\n`;

/** Takes `count` short streams on one connection, 50 requests at a time. */
async function takeShort(port, count) {
  const socket = connect(port, '127.0.0.1').setEncoding('latin1');
  let [taken, rest] = [0, ''];
  for (let sent = 0; sent < count; sent += 50) {
    socket.write(ask('/short').repeat(50));
    while (taken < sent + 50) {
      const [text] = await once(socket, 'data');
      const responses = `${rest}${text}`.split('\r\n0\r\n\r\n');
      taken += responses.length - 1;
      rest = responses.at(-1);
    }
  }
  socket.destroy();
}

/** Asks for `count` streams, one after the other, and leaves each. */
async function leaveSilent(port, count) {
  for (let index = 0; index < count; index += 1) {
    const socket = connect(port, '127.0.0.1').on('error', () => {});
    socket.write(ask('/silent'));
    await once(socket, 'data');
    if (index % 2 === 0) socket.destroy();
    else socket.resetAndDestroy();
  }
}

test.serial('memory is flat over 50,000 short streams and 5,000 that were left', async (t) => {
  // V8's young generation grows by megabytes when it likes; not here.
  const program = runProgram(t, MEMORY, ['--expose-gc', '--max-semi-space-size=1']);
  const [, port] = await program.printed(/port (\d+)/);
  const memory = async () => (await fetch(`http://127.0.0.1:${port}/memory`)).json();
  const run = async (short, silent) => {
    const clients = Array.from({ length: 10 });
    const all = clients.flatMap(() => [
      takeShort(port, short / 10),
      leaveSilent(port, silent / 10),
    ]);
    await within(Promise.all(all), 'all streams were taken or left', 50_000);
    return memory();
  };
  const before = await run(10_000, 1_000);
  const after = await run(40_000, 4_000);
  const used = ({ heapUsed, external }) => heapUsed + external;
  t.log(`used ${used(before)} → ${used(after)}, resident ${before.rss} → ${after.rss}`);
  t.true(used(after) - used(before) < 1 << 20, `${used(before)} → ${used(after)}`);
  t.true(after.rss - before.rss < 16 << 20, `${before.rss} → ${after.rss}`);
  t.is(program.stderr, '');
});

/** What 1,000 requests leave, in bytes: each is made by `asked`, and has its handler keep `kept`. */
async function left(t, asked, kept) {
  const program = runProgram(
    t,
    `import { setImmediate as turn } from 'node:timers/promises';
    import { createServer, json } from 'wapix';
    const kept = [];
    const post = ({ params, headers, ip, url, body }) => {
      kept.push(${kept});
      return json({});
    };
    const server = createServer({ '/:id': { post } }, { maxHeaderSize: 100_000 });
    const used = async () => {
      // What the one finds free, the next gives back.
      for (let round = 0; round < 2; round += 1) {
        gc();
        await turn();
      }
      return process.memoryUsage().heapUsed;
    };
    const ask = async (at) => {
      const { path, headers, body } = (${asked})(at);
      const type = { 'content-type': 'text/plain' };
      await server.inject(path, { method: 'POST', body, headers: { ...type, ...headers } });
    };
    for (let at = 0; at < 100; at += 1) await ask(at);
    kept.length = 0;
    const before = await used();
    for (let at = 0; at < 1000; at += 1) await ask(at);
    console.log(kept.length, (await used()) - before);`,
    ['--expose-gc'],
  );
  const { code } = await program.exit();
  t.is(code, 0, program.stderr);
  const [count, grown] = program.stdout.split(' ').map(Number);
  t.true(count >= 1000);
  return grown;
}

for (const [what, asked, kept] of [
  [
    'what a handler keeps of a request keeps neither its body nor its neighbours',
    `(at) => ({
      path: '/the identifier of request ' + at,
      headers: { 'x-a': 'a value of request ' + at },
      body: 'a'.repeat(15_000),
    })`,
    `params.id, headers['x-a'], ip, url`,
  ],
  [
    'a body that a handler keeps does not keep its head',
    `(at) => ({ path: '/a', headers: { 'x-a': 'a'.repeat(15_000) }, body: 'the body of request ' + at })`,
    'body',
  ],
  [
    'header fields of ever other names are not remembered for good',
    `(at) => ({ path: '/a', headers: { [('x-' + at).padEnd(15_000, 'a')]: 'a' }, body: 'a' })`,
    'headers.host',
  ],
]) {
  test(what, async (t) => {
    const grown = await left(t, asked, kept);
    // All of it is 15 MB.
    t.true(grown < 8_000_000, `${grown} bytes`);
  });
}
