import { createHash } from 'node:crypto';
import { get } from 'node:http';
import { Readable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import test from 'ava';
import { stream } from 'wapix';
import { connect, request, requestBytes, requestFailure } from './helpers/client.mjs';
import { closed, once, until } from './helpers/events.mjs';
import { heldOf, MOST_HELD } from './helpers/kernel.mjs';
import { captureErrors, errorsNaming } from './helpers/log.mjs';
import { originOf, serve, serveGet } from './helpers/server.mjs';
import { counted, manual, patterned } from './helpers/source.mjs';

captureErrors();

const MEBIBYTE = 1 << 20;

for (const [name, headers] of [
  ['in chunks', {}],
  ['with Content-Length', { 'content-length': 24 * MEBIBYTE }],
]) {
  test(`a large body through a throttled client has every byte: ${name}`, async (t) => {
    const total = 24 * MEBIBYTE;
    const source = counted(total, 50_000);
    const server = await serveGet(t, () => stream(source, 'a/b', headers));
    const [response] = await once(get(originOf(server)), 'response');
    const hash = createHash('sha256');
    // Each read waits for a turn: the client's window fills, and the source is held back.
    for await (const chunk of response) {
      hash.update(chunk);
      await turn();
    }
    t.is(hash.digest('hex'), createHash('sha256').update(patterned(0, total)).digest('hex'));
    t.true(response.complete);
    t.true(source.readableEnded);
  });
}

test('many streams at once, each in chunks of its own size, keep their bytes', async (t) => {
  const server = await serve(t, {
    '/:size': { get: ({ params }) => stream(counted(400_000, Number(params.size))) },
  });
  const sizes = [1_000, 4_095, 4_096, 4_097, 16_383, 16_384, 16_385, 65_536, 100_000, 400_000];
  const expected = patterned(0, 400_000);
  const responses = await Promise.all(
    [...sizes, ...sizes].map((size) => request(t, server, `GET /${size}`)),
  );
  for (const { body, complete } of responses) t.true(complete && body.equals(expected));
});

test('far more than a window leaves in small chunks, each to a client that waits for it', async (t) => {
  const total = MEBIBYTE;
  async function* chunks() {
    for (let at = 0; at < total; at += 2048) {
      yield patterned(at, 2048);
      await turn();
    }
  }
  const server = await serveGet(t, () => stream(chunks()));
  const { body, complete } = await request(t, server, 'GET /');
  t.true(complete && body.equals(patterned(0, total)));
});

for (const size of [5_000, 100_000]) {
  test(`a source may reuse its buffer of ${size} bytes while its client has stalled`, async (t) => {
    const shared = Buffer.alloc(size);
    const source = manual({ objectMode: true });
    const others = function* () {
      for (let chunk = 0; chunk < 4; chunk += 1) yield Buffer.alloc(100_000, 255);
    };
    const server = await serve(t, {
      '/': { get: () => stream(source) },
      '/others': { get: () => stream(others()) },
    });
    const client = await connect(t, server);
    client.stall();
    client.send(requestBytes('GET /'));
    await until(() => source.readableFlowing, 'the response');
    let count = 0;
    do {
      shared.fill(count % 251);
      source.push(shared);
      count += 1;
      // Several in a turn of the event loop: one is written as it is, the others gathered.
      if (count % 3 === 0) await turn();
      // Others write to the memory in which these were gathered.
      if (source.readableLength > 0) await request(t, server, 'GET /others');
    } while (source.readableLength === 0);
    // What the source itself still has is its own.
    shared.fill(251);
    source.push(null);
    client.resume();
    const { body, complete } = await client.response();
    t.true(complete && body.length === count * size);
    t.true(body.length > MEBIBYTE, 'more than is on its way inside');
    const right = (index) => Buffer.alloc(size, index === count - 1 ? 251 : index % 251);
    const at = (index) => body.subarray(index * size, (index + 1) * size);
    const all = Array.from({ length: count }, (_, index) => index);
    t.deepEqual(
      all.filter((index) => !at(index).equals(right(index))),
      [],
    );
  });
}

test('a source far faster than its client is asked for no more than the client takes', async (t) => {
  const source = counted(Number.POSITIVE_INFINITY, 64 * 1024);
  const server = await serveGet(t, () => stream(source));
  const client = await connect(t, server);
  client.socket.on('data', () => client.stall());
  client.send(requestBytes('GET /'));
  const leads = [];
  for (let step = 0; step < 200; step += 1) {
    client.resume();
    await request(t, server, 'GET /other');
    leads.push(heldOf(source.produced, server, client));
  }
  client.destroy();
  await closed(source);
  // Bytes on their way from one queue of the kernel's to the other may be in neither.
  const lead = leads.sort((one, other) => one - other)[100];
  t.true(lead <= MOST_HELD + 64 * 1024, `${lead} bytes ahead`);
});

/** Serves a source of `pushes` with a declared length, and reads what comes until the end. */
async function declared(t, path, length, pushes) {
  const source = manual();
  const server = await serve(t, {
    [path]: { get: () => stream(source, 'a/b', { 'Content-Length': length }) },
  });
  const client = await connect(t, server);
  client.send(requestBytes(`GET ${path}`));
  if (pushes.length > 1) {
    source.push(pushes.shift());
    await client.through('\r\n\r\nsome');
  }
  for (const each of pushes) source.push(each);
  return { client, source, logged: () => errorsNaming(`GET ${path} `) };
}

test('a stream shorter than its Content-Length: closed incomplete, logged', async (t) => {
  const { client, source, logged } = await declared(t, '/short', 10, ['some', null]);
  t.is(await client.ended(), 'end');
  t.is(client.bytes.length, 0);
  await closed(source);
  t.is(logged().length, 1);
  t.regex(logged()[0], /Content-Length is 10\b.*\b4\b/);
});

test('a stream longer than its Content-Length: closed, never more than declared, logged', async (t) => {
  const { client, source, logged } = await declared(t, '/long', 6, ['some', 'more', null]);
  t.is(await client.ended(), 'end');
  t.true(client.bytes.length <= 2, client.bytes.toString());
  await closed(source);
  t.is(logged().length, 1);
  t.regex(logged()[0], /Content-Length is 6\b/);
});

test('a stream longer from its first chunk on is 500, as the headers have not left', async (t) => {
  const server = await serve(t, {
    '/long-at-once': {
      get: () => stream(Readable.from(['too long']), 'a/b', { 'content-length': 3 }),
    },
  });
  const response = await requestFailure(t, server, 'GET /long-at-once');
  t.is(response.status, 500);
  t.true(errorsNaming('GET /long-at-once ').length >= 1);
});

test('a connection whose response missed its length is not used again', async (t) => {
  for (const content of ['abc', 'abcdefgh']) {
    const server = await serve(t, {
      '/missed': { get: () => stream(laterFrom(['a', content]), 'a/b', { 'content-length': 6 }) },
      '/next': { get: () => stream(Readable.from(['next'])) },
    });
    const client = await connect(t, server);
    client.send(requestBytes('GET /missed'), requestBytes('GET /next'));
    await client.ended();
    t.is(client.bytes.indexOf('next'), -1);
  }
});

/** A source that is at work for more than the delay of the headers. */
function laterFrom(chunks) {
  return Readable.from(
    (async function* () {
      for (const chunk of chunks) {
        yield chunk;
        for (let turns = 0; turns < 5; turns += 1) await turn();
      }
    })(),
  );
}

test('declared and right: complete, nothing logged, the connection goes on', async (t) => {
  const server = await serve(t, {
    '/right': { get: () => stream(Readable.from(['ab', 'é']), 'a/b', { 'content-length': 4 }) },
  });
  const client = await connect(t, server);
  for (let round = 0; round < 5; round += 1) {
    client.send(requestBytes('GET /right'));
    const response = await client.response();
    t.is(response.field('content-length'), '4');
    t.is(response.text, 'abé');
  }
  t.deepEqual(errorsNaming('GET /right '), []);
});

test('a source is told to end by its own end, not destroyed early, when all was declared', async (t) => {
  const sources = [];
  const server = await serveGet(t, () => {
    sources.push(counted(500_000, 10_000));
    return stream(sources.at(-1), 'a/b', { 'content-length': 500_000 });
  });
  for (let round = 0; round < 5; round += 1) {
    t.true((await request(t, server, 'GET /')).body.equals(patterned(0, 500_000)));
  }
  await Promise.all(sources.map((source) => closed(source)));
  t.true(sources.every((source) => source.readableEnded && source.errored === null));
});
