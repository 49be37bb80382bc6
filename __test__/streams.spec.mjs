import { PassThrough, Readable, Transform } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import test from 'ava';
import { stream } from 'wapix';
import { connect, request, requestBytes, requestFailure } from './helpers/client.mjs';
import { closed } from './helpers/events.mjs';
import { captureErrors, errorsNaming } from './helpers/log.mjs';
import { serve, serveGet } from './helpers/server.mjs';
import { manual } from './helpers/source.mjs';

captureErrors();

/** Serves `source` and sends a request for it. */
async function open(t, source, ...args) {
  const server = await serveGet(t, () => stream(source, ...args));
  const client = await connect(t, server);
  client.send(requestBytes('GET /'));
  return client;
}

/** A chunk on the wire, but for its size. */
const chunk = (text) => `\r\n${text}\r\n`;

test('a stream is 200, chunked, of its type, with its headers', async (t) => {
  const server = await serve(t, {
    '/plain': { get: () => stream(Readable.from(['a'])) },
    '/typed': { get: () => stream(Readable.from(['a']), 'text/csv', { 'X-A': '1' }) },
    '/own': { get: () => stream(Readable.from(['a']), 'text/csv', { 'CONTENT-TYPE': 'a/b' }) },
  });
  const plain = await request(t, server, 'GET /plain');
  t.is(plain.status, 200);
  t.is(plain.field('content-type'), 'application/octet-stream');
  t.is(plain.field('transfer-encoding'), 'chunked');
  t.is(plain.text, 'a');
  t.true(plain.complete);
  const typed = await request(t, server, 'GET /typed');
  t.is(typed.field('content-type'), 'text/csv');
  t.is(typed.field('x-a'), '1');
  t.is((await request(t, server, 'GET /own')).field('content-type'), 'a/b');
});

for (const type of ['text/plain', 'text/event-stream']) {
  test(`the headers of a silent stream arrive without a chunk: ${type}`, async (t) => {
    const source = manual();
    const client = await open(t, source, type);
    t.is((await client.head()).status, 200);
    t.is(client.bytes.length, 0);
    source.push('first');
    await client.through(chunk('first'));
    source.push(null);
    await client.through('0\r\n\r\n');
  });
}

test('headers and first chunk leave together', async (t) => {
  const source = manual();
  source.push('first');
  const client = await open(t, source);
  await client.through(chunk('first'));
  t.is(client.reads.length, 1);
});

for (const [type, path] of [
  ['text/plain', '/mid-plain'],
  ['text/event-stream', '/mid-events'],
]) {
  test(`an error after the headers ends the connection without a last chunk: ${type}`, async (t) => {
    const source = manual();
    const server = await serve(t, { [path]: { get: () => stream(source, type) } });
    const client = await connect(t, server);
    client.send(requestBytes(`GET ${path}`));
    await client.head();
    source.push('some');
    await client.through(chunk('some'));
    source.destroy(new Error(`${path} broke`));
    t.is(await client.ended(), 'end');
    t.is(client.bytes.length, 0);
    const logged = errorsNaming(`GET ${path} `);
    t.is(logged.length, 1);
    t.regex(logged[0], /broke/);
  });
}

test('an error while event-stream headers wait for nothing: never a whole response', async (t) => {
  const source = manual();
  const client = await open(t, source, 'text/event-stream');
  await client.head();
  source.destroy(new Error('at once'));
  t.is(await client.ended(), 'end');
  t.is(client.bytes.length, 0);
});

test('a stream destroyed without an error does not look complete', async (t) => {
  const source = manual();
  const server = await serve(t, { '/destroyed': { get: () => stream(source) } });
  const client = await connect(t, server);
  client.send(requestBytes('GET /destroyed'));
  source.push('some');
  await client.through(chunk('some'));
  source.destroy();
  t.is(await client.ended(), 'end');
  t.is(client.bytes.length, 0);
  t.is(errorsNaming('GET /destroyed ').length, 1);
});

test('chunks are delivered one by one, each when it is there', async (t) => {
  const source = manual();
  const client = await open(t, source, 'text/event-stream');
  await client.head();
  for (let event = 0; event < 50; event += 1) {
    const text = `data: ${event}\n\n`;
    source.push(text);
    await client.through(chunk(text));
    t.is(client.bytes.length, 0);
  }
});

const ordered = [
  'string',
  Buffer.from('buffer'),
  new Uint8Array([85, 56]),
  'é€🦀',
  Buffer.from('end'),
];
const orderedText = 'stringbufferU8é€🦀end';

