import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { stream } from 'wapix';
import { connect, request, requestBytes, requestFailure } from './helpers/client.mjs';
import { aborted, closed, deferred } from './helpers/events.mjs';
import { captureErrors, errorsNaming } from './helpers/log.mjs';
import { originOf, serve, serveGet } from './helpers/server.mjs';

captureErrors();

const chunks = ['string', Buffer.from('buffer'), new Uint8Array([85, 56]), '', 'é€🦀'];
const text = 'stringbufferU8é€🦀';

const webStream = (values, hooks = {}) =>
  new ReadableStream({
    pull(controller) {
      if (values.length === 0) controller.close();
      else controller.enqueue(values.shift());
    },
    ...hooks,
  });

for (const [name, make] of [
  ['a web stream', () => webStream([...chunks])],
  ['a web stream of text, encoded', () => webStream([text]).pipeThrough(new TextEncoderStream())],
  ['a web byte stream', () => new Blob([text]).stream()],
  ['the body of a fetch response', () => new Response(text).body],
  [
    'an async generator',
    async function* () {
      for (const chunk of chunks) {
        await turn();
        yield chunk;
      }
    },
  ],
  [
    'a generator',
    function* () {
      yield* chunks;
    },
  ],
  [
    'an async iterable',
    () => ({
      [Symbol.asyncIterator]: () => {
        const rest = chunks.values();
        return { next: async () => rest.next() };
      },
    }),
  ],
]) {
  test(`${name} is streamed`, async (t) => {
    const server = await serveGet(t, () => stream(make(), 'text/plain'));
    const response = await request(t, server, 'GET /');
    t.is(response.text, text);
    t.true(response.complete);
  });
}

for (const [how, leave] of [
  ['FIN', (client) => client.end()],
  ['RST', (client) => client.reset()],
]) {
  test(`a web stream is cancelled at ${how}, once`, async (t) => {
    const cancelled = deferred();
    let count = 0;
    const server = await serveGet(t, () =>
      stream(
        new ReadableStream({
          start: (controller) => controller.enqueue('first'),
          cancel: () => {
            count += 1;
            cancelled.resolve();
          },
        }),
      ),
    );
    const client = await connect(t, server);
    client.send(requestBytes('GET /'));
    await client.through('first');
    leave(client);
    await cancelled.promise;
    await request(t, server, 'GET /other');
    t.is(count, 1);
  });

  test(`a generator's finally runs at ${how}`, async (t) => {
    const cleaned = deferred();
    const server = await serveGet(t, ({ signal }) =>
      stream(
        (async function* () {
          try {
            yield 'first';
            await aborted(signal);
          } finally {
            cleaned.resolve();
          }
        })(),
      ),
    );
    const client = await connect(t, server);
    client.send(requestBytes('GET /'));
    await client.through('first');
    leave(client);
    await cleaned.promise;
    t.pass();
  });
}

test('HEAD and a bad header cancel a web stream unread', async (t) => {
  const cancelled = [];
  const make = (name) => new ReadableStream({ cancel: () => cancelled.push(name) });
  const server = await serve(t, {
    '/head': { get: () => stream(make('head')) },
    '/bad-header': { get: () => stream(make('bad header'), 'a/b', { 'x-a': '\n' }) },
  });
  t.is((await request(t, server, 'HEAD /head')).status, 200);
  t.is((await request(t, server, 'GET /bad-header')).status, 500);
  while (cancelled.length < 2) await turn();
  t.deepEqual(cancelled, ['head', 'bad header']);
});

test('a bad header destroys a Readable', async (t) => {
  const source = new Readable({ read() {} });
  const server = await serveGet(t, () => stream(source, 'a/b', { 'x-a': 'bad-header\n' }));
  t.is((await request(t, server, 'GET /')).status, 500);
  await closed(source);
});

