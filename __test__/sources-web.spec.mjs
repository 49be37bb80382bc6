// Streams of the web's kind: byte streams, and what comes out of a TransformStream.

import { setImmediate as turn } from 'node:timers/promises';
import { gunzipSync } from 'node:zlib';
import test from 'ava';
import { stream } from 'wapix';
import { connect, request, requestBytes } from './helpers/client.mjs';
import { within } from './helpers/deadline.mjs';
import { deferred, levelled, until } from './helpers/events.mjs';
import { heldOf, MOST_HELD } from './helpers/kernel.mjs';
import { captureErrors, errorsNaming } from './helpers/log.mjs';
import { originOf, serve, serveGet } from './helpers/server.mjs';
import { counted, patterned } from './helpers/source.mjs';

captureErrors();

const TOTAL = 1_000_000;
const SIZE = 30_000;

/** A web stream of patterned bytes, made as they are asked for; told of what becomes of it. */
function patternedWeb(hooks = {}, options = {}) {
  let at = 0;
  return new ReadableStream({
    ...options,
    async pull(controller) {
      await turn();
      const length = Math.min(SIZE, TOTAL - at);
      if (length > 0) {
        const chunk = patterned(at, length);
        at += length;
        controller.enqueue(options.type === 'bytes' ? new Uint8Array(chunk) : chunk);
        return;
      }
      controller.close();
      controller.byobRequest?.respond(0);
    },
    ...hooks,
  });
}

/** A byte stream that fills the buffer it is given. */
function filling() {
  let at = 0;
  return new ReadableStream({
    type: 'bytes',
    autoAllocateChunkSize: 10_000,
    pull(controller) {
      const { view } = controller.byobRequest;
      const length = Math.min(view.byteLength, TOTAL - at);
      if (length === 0) controller.close();
      else patterned(at, length).copy(Buffer.from(view.buffer, view.byteOffset, length));
      at += length;
      controller.byobRequest.respond(length);
    },
  });
}

const identity = () => new TransformStream();

for (const [name, make] of [
  ['a byte stream', () => patternedWeb({}, { type: 'bytes' })],
  ['a byte stream that fills buffers', filling],
  ['out of a TransformStream', () => patternedWeb().pipeThrough(identity())],
  ['out of two of them', () => patternedWeb().pipeThrough(identity()).pipeThrough(identity())],
  [
    'compressed and decompressed',
    () =>
      patternedWeb()
        .pipeThrough(new CompressionStream('deflate'))
        .pipeThrough(new DecompressionStream('deflate')),
  ],
  ['one half of a tee', () => patternedWeb().tee()[0]],
  ['a Blob', () => new Blob([patterned(0, TOTAL)]).stream()],
  ['a slice of a Blob', () => new Blob(['xx', patterned(0, TOTAL), 'xx']).slice(2, -2).stream()],
  ['the body of a Response', () => new Response(patternedWeb()).body],
  ['the body of a Response of a Blob', () => new Response(new Blob([patterned(0, TOTAL)])).body],
]) {
  test(`${name}: every byte`, async (t) => {
    const server = await serveGet(t, () => stream(make()));
    const { body, complete } = await request(t, server, 'GET /');
    t.true(complete);
    t.true(body.equals(patterned(0, TOTAL)));
  });
}

test('out of a CompressionStream, as any client decodes it', async (t) => {
  const server = await serveGet(t, () =>
    stream(patternedWeb().pipeThrough(new CompressionStream('gzip')), 'a/b', {
      'Content-Encoding': 'gzip',
    }),
  );
  const { body } = await request(t, server, 'GET /');
  t.true(gunzipSync(body).equals(patterned(0, TOTAL)));
  const decoded = await (await fetch(originOf(server))).arrayBuffer();
  t.true(Buffer.from(decoded).equals(patterned(0, TOTAL)));
});

