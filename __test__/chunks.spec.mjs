// Chunks of every size: small ones are gathered, large ones go to the socket as they are.

import { createHash } from 'node:crypto';
import { get } from 'node:http';
import { Agent, get as getSecurely } from 'node:https';
import { Readable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import ava from 'ava';
import { stream } from 'wapix';
import { CERT, KEY } from './helpers/certificate.mjs';
import { connect, request, requestBytes } from './helpers/client.mjs';
import { closed, deferred, once } from './helpers/events.mjs';
import { captureErrors, errorsNaming } from './helpers/log.mjs';
import { runProgram } from './helpers/program.mjs';
import { originOf, serve, serveGet } from './helpers/server.mjs';
import { manual, patterned } from './helpers/source.mjs';

/** One after the other: each computes as much as there is time for. */
const test = ava.serial;

captureErrors();

const KIBIBYTE = 1024;
const SIZES = [1, 10, 4, 31, 32, 33, 64, 65, 128, 1, 1023, 1024, 1025, 3000, 2, 64].map(
  (kibibytes, index) => kibibytes * KIBIBYTE + (index % 3) - 1,
);
const PLAN = [...SIZES, ...SIZES.toReversed(), ...SIZES];
const TOTAL = PLAN.reduce((sum, size) => sum + size, 0);

/** Chunks of all sizes, every fifth of them text. */
function* mixed() {
  let at = 0;
  for (const [index, size] of PLAN.entries()) {
    const chunk = patterned(at, size);
    // As text, so that each character is one byte of UTF-8.
    if (index % 5 === 0) for (let byte = 0; byte < size; byte += 1) chunk[byte] &= 0x7f;
    at += size;
    yield index % 5 === 0 ? chunk.toString('latin1') : chunk;
  }
}

function hashOf(chunks) {
  const hash = createHash('sha256');
  for (const chunk of chunks) hash.update(chunk);
  return hash.digest('hex');
}

for (const [name, options, headers, ask] of [
  ['in chunks', undefined, {}, get],
  ['with Content-Length', undefined, { 'Content-Length': TOTAL }, get],
  ['over TLS', { https: { key: KEY, cert: CERT } }, {}, getSecurely],
]) {
  for (const isSlow of [false, true]) {
    const reader = isSlow ? 'a slow client' : 'a client';
    test(`chunks of all sizes arrive whole and in order: ${reader}, ${name}`, async (t) => {
      const server = await serveGet(t, () => stream(mixed(), 'a/b', headers), options);
      const origin = originOf(server, options ? 'https' : 'http');
      const agent = options && new Agent({ rejectUnauthorized: false });
      const [response] = await once(ask(origin, { agent }), 'response');
      const hash = createHash('sha256');
      for await (const chunk of response) {
        hash.update(chunk);
        if (isSlow) await turn();
      }
      t.true(response.complete);
      t.is(hash.digest('hex'), hashOf(mixed()));
    });
  }
}

for (const size of [10, 5_000, 20_000, 64_000]) {
  test(`a source that uses its buffer of ${size} bytes again sends what was in it`, async (t) => {
    const letters = [...'abcdefghij'];
    const server = await serveGet(t, () => {
      const buffer = Buffer.alloc(size);
      async function* source() {
        for (const letter of letters) yield buffer.fill(letter);
      }
      return stream(source());
    });
    const response = await request(t, server, 'GET /');
    t.true(response.text === letters.map((letter) => letter.repeat(size)).join(''));
  });
}

for (const [name, headers] of [
  ['in chunks', {}],
  ['with Content-Length', { 'Content-Length': TOTAL }],
]) {
  test(`large and small chunks of two sources in one turn arrive whole and in order, ${name}`, async (t) => {
    const sources = [manual({ objectMode: true }), manual({ objectMode: true })];
    const server = await serve(t, {
      '/:index': { get: ({ params }) => stream(sources[params.index], 'a/b', headers) },
    });
    const pending = sources.map(async (_, index) => {
      const [response] = await once(get(`${originOf(server)}/${index}`), 'response');
      const hash = createHash('sha256');
      for await (const chunk of response) hash.update(chunk);
      return [response.complete, hash.digest('hex')];
    });
    // Both are read from.
    while (sources.some((source) => source.readableFlowing !== true)) await turn();
    for (const [index, chunk] of [...mixed()].entries()) {
      for (const source of sources) source.push(chunk);
      if (index % 16 === 15) await turn();
    }
    for (const source of sources) source.push(null);
    const expected = [true, hashOf(mixed())];
    t.deepEqual(await Promise.all(pending), [expected, expected]);
  });
}

test('a failure behind large chunks of the same turn: these arrive, and no end', async (t) => {
  const source = manual({ objectMode: true });
  const server = await serve(t, { '/late': { get: () => stream(source) } });
  const client = await connect(t, server);
  client.send(requestBytes('GET /late'));
  source.push('first');
  await client.through('first');
  for (let count = 0; count < 5; count += 1) source.push(patterned(count, 40 * KIBIBYTE));
  source.emit('error', new Error('after them'));
  await client.ended();
  t.true(client.bytes.includes(patterned(4, 40 * KIBIBYTE)));
  t.false(client.bytes.subarray(-7).includes('\r\n0\r\n\r\n'));
  t.regex(errorsNaming('GET /late ')[0], /after them/);
});

test('a source that never waits keeps the process from nothing else', async (t) => {
  const server = runProgram(
    t,
    `import { randomFillSync } from 'node:crypto';
    import { Readable } from 'node:stream';
    import { createServer, stream } from 'wapix';
    let produced = 0;
    const endless = () => new Readable({
      read() {
        if (++produced === 200) console.log('streaming');
        // Slower than any client: the socket always has room.
        const chunk = Buffer.alloc(65536);
        for (let round = 0; round < 30; round += 1) randomFillSync(chunk);
        this.push(chunk);
      },
    });
    const server = createServer({ '/': { get: () => stream(endless()) } });
    server.listen(0, '127.0.0.1', () => console.log('port', server.address().port));
    setInterval(() => console.log('tick'), 10);`,
  );
  const [, port] = await server.printed(/port (\d+)/);
  runProgram(
    t,
    `import { connect } from 'node:net';
    connect(${port}, '127.0.0.1').resume().write('GET / HTTP/1.1\\r\\nHost: test\\r\\n\\r\\n');`,
  );
  await server.printed(/streaming\s+(tick\s+){10}/);
  t.pass();
});

test('a source of short lines lets others have their turn, with the client far from having enough', async (t) => {
  let lines = 0;
  const theirs = deferred();
  const server = await serveGet(t, () => {
    const read = function () {
      if (lines++ === 0) setImmediate(() => theirs.resolve(lines));
      this.push('fifteen letters\n');
    };
    return stream(new Readable({ read }));
  });
  const client = await connect(t, server);
  client.send(requestBytes('GET /'));
  t.true((await theirs.promise) < 20_000);
});

for (const [how, leave] of [
  ['FIN', (client) => client.end()],
  ['RST', (client) => client.reset()],
]) {
  test(`a client that stalls amid large chunks and leaves with ${how}: the source is destroyed`, async (t) => {
    const source = manual({ highWaterMark: 0 });
    const server = await serveGet(t, () => stream(source));
    const client = await connect(t, server);
    client.send(requestBytes('GET /'));
    source.push('first');
    await client.through('first');
    client.stall();
    // Until the socket has no room, and what is pushed stays with the source.
    while (source.readableLength === 0) {
      source.push(Buffer.alloc(256 * KIBIBYTE));
      await turn();
    }
    leave(client);
    await closed(source);
    t.pass();
  });
}

test('a failure amid large chunks never looks like the end', async (t) => {
  const source = manual();
  const server = await serve(t, { '/broken': { get: () => stream(source) } });
  const client = await connect(t, server);
  client.send(requestBytes('GET /broken'));
  source.push('first');
  await client.through('first');
  client.stall();
  for (let count = 0; count < 64; count += 1) {
    source.push(Buffer.alloc(128 * KIBIBYTE, 'x'));
    await turn();
  }
  source.destroy(new Error('half of it is lost'));
  client.resume();
  await client.ended();
  t.false(client.bytes.subarray(-7).includes('\r\n0\r\n\r\n'));
  t.regex(errorsNaming('GET /broken ')[0], /half of it is lost/);
});