for (const [name, make] of [
  [
    'web stream',
    () =>
      new ReadableStream({
        start: (controller) => controller.error(new Error('/web-stream broke')),
      }),
  ],
  [
    'generator',
    // biome-ignore lint/correctness/useYield: it fails first
    function* () {
      throw new Error('/generator broke');
    },
  ],
]) {
  const path = `/${name.replace(' ', '-')}`;
  test(`a ${name} that fails first is 500, one that fails later looks incomplete`, async (t) => {
    const gate = deferred();
    const server = await serve(t, {
      [path]: { get: () => stream(make()) },
      [`${path}-later`]: {
        get: () =>
          stream(
            name === 'generator'
              ? (async function* () {
                  yield 'some';
                  await gate.promise;
                  throw new Error('later');
                })()
              : new ReadableStream({
                  start: (controller) => {
                    controller.enqueue('some');
                    gate.promise.then(() => controller.error(new Error('later')));
                  },
                }),
          ),
      },
    });
    t.is((await requestFailure(t, server, `GET ${path}`)).status, 500);
    t.regex(errorsNaming(`GET ${path} `)[0], /broke/);
    const client = await connect(t, server);
    client.send(requestBytes(`GET ${path}-later`));
    await client.through('some\r\n');
    gate.resolve();
    t.is(await client.ended(), 'end');
    t.is(client.bytes.length, 0);
    t.is(errorsNaming(`GET ${path}-later `).length, 1);
  });
}

test('a web stream that somebody else reads is 500', async (t) => {
  const locked = new ReadableStream();
  locked.getReader();
  const server = await serve(t, { '/locked': { get: () => stream(locked) } });
  t.is((await request(t, server, 'GET /locked')).status, 500);
  t.regex(errorsNaming('/locked')[0], /locked/);
});

test('null in a web stream is no end: what is behind it would be lost', async (t) => {
  const cancelled = [];
  const source = (name) =>
    new ReadableStream({
      start(controller) {
        for (const chunk of [Buffer.from('some'), null, Buffer.from('lost')]) {
          controller.enqueue(chunk);
        }
      },
      cancel: () => {
        cancelled.push(name);
        return new Promise(() => {}); // the response need not wait for it
      },
    });
  const server = await serve(t, {
    '/null-stream': { get: () => stream(source('stream')) },
    '/null-response': { get: () => new Response(source('response')) },
  });
  for (const path of ['/null-stream', '/null-response']) {
    const response = await request(t, server, `GET ${path}`);
    t.true(response.status === 500 || !response.complete);
    t.regex(errorsNaming(`GET ${path} `)[0], /the stream produced null/);
  }
  t.deepEqual(cancelled, ['stream', 'response']);
});

test('a file is streamed, and its descriptor closed', async (t) => {
  const file = createReadStream(fileURLToPath(import.meta.url));
  const server = await serveGet(t, () => stream(file));
  t.regex((await request(t, server, 'GET /')).text, /and its descriptor closed/);
  await closed(file);
});

test('a file that does not exist is 500, not the end of the process', async (t) => {
  const server = await serve(t, {
    '/no-file': { get: () => stream(createReadStream('/no/such/file')) },
    '/alive': { get: () => stream(Readable.from(['alive'])) },
  });
  t.is((await requestFailure(t, server, 'GET /no-file')).status, 500);
  t.regex(errorsNaming('/no-file')[0], /ENOENT/);
  t.is((await request(t, server, 'GET /alive')).text, 'alive');
});

test('a response of another server passes through, and ends it when the client leaves', async (t) => {
  const source = new Readable({ read() {} });
  source.push('from afar');
  const origin = await serveGet(t, () => stream(source));
  const proxy = await serveGet(t, async ({ signal }) =>
    stream((await fetch(originOf(origin), { signal })).body),
  );
  const client = await connect(t, proxy);
  client.send(requestBytes('GET /'));
  await client.through('from afar');
  client.end();
  await closed(source);
  t.pass();
});