for (const [name, make] of [
  ['Readable.from an array', () => Readable.from(ordered)],
  [
    'Readable.from an async generator',
    () =>
      Readable.from(
        (async function* () {
          for (const each of ordered) {
            await turn();
            yield each;
          }
        })(),
      ),
  ],
  ['Readable.from a string', () => Readable.from(orderedText)],
  ['object mode', () => pushed(manual({ objectMode: true }))],
  ['byte mode', () => pushed(manual())],
  ['an encoding set', () => pushed(manual()).setEncoding('utf8')],
  ['a PassThrough', () => Readable.from(ordered).pipe(new PassThrough())],
  [
    'a Transform',
    () =>
      Readable.from(orderedText).pipe(
        new Transform({ transform: (bytes, _, done) => done(null, bytes) }),
      ),
  ],
  ['a paused stream', () => pushed(manual()).pause()],
  [
    'a stream that was partly read',
    () => {
      const source = manual();
      source.push('head');
      source.push(orderedText);
      source.read(4);
      source.push(null);
      return source;
    },
  ],
  [
    'a view into a larger buffer',
    () => Readable.from([Buffer.from(`xx${orderedText}xx`).subarray(2, -2)]),
  ],
]) {
  test(`bytes arrive in order: ${name}`, async (t) => {
    const client = await open(t, make());
    const response = await client.response();
    t.is(response.text, orderedText);
    t.true(response.complete);
  });
}

function pushed(source) {
  for (const each of ordered) source.push(each);
  source.push(null);
  return source;
}

test('empty chunks neither end the stream nor drop what follows', async (t) => {
  const source = manual({ objectMode: true });
  const client = await open(t, source);
  for (const each of ['', 'a', '', Buffer.alloc(0), 'b', new Uint8Array(0), '', 'c', '']) {
    source.push(each);
    await turn();
  }
  source.push(null);
  const response = await client.response();
  t.is(response.text, 'abc');
  t.true(response.complete);
  t.is(client.bytes.length, 0, 'one last chunk');
});

test('a stream without a byte is complete, and the connection goes on', async (t) => {
  const server = await serve(t, {
    '/at-once': { get: () => stream(Readable.from([])) },
    '/later': {
      get: () => {
        const source = manual();
        setImmediate(() => source.push(null));
        return stream(source);
      },
    },
    '/declared': { get: () => stream(Readable.from([]), 'a/b', { 'content-length': 0 }) },
    '/empty-chunks': { get: () => stream(Readable.from(['', Buffer.alloc(0)])) },
  });
  const client = await connect(t, server);
  for (const path of ['/at-once', '/later', '/declared', '/empty-chunks', '/at-once']) {
    client.send(requestBytes(`GET ${path}`));
    const response = await client.response();
    t.is(response.status, 200, path);
    t.is(response.text, '', path);
    t.true(response.complete);
    t.is(client.bytes.length, 0, path);
  }
});

for (const [name, wrong, what] of [
  ['an object', { a: 1 }, /object/i],
  ['a number', 7, /number/],
  ['a boolean', true, /boolean/],
  ['undefined', undefined, /produced undefined/],
  ['a bigint', 7n, /bigint/],
  ['a symbol', Symbol('7'), /symbol/],
  ['an ArrayBuffer', new ArrayBuffer(2), /ArrayBuffer/],
  ['a Uint16Array', new Uint16Array(2), /Uint16Array/],
  ['a DataView', new DataView(new ArrayBuffer(2)), /DataView/],
]) {
  test(`a chunk that is ${name} is an error that can be seen`, async (t) => {
    const path = `/wrong-chunk-${name.replaceAll(' ', '-')}`;
    const sources = [];
    const server = await serve(t, {
      [`${path}/first`]: {
        get: () => {
          sources.push(manual({ objectMode: true }));
          sources.at(-1).push(wrong);
          return stream(sources.at(-1));
        },
      },
      [`${path}/later`]: {
        get: () => {
          sources.push(manual({ objectMode: true }));
          sources.at(-1).push('good');
          return stream(sources.at(-1));
        },
      },
    });
    t.is((await requestFailure(t, server, `GET ${path}/first`)).status, 500);
    const client = await connect(t, server);
    client.send(requestBytes(`GET ${path}/later`));
    await client.through(chunk('good'));
    sources.at(-1).push(wrong);
    t.is(await client.ended(), 'end');
    t.is(client.bytes.length, 0);
    await Promise.all(sources.map((source) => closed(source)));
    const logged = errorsNaming(path);
    t.is(logged.length, sources.length);
    for (const entry of logged) t.regex(entry, what);
  });
}

