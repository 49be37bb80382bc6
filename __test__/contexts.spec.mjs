import { AsyncLocalStorage } from 'node:async_hooks';
import { Readable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import test from 'ava';
import { json, sse, stream } from 'wapix';
import { connect, request, requestBytes } from './helpers/client.mjs';
import { within } from './helpers/deadline.mjs';
import { deferred, levelled, until } from './helpers/events.mjs';
import { serve } from './helpers/server.mjs';

const SIZE = 64 * 1024;

/** Sources of `count` chunks that call `note` wherever they run, and `over` when they have ended. */
const SOURCES = {
  async *'an async generator'(count, note, over) {
    try {
      for (let made = 0; made < count; made += 1) {
        note();
        yield Buffer.alloc(SIZE);
        note();
      }
    } finally {
      over();
    }
  },
  *'a generator'(count, note, over) {
    try {
      for (let made = 0; made < count; made += 1) {
        note();
        yield Buffer.alloc(SIZE);
      }
    } finally {
      over();
    }
  },
  'a Readable'(count, note, over) {
    let made = 0;
    const source = new Readable({
      read() {
        note();
        made += 1;
        this.push(made > count ? null : Buffer.alloc(SIZE));
      },
      destroy(error, callback) {
        note();
        callback(error);
      },
    });
    return source.on('close', over);
  },
  'a web stream'(count, note, over) {
    let made = 0;
    return new ReadableStream({
      pull(controller) {
        note();
        made += 1;
        if (made <= count) controller.enqueue(Buffer.alloc(SIZE));
        else {
          controller.close();
          over();
        }
      },
      cancel: over,
    });
  },
};

for (const [name, source] of Object.entries(SOURCES)) {
  test(`AsyncLocalStorage: ${name} runs in the context that it was streamed in, to its end`, async (t) => {
    const storage = new AsyncLocalStorage();
    const seen = [];
    let over = deferred();
    const note = () => seen.push(storage.getStore());
    const streamed = (store, count) =>
      storage.run(store, () =>
        stream(
          source(count, note, () => {
            note();
            over.resolve();
          }),
        ),
      );
    const server = await serve(t, {
      '/whole': { get: async () => streamed('whole', 64) },
      '/left': { get: () => streamed('left', Number.POSITIVE_INFINITY) },
    });

    // Enough of it that its source is paused, and goes on because Rust says so.
    const whole = await connect(t, server);
    whole.send(requestBytes('GET /whole', { Connection: 'close' }));
    await whole.ended();
    await within(over.promise, 'the end of the source');
    t.true(seen.length > 64);
    t.deepEqual([...new Set(seen)], ['whole']);

    seen.length = 0;
    over = deferred();
    const client = await connect(t, server);
    client.send(requestBytes('GET /left'));
    await client.head();
    client.destroy();
    await within(over.promise, 'the end of the source');
    t.deepEqual([...new Set(seen)], ['left']);
  });
}

test('AsyncLocalStorage: events of sse() are made in the context that it was called in', async (t) => {
  const storage = new AsyncLocalStorage();
  async function* events() {
    yield { data: storage.getStore() };
    yield { data: storage.getStore() };
  }
  const server = await serve(t, {
    '/:id': { get: ({ params }) => storage.run(params.id, () => sse(events())) },
  });
  t.is((await request(t, server, 'GET /a')).text, 'data: a\n\ndata: a\n\n');
});

for (const [name, config, leave] of [
  ['the client leaves', {}, (client) => client.reset()],
  ['the handler has taken too long', { timeout: 50 }, () => {}],
]) {
  test(`AsyncLocalStorage: when ${name}, req.signal aborts in the context that asked for it`, async (t) => {
    const storage = new AsyncLocalStorage();
    const begun = deferred();
    const store = deferred();
    const get = ({ signal }) => {
      signal.addEventListener('abort', () => store.resolve(storage.getStore()));
      begun.resolve();
      return new Promise(() => {});
    };
    const server = await serve(t, {
      '/:id': { get: { handler: (req) => storage.run(req.params.id, get, req), config } },
    });
    const client = await connect(t, server);
    client.send(requestBytes('GET /a'));
    await within(begun.promise, 'the handler');
    leave(client);
    t.is(await within(store.promise, 'the abort'), 'a');
  });
}

test('AsyncLocalStorage: the body of a Response runs in the context that its handler has entered', async (t) => {
  const COUNT = 400;
  const storage = new AsyncLocalStorage();
  const seen = [];
  const note = () => seen.push(storage.getStore());
  const server = await serve(t, {
    '/:id': {
      get: ({ params }) => {
        storage.enterWith(params.id);
        return new Response(SOURCES['a web stream'](COUNT, note, note));
      },
    },
  });
  const client = await connect(t, server);
  client.stall();
  client.send(requestBytes('GET /a', { Connection: 'close' }));
  // Paused, it goes on because Rust says so.
  await levelled(() => seen.length, turn);
  client.resume();
  await client.ended();
  t.true(seen.length > COUNT);
  t.deepEqual([...new Set(seen)], ['a']);
});

test('AsyncLocalStorage: a body runs what it is piped into in the context that asked for it, to its end', async (t) => {
  const storage = new AsyncLocalStorage();
  const seen = [];
  const note = () => seen.push(storage.getStore());
  const left = deferred();
  /** Takes the body by its events, as a parser of uploads does. */
  const take = (body, over) =>
    body
      .on('data', note)
      .on('error', note)
      .on('close', () => {
        note();
        over.resolve();
      });
  const inContext = (run) => (req) => storage.run(req.params.id, () => run(req));
  const config = { streamBody: true };
  const whole = async ({ body }) => {
    const over = deferred();
    take(body, over);
    await over.promise;
    return json(seen.length);
  };
  const leave = ({ body }) => {
    take(body, left);
    return new Promise(() => {});
  };
  const server = await serve(t, {
    '/whole/:id': { post: { config, handler: inContext(whole) } },
    '/left/:id': { post: { config, handler: inContext(leave) } },
  });
  const length = 4 * 1024 * 1024;
  const answer = await request(t, server, 'POST /whole/a', {}, Buffer.alloc(length));
  t.true(answer.json > 2);
  t.deepEqual([...new Set(seen)], ['a']);

  seen.length = 0;
  const client = await connect(t, server);
  client.send(requestBytes('POST /left/b', { 'Content-Length': length }), Buffer.alloc(SIZE));
  await until(() => seen.length > 0, 'some of the body');
  client.reset();
  await left.promise;
  t.deepEqual([...new Set(seen)], ['b']);
});

test('AsyncLocalStorage: what one handler enters, no other request finds', async (t) => {
  const storage = new AsyncLocalStorage();
  const get = () => {
    const found = storage.getStore() ?? 'nothing';
    storage.enterWith('of another');
    return json(found);
  };
  const server = await serve(t, { '/': { get } });
  const client = await connect(t, server);
  // At once: they come to JavaScript together.
  client.send(Buffer.concat(Array(10).fill(requestBytes('GET /'))));
  for (let count = 0; count < 10; count += 1) t.is((await client.response()).json, 'nothing');
});
