// Clients that ask and then read nothing: what is made for each of them, and what that costs.

import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { get, request as httpRequest } from 'node:http';
import { connect as connectSocket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { connect as connectTls } from 'node:tls';
import test from 'ava';
import { stream } from 'wapix';
import { request, requestBytes } from './helpers/client.mjs';
import { within } from './helpers/deadline.mjs';
import { levelled, once } from './helpers/events.mjs';
import { frame, GET, PREFACE } from './helpers/http2.mjs';
import { heldByKernel, MOST_HELD } from './helpers/kernel.mjs';
import { runProgram } from './helpers/program.mjs';
import { originOf, serve } from './helpers/server.mjs';
import { counted, patterned } from './helpers/source.mjs';

// What the kernel holds, and what a process has read from files, only Linux tells.
const linuxTest = process.platform === 'linux' ? test.serial : test.skip;

const MEBIBYTE = 1 << 20;
const READERS = 500;

/** Serves endless sources over TCP and at a Unix socket, and tells what they have made. */
const program = (path) => `
  import { createReadStream, readFileSync, truncateSync, writeFileSync } from 'node:fs';
  import { Readable } from 'node:stream';
  import { createServer, json, sse, stream } from 'wapix';
  import { CERT, KEY } from './__test__/helpers/certificate.mjs';
  import { patterned } from './__test__/helpers/source.mjs';

  writeFileSync('${path}.file', '');
  truncateSync('${path}.file', 2 ** 30);
  const CHUNK = Buffer.alloc(65536, 'x');
  const LINE = 'x'.repeat(99) + '\\n';
  let live = 0;
  let produced = 0;
  const track = (source) => {
    live += 1;
    source.once('close', () => { live -= 1; });
    return source;
  };
  const endless = (chunk) => track(new Readable({
    read() {
      do produced += chunk.length; while (this.push(chunk));
    },
  }));
  async function* generated(chunk, bytes) {
    live += 1;
    try {
      for (;;) {
        produced += bytes;
        yield chunk;
      }
    } finally {
      live -= 1;
    }
  }
  const web = () => {
    live += 1;
    return new ReadableStream({
      pull(controller) {
        produced += CHUNK.length;
        controller.enqueue(CHUNK);
      },
      cancel() { live -= 1; },
    });
  };
  // Pushes in bursts, whether it was asked or not, until push() says false.
  const pushing = () => {
    let isFull = false;
    const source = track(new Readable({ highWaterMark: 65536, read() { isFull = false; } }));
    const timer = setInterval(() => {
      for (let count = 0; count < 20 && !isFull; count += 1) {
        produced += CHUNK.length;
        isFull = !source.push(CHUNK);
      }
    }, 1);
    return source.once('close', () => clearInterval(timer));
  };
  // What is asked for, and what pushes by itself: a third of each.
  const others = [pushing, web, () => generated(CHUNK, CHUNK.length)];
  let asked = 0;
  // All that the process has read from files, streams of them included.
  const read = () => Number(/rchar: (\\d+)/.exec(readFileSync('/proc/self/io', 'utf8'))[1]);
  const routes = {
    '/bytes': { get: () => stream(endless(CHUNK)) },
    '/declared': { get: () => stream(endless(CHUNK), 'a/b', { 'content-length': 1e12 }) },
    '/text': { get: () => stream(endless(LINE)) },
    '/file': { get: () => stream(track(createReadStream('${path}.file'))) },
    '/generator': { get: () => stream(generated(CHUNK, CHUNK.length)) },
    '/events': { get: () => sse(generated({ data: 'x'.repeat(8192) }, 8192)) },
    '/web': { get: () => stream(web()) },
    '/pushing': { get: () => stream(pushing()) },
    '/mixed': { get: () => stream(others[asked++ % 3]()) },
    '/large': { get: () => stream(endless(Buffer.alloc(${8 * MEBIBYTE}, 'x'))) },
    '/': { get: () => stream(endless(CHUNK)) },
    '/whole': { get: () => stream(Readable.from([patterned(0, ${4 * MEBIBYTE})])) },
    '/state': { get: () => json({ live, produced, read: read() }) },
    '/memory': { get: () => { gc(); gc(); return json(process.memoryUsage()); } },
  };
  createServer(routes).listen({ path: '${path}.sock' }, () => {
    const server = createServer(routes).listen(0, '127.0.0.1', () => {
      const secure = createServer(routes, { https: { key: KEY, cert: CERT } });
      secure.listen(0, '127.0.0.1', () => {
        console.log('ports', server.address().port, secure.address().port);
      });
    });
  });
`;

async function start(t) {
  const folder = mkdtempSync(join(tmpdir(), 'wapix-stalled-'));
  const path = join(folder, 'server');
  const server = runProgram(t, program(path), ['--expose-gc']);
  t.teardown(async () => {
    server.child.kill('SIGKILL');
    await server.exit();
    rmSync(folder, { recursive: true });
  });
  const [, port, securePort] = await server.printed(/ports (\d+) (\d+)/);
  const fetchAll = async (target) => {
    const sent = httpRequest({ socketPath: `${path}.sock`, path: target, agent: false }).end();
    const [response] = await once(sent, 'response');
    return buffer(response);
  };
  const tell = async (target) => JSON.parse(await fetchAll(target));
  const ports = { port: Number(port), securePort: Number(securePort) };
  return { ...ports, path: `${path}.sock`, fetchAll, tell };
}

const CONNECT = {
  plain: (where) => connectSocket(where),
  // Pausing does not keep it from its handshake.
  tls: (where) => connectTls({ ...where, rejectUnauthorized: false }),
};

/** Clients that ask for `target` and read not a byte, once the server makes no more for them. */
async function stall(t, server, where, target, count, how = 'plain', asking = undefined) {
  const before = await server.tell('/state');
  const sockets = [];
  for (let index = 0; index < count; index += 1) {
    const socket = CONNECT[how](where).pause();
    socket.on('error', () => {});
    t.teardown(() => socket.destroy());
    socket.write(asking ?? requestBytes(`GET ${target}`));
    sockets.push(socket);
    // No more at once than wait to be accepted.
    if (index % 50 === 49) await server.tell('/state');
  }
  const made = async () => {
    const { live, produced, read } = await server.tell('/state');
    if (live < count) return -1;
    // Asking is read as well: a few hundred bytes of it.
    return target === '/file'
      ? Math.floor((read - before.read) / 65_536) * 65_536
      : produced - before.produced;
  };
  const rise = async () => {
    for (;;) {
      const level = await levelled(made, () => server.tell('/state'));
      if (level >= 0) return level;
    }
  };
  const leave = async () => {
    for (const socket of sockets) socket.destroy();
    const gone = async () => (await server.tell('/state')).live === 0;
    const all = async () => {
      while (!(await gone()));
    };
    await within(all(), 'the sources were destroyed');
  };
  return { made: await within(rise(), 'the sources rest', 45_000), sockets, leave };
}

/** What is resident without the heap of JavaScript, which grows as it likes. */
const native = ({ rss, heapTotal }) => rss - heapTotal;

/** From version 12 on V8 keeps the pages of a heap that has shrunk: some versions for seconds, some for good. */
const V8_KEEPS_PAGES = Number.parseInt(process.versions.v8, 10) >= 12;

/** A send buffer of a Unix socket: it does not grow. */
const SOCKET_BUFFER = existsSync('/proc/sys/net/core/wmem_default')
  ? Number(readFileSync('/proc/sys/net/core/wmem_default', 'utf8'))
  : 0;

/** A request over HTTP/2 whose answer may be of any length, for all that the client says. */
const WITHOUT_WINDOW = Buffer.concat([
  Buffer.from(PREFACE),
  frame(4, 0, 0, Buffer.from('00047fffffff', 'hex')),
  frame(8, 0, 0, Buffer.from('7f000000', 'hex')),
  frame(1, 5, 1, GET),
]);

for (const [name, target, highWaterMark, how, asking] of [
  ['chunks', '/bytes', 65_536],
  ['chunks of a declared length', '/declared', 65_536],
  ['short lines', '/text', 16_384],
  ['a file', '/file', 65_536],
  ['a generator', '/generator', 65_536],
  ['events', '/events', 8192],
  ['a web stream', '/web', 65_536],
  ['what is pushed until push() says false', '/pushing', 65_536],
  // One of them is in the source.
  ['chunks of 8 MiB', '/large', 2 * 8 * MEBIBYTE],
  ['chunks over TLS', '/bytes', 65_536, 'tls'],
  ['a file over TLS', '/file', 65_536, 'tls'],
  ['chunks over HTTP/2', '/', 65_536, 'plain', WITHOUT_WINDOW],
]) {
  linuxTest(
    `${name}: a stalled reader has no more made for it than 1 MiB and a chunk`,
    async (t) => {
      const server = await start(t);
      const port = how === 'tls' ? server.securePort : server.port;
      const one = await stall(t, server, { host: '127.0.0.1', port }, target, 1, how, asking);
      const held = heldByKernel(port);
      const read = one.sockets[0].bytesRead;
      t.log(`${one.made} bytes made, ${held} of them held by the kernel, ${read} read`);
      t.true(one.made > 0 && held > 0);
      t.true(
        one.made - held - read <= MOST_HELD + highWaterMark,
        `${one.made} - ${held} - ${read}`,
      );
      await one.leave();
    },
  );
}

for (const [target, highWaterMark, rounds] of [
  ['/bytes', 65_536, 2],
  ['/declared', 65_536, 1],
  ['/text', 16_384, 1],
  ['/file', 65_536, 2],
  ['/mixed', 65_536, 1],
]) {
  linuxTest(
    `${target}: ${READERS} stalled readers have no more made for each of them, nor kept`,
    async (t) => {
      const server = await start(t);
      const expected = patterned(0, 4 * MEBIBYTE);
      const before = await server.tell('/memory');
      const peaks = [];
      for (let round = 0; round < rounds; round += 1) {
        const many = await stall(t, server, server.path, target, READERS);
        const made = many.made / READERS;
        peaks.push(native(await server.tell('/memory')));
        const resident = (peaks.at(-1) - native(before)) / READERS;
        t.log(`for each: ${made} bytes made, ${resident} resident`);
        t.true(made <= MOST_HELD + highWaterMark + SOCKET_BUFFER, `${made} bytes made`);
        if (round === 0)
          t.true(resident <= MOST_HELD + highWaterMark, `${resident} bytes resident`);
        t.true((await server.fetchAll('/whole')).equals(expected), 'another is served meanwhile');
        await many.leave();
      }
      const after = await server.tell('/memory');
      const kept = after.heapUsed + after.external - before.heapUsed - before.external;
      t.true(kept < 4 * MEBIBYTE, `${kept} bytes kept`);
      // The chunks of this one are strings, of V8's heap: its pages hide what else is resident.
      if (V8_KEEPS_PAGES && target === '/text') return;
      // What was freed goes back to the system, a moment later: but for what V8 keeps for new pages.
      const givenBack = async () => {
        let rest = Number.POSITIVE_INFINITY;
        while (rest > 48 * MEBIBYTE) {
          rest = native(await server.tell('/memory')) - native(before);
        }
        return rest;
      };
      const rest = await within(givenBack(), 'the memory is given back');
      t.log(`${native(before)} bytes resident before, ${peaks} with them, then ${rest} more`);
    },
  );
}

test('a stalled reader costs a fast one nothing, and loses nothing itself', async (t) => {
  const total = 24 * MEBIBYTE;
  const expected = patterned(0, total);
  const sources = [];
  const server = await serve(t, {
    '/': {
      get: () => {
        sources.push(counted(total, 65_536));
        return stream(sources.at(-1));
      },
    },
  });
  const ask = async () => {
    const [response] = await once(get(originOf(server), { agent: false }), 'response');
    return response;
  };
  // Nobody reads it yet.
  const stalled = await ask();
  const [source] = sources;
  const rest = await within(
    levelled(
      () => source.produced,
      () => request(t, server, 'GET /other'),
    ),
    'its source rests',
  );
  t.true(rest < total);
  for (let round = 0; round < 3; round += 1) {
    const fast = await ask();
    t.true((await buffer(fast)).equals(expected));
    t.true(fast.complete);
  }
  t.is(source.produced, rest, 'the stalled one was asked for nothing');
  t.true((await buffer(stalled)).equals(expected));
  t.true(stalled.complete);
});