test('HEAD has the headers of GET, no content, and the source is destroyed unread', async (t) => {
  const sources = [];
  let reads = 0;
  const server = await serveGet(t, () => {
    const source = new Readable({
      read() {
        reads += 1;
        this.push('data');
        this.push(null);
      },
    });
    sources.push(source);
    return stream(source, 'text/csv', { 'x-a': '1', 'content-length': 4 });
  });
  const client = await connect(t, server);
  client.send(requestBytes('HEAD /'));
  const head = await client.response('HEAD');
  t.is(reads, 0);
  await closed(sources[0]);
  client.send(requestBytes('GET /'));
  const get = await client.response();
  t.is(get.text, 'data');
  const names = ['content-type', 'content-length', 'x-a'];
  t.deepEqual(names.map(head.field), names.map(get.field));
  t.is(reads, 1);
});

test('HTTP/1.0: no chunks, the end of the connection is the end', async (t) => {
  const server = await serveGet(t, () => stream(Readable.from(['a', 'b'])));
  const client = await connect(t, server);
  client.send('GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n');
  const response = await client.response();
  t.is(response.field('transfer-encoding'), undefined);
  t.is(response.field('content-length'), undefined);
  t.is(response.field('connection'), 'close');
  t.is(response.text, 'ab');
  t.is(await client.ended(), 'end');
});

test('HTTP/1.0: a response whose source fails is reset', async (t) => {
  const source = manual();
  source.push('part');
  const server = await serve(t, { '/fails-1.0': { get: () => stream(source) } });
  const client = await connect(t, server);
  client.send('GET /fails-1.0 HTTP/1.0\r\n\r\n');
  await client.through('part');
  source.destroy(new Error('on purpose'));
  t.is(await client.ended(), 'ECONNRESET');
});

test('HTTP/1.0: a client that reads late gets all of a response that has ended', async (t) => {
  const content = Buffer.alloc(1_000_000, 'x');
  const source = manual({ highWaterMark: 2 * content.length });
  source.push(content);
  source.push(null);
  const server = await serveGet(t, () => stream(source));
  const client = await connect(t, server);
  client.send('GET / HTTP/1.0\r\n\r\n').stall();
  await closed(source);
  // The connection has been closed by then.
  for (let count = 0; count < 20; count += 1) await request(t, server, 'GET /nothing');
  client.resume();
  t.is(await client.ended(), 'end');
  t.is((await client.response()).body.length, content.length);
});

test('events that fail before they are answered are 500', async (t) => {
  const get = () => {
    const source = manual();
    source.destroy(new Error('on purpose'));
    return stream(source, 'text/event-stream');
  };
  const server = await serve(t, { '/failed-events': { get } });
  t.is((await request(t, server, 'GET /failed-events')).status, 500);
});

test('HTTP/1.0: a response that the end of the server cuts off is reset', async (t) => {
  const source = manual();
  source.push('part');
  const server = await serveGet(t, () => stream(source));
  const client = await connect(t, server);
  client.send('GET / HTTP/1.0\r\n\r\n');
  await client.through('part');
  server.close({ deadline: 0 });
  t.is(await client.ended(), 'ECONNRESET');
});

test('HTTP/1.0: a response is reset whose client leaves in the middle of its request', async (t) => {
  const server = await serve(t, {
    '/': { post: { handler: ({ raw }) => stream(raw), config: { streamBody: true } } },
  });
  const client = await connect(t, server);
  client.send('POST / HTTP/1.0\r\nContent-Length: 9\r\n\r\npart');
  await client.through('part');
  client.end();
  t.is(await client.ended(), 'ECONNRESET');
});

test('HTTP/1.0 with a declared length keeps the connection', async (t) => {
  const server = await serveGet(t, () =>
    stream(Readable.from(['ab']), 'a/b', { 'content-length': 2 }),
  );
  const client = await connect(t, server);
  for (let round = 0; round < 2; round += 1) {
    client.send('GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n');
    const response = await client.response();
    t.is(response.text, 'ab');
    t.true(response.complete);
  }
});

test('the request itself can be streamed back', async (t) => {
  const server = await serve(t, { '/': { post: ({ raw }) => stream(raw, 'a/b') } });
  const body = Buffer.alloc(300_000, 'abc');
  t.true((await request(t, server, 'POST /', {}, body)).body.equals(body));
});
