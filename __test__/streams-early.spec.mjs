import { Readable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import test from 'ava';
import { sse, stream } from 'wapix';
import { request, requestFailure } from './helpers/client.mjs';
import { closed, deferred, until } from './helpers/events.mjs';
import { captureErrors, errorsNaming } from './helpers/log.mjs';
import { serve, serveGet } from './helpers/server.mjs';
import { manual } from './helpers/source.mjs';

captureErrors();

test('an error before the first chunk is 500, as the headers have not left', async (t) => {
  const routes = {
    '/at-once': { get: () => stream(manual().destroy(new Error('/at-once broke'))) },
    '/asynchronously': {
      get: async () => stream(manual().destroy(new Error('/asynchronously broke'))),
    },
    '/events': { get: async () => sse(manual().destroy(new Error('/events broke'))) },
    '/in-a-turn': {
      get: () => {
        const source = manual();
        setImmediate(() => source.destroy(new Error('/in-a-turn broke')));
        return stream(source);
      },
    },
    '/in-read': {
      get: () =>
        stream(
          new Readable({
            read() {
              throw new Error('/in-read broke');
            },
          }),
        ),
    },
    '/generator': {
      get: () =>
        stream(
          Readable.from(
            // biome-ignore lint/correctness/useYield: it fails first
            (async function* () {
              throw new Error('/generator broke');
            })(),
          ),
        ),
    },
    '/premature': { get: () => stream(manual().destroy()) },
  };
  const server = await serve(t, routes);
  for (const path of Object.keys(routes)) {
    const response = await requestFailure(t, server, `GET ${path}`);
    t.is(response.status, 500, path);
    t.is(response.text, '{"error":"Internal Server Error"}');
    const logged = errorsNaming(`GET ${path} `);
    t.true(logged.length >= 1, path);
    if (path !== '/premature') t.regex(logged[0], /broke[\s\S]*\n\s+at /);
  }
});

test('an event stream that has failed when it is returned is 500, as nothing was sent', async (t) => {
  const failing = (path, ...chunks) => {
    const source = manual();
    for (const chunk of chunks) source.push(chunk);
    return source.destroy(new Error(`${path} broke`));
  };
  const server = await serve(t, {
    '/stream': { get: () => stream(failing('/stream'), 'text/event-stream') },
    '/sse': { get: () => sse(failing('/sse', 'never sent')) },
  });
  for (const path of ['/stream', '/sse']) {
    for (let round = 0; round < 20; round += 1) {
      const response = await requestFailure(t, server, `GET ${path}`);
      t.is(response.status, 500, path);
      t.is(response.text, '{"error":"Internal Server Error"}');
    }
    t.is(errorsNaming(`GET ${path} `).length, 20);
  }
});

test('HEAD of a source that has failed or ended is answered', async (t) => {
  const ended = Readable.from([]);
  ended.resume();
  await closed(ended);
  const failed = manual();
  failed.destroy(new Error('failed before'));
  await closed(failed);
  for (const source of [ended, failed]) {
    const server = await serveGet(t, () => stream(source));
    const { status } = await request(t, server, 'HEAD /');
    t.true(status === 200 || status === 500);
  }
});

test('a stream that comes late, or ends while it waits to be returned', async (t) => {
  const gate = deferred();
  const source = Readable.from(['late']);
  const server = await serveGet(t, async () => {
    await gate.promise;
    return stream(source);
  });
  const pending = request(t, server, 'GET /');
  await turn();
  gate.resolve();
  t.is((await pending).text, 'late');
});

test('a source already ended is an empty response, one already failed is 500', async (t) => {
  const ended = Readable.from(['taken']);
  ended.resume();
  await closed(ended);
  const failed = manual();
  failed.destroy(new Error('/failed-source'));
  await closed(failed);
  const destroyed = manual();
  destroyed.destroy();
  await closed(destroyed);
  const server = await serve(t, {
    '/ended': { get: () => stream(ended) },
    '/failed': { get: () => stream(failed) },
    '/destroyed': { get: () => stream(destroyed) },
  });
  const empty = await request(t, server, 'GET /ended');
  t.deepEqual([empty.status, empty.text, empty.complete], [200, '', true]);
  t.is((await request(t, server, 'GET /failed')).status, 500);
  t.is((await request(t, server, 'GET /destroyed')).status, 500);
  t.is(errorsNaming('/failed-source').length, 1);
});

test('a source already ended is shorter than its Content-Length', async (t) => {
  const ended = Readable.from(['taken']);
  ended.resume();
  await closed(ended);
  const get = () => stream(ended, 'text/plain', { 'Content-Length': 5 });
  const server = await serve(t, { '/ended-declared': { get } });
  t.is((await request(t, server, 'GET /ended-declared')).status, 500);
  t.regex(errorsNaming('/ended-declared')[0], /WAPIX_CONTENT_LENGTH_MISMATCH/);
});

test('a source that has failed and was not destroyed is 500', async (t) => {
  const failed = new Readable({
    autoDestroy: false,
    read() {
      throw new Error('/failed-and-left broke');
    },
  });
  failed.on('error', () => {});
  failed.read(0);
  await until(() => failed.errored !== null, 'its error');
  const server = await serve(t, { '/failed-and-left': { get: () => stream(failed) } });
  t.is((await request(t, server, 'GET /failed-and-left')).status, 500);
  t.is(errorsNaming('/failed-and-left broke').length, 1);
  await closed(failed);
});

test('a stream that fails after its end has been sent fails nobody', async (t) => {
  const source = new Readable({ read() {}, autoDestroy: false });
  const server = await serveGet(t, () => stream(source));
  const pending = request(t, server, 'GET /');
  source.push('all');
  source.push(null);
  t.is((await pending).text, 'all');
  source.destroy(new Error('too late'));
  await closed(source);
  await until(() => source.errored !== null, 'the late error');
  t.pass();
});