test('one that fails while its client takes nothing is told of at once', async (t) => {
  let controller;
  const source = new ReadableStream({
    start(given) {
      controller = given;
    },
  });
  const server = await serve(t, { '/fails-unread': { get: () => stream(source) } });
  const client = await connect(t, server);
  client.send(requestBytes('GET /fails-unread'));
  await client.head();
  client.stall();
  for (let count = 0; count < 1000; count += 1) controller.enqueue(Buffer.alloc(SIZE));
  // As much as it is asked for has been taken.
  await levelled(() => controller.desiredSize, turn);
  controller.error(new Error('on purpose'));
  await until(() => errorsNaming('GET /fails-unread ').length === 1, 'the failure is logged');
  t.regex(errorsNaming('GET /fails-unread ')[0], /on purpose/);
});

test('the body of a fetched response is every byte', async (t) => {
  const origin = await serveGet(t, () => stream(counted(TOTAL, SIZE)));
  const proxy = await serveGet(t, async () => stream((await fetch(originOf(origin))).body));
  const { body, complete } = await request(t, proxy, 'GET /');
  t.true(complete);
  t.true(body.equals(patterned(0, TOTAL)));
});

/** What hears of the client: the source, or the source of what is streamed. */
const BEHIND = [
  ['a byte stream', (source) => source, { type: 'bytes' }],
  ['a stream behind a TransformStream', (source) => source.pipeThrough(identity())],
  [
    'a stream behind a CompressionStream',
    (source) => source.pipeThrough(new CompressionStream('gzip')),
  ],
  ['a stream behind a Response', (source) => new Response(source).body],
];

for (const [name, wrap, options] of BEHIND) {
  for (const [how, leave] of [
    ['FIN', (client) => client.end()],
    ['RST', (client) => client.reset()],
  ]) {
    test(`${name} is cancelled at ${how}`, async (t) => {
      const cancelled = deferred();
      const server = await serveGet(t, () =>
        stream(wrap(patternedWeb({ pull: () => {}, cancel: () => cancelled.resolve() }, options))),
      );
      const client = await connect(t, server);
      client.send(requestBytes('GET /'));
      await client.head();
      leave(client);
      await within(cancelled.promise, 'it was cancelled');
      t.pass();
    });
  }

  test(`${name} that fails looks incomplete`, async (t) => {
    const path = `/${name.replaceAll(' ', '-')}`;
    let controller;
    const server = await serve(t, {
      [path]: {
        get: () =>
          stream(
            wrap(
              patternedWeb(
                {
                  start: (given) => {
                    controller = given;
                  },
                  pull: () => {},
                },
                options,
              ),
            ),
          ),
      },
    });
    const client = await connect(t, server);
    client.send(requestBytes(`GET ${path}`));
    await client.head();
    controller.enqueue(new Uint8Array([120]));
    controller.error(new Error('it broke'));
    t.is(await client.ended(), 'end');
    t.false(client.bytes.includes('0\r\n\r\n'));
    t.regex(errorsNaming(`GET ${path} `)[0], /it broke/);
  });

  // Node's own CompressionStream takes 16,384 chunks ahead of its reader.
  if (name.includes('Compression')) continue;
  test(`${name} is pulled only as the client takes data`, async (t) => {
    let pulled = 0;
    const pull = (controller) => {
      pulled += 65_536;
      controller.enqueue(new Uint8Array(65_536));
    };
    const server = await serveGet(t, () => stream(wrap(patternedWeb({ pull }, options))));
    const client = await connect(t, server);
    client.send(requestBytes('GET /'));
    await client.head();
    client.stall();
    const asking = () => request(t, server, 'GET /other');
    const rest = await within(
      levelled(() => pulled, asking),
      'it rests',
    );
    const held = heldOf(rest, server, client);
    // Each stream of the web's kind has a queue of its own.
    t.true(held <= MOST_HELD + 4 * 65_536, `${held} of ${rest} bytes`);
  });
}
