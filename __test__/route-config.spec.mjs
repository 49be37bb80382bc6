// What a route says of itself: limits of its body, and of its handler's time.

import { createRequire } from 'node:module';
import { Readable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import test from 'ava';
import { createServer, json, stream, text } from 'wapix';
import { project } from './fixtures/project.mjs';
import { connect, request, requestBytes } from './helpers/client.mjs';
import { within } from './helpers/deadline.mjs';
import { aborted, closed, deferred, until } from './helpers/events.mjs';
import { captureErrors, errorsNaming } from './helpers/log.mjs';
import { runProgram } from './helpers/program.mjs';
import { serve, serveGet } from './helpers/server.mjs';

captureErrors();

const require = createRequire(import.meta.url);
const { loadRoutes } = require('../dist/routes/load.js');

const MEBIBYTE = 1024 * 1024;
const length = ({ rawBody }) => json(rawBody.length);

test('bodyLimit is the limit of its route alone', async (t) => {
  const server = await serve(t, {
    '/large': { post: { handler: length, config: { bodyLimit: 3 * MEBIBYTE } } },
    '/small': { post: { handler: length, config: { bodyLimit: 10 } } },
    '/none': { post: { handler: length, config: { bodyLimit: Number.POSITIVE_INFINITY } } },
    '/usual': { post: length },
  });
  const post = (path, bytes) => request(t, server, `POST ${path}`, {}, Buffer.alloc(bytes));
  t.is((await post('/large', 3 * MEBIBYTE)).json, 3 * MEBIBYTE);
  t.is((await post('/none', 4 * MEBIBYTE)).json, 4 * MEBIBYTE);
  t.is((await post('/small', 10)).json, 10);
  for (const [path, bytes, limit] of [
    ['/large', 3 * MEBIBYTE + 1, 3 * MEBIBYTE],
    ['/small', 11, 10],
    ['/usual', MEBIBYTE + 1, MEBIBYTE],
  ]) {
    const { status, json: got } = await post(path, bytes);
    t.is(status, 413);
    t.is(got.message, `the body is larger than the limit of ${limit} bytes`);
  }
  const client = await connect(t, server);
  client.send(
    requestBytes('POST /small', { 'transfer-encoding': 'chunked' }),
    'b\r\n01234567890\r\n',
  );
  t.is((await client.response()).status, 413);
});

test('a route file exports its config', async (t) => {
  const { path } = project(t, {
    'routes/esm/post.mjs': `export const config = { bodyLimit: 5 };
      export default ({ rawBody }) => ({ length: rawBody.length });`,
    'routes/cjs/post.cjs': `exports.config = { bodyLimit: 6 };
      exports.default = () => ({});`,
    'routes/none/post.mjs': 'export default () => {};',
  });
  const { routes } = await loadRoutes(path('routes'));
  t.deepEqual(routes['/esm'].post.config, { bodyLimit: 5 });
  t.deepEqual(routes['/cjs'].post.config, { bodyLimit: 6 });
  t.is(typeof routes['/none'].post, 'function');
  const server = await serve(t, routes);
  t.is((await request(t, server, 'POST /esm', {}, '123456')).status, 413);
});

for (const [config, problem] of [
  ['no', /config is an object, .* not of type string/],
  [null, /config is an object/],
  [{ limit: 1 }, /config: "limit" is none of the options bodyLimit, streamBody, timeout/],
  [{ bodyLimit: '1mb' }, /config\.bodyLimit is a number of bytes, not '1mb'/],
  [{ bodyLimit: -1 }, /config\.bodyLimit is a number of bytes, not -1/],
  [{ timeout: '5' }, /config\.timeout is a number .*, not '5'/],
  [{ timeout: 0 }, /config\.timeout is a number of milliseconds up to 2147483647, not 0/],
  [{ timeout: 2 ** 31 }, /config\.timeout .*, not 2147483648/],
  [{ streamBody: 'yes' }, /config\.streamBody is true or false, not 'yes'/],
]) {
  test(`config ${JSON.stringify(config)} is refused where the server is made`, async (t) => {
    const error = t.throws(() => createServer({ '/a': { post: { handler: length, config } } }));
    t.is(error.code, 'WAPIX_INVALID_ROUTE');
    t.regex(error.message, /^POST \/a: /);
    t.regex(error.message, problem);
    const { path } = project(t, {
      'routes/a/post.mjs': `export const config = ${JSON.stringify(config)};
        export default () => {};`,
    });
    if (config === null) return;
    const ofFile = await t.throwsAsync(() => loadRoutes(path('routes')));
    t.regex(ofFile.message, /a.post\.mjs: config/);
    t.regex(ofFile.message, problem);
  });
}

test('what stands beside a handler and is not its config is refused', (t) => {
  const create = (entry) => createServer({ '/a': { post: entry } });
  const error = t.throws(() => create({ handler: length, confg: { bodyLimit: 1 } }));
  t.is(error.code, 'WAPIX_INVALID_ROUTE');
  t.is(error.message, 'POST /a: "confg" is none of the options config, handler');
  t.throws(() => create({ handlr: length }), { message: /^POST \/a: "handlr" is none of/ });
  t.notThrows(() => create({ handler: length, config: undefined }));
});

test('a handler that takes longer than timeout is answered for, told to stop, and logged once', async (t) => {
  const signals = [];
  const late = deferred();
  const server = await serve(t, {
    '/stuck': {
      get: {
        handler: async ({ signal }) => {
          signals.push(signal);
          await late.promise;
          // Whoever was to stop, and says so.
          throw signal.reason;
        },
        config: { timeout: 20 },
      },
    },
  });
  const { status, json: got } = await request(t, server, 'GET /stuck');
  t.is(status, 503);
  t.deepEqual(got, { error: 'Service Unavailable' });
  await aborted(signals[0]);
  t.is(signals[0].reason.code, 'WAPIX_HANDLER_TIMEOUT');
  late.resolve();
  await turn();
  t.is(errorsNaming('GET /stuck ').length, 1);
  t.regex(errorsNaming('GET /stuck ')[0], /the handler took longer than 20 ms/);
});

test('what comes after the timeout is discarded, and the connection goes on', async (t) => {
  const source = new Readable({ read() {} });
  const late = deferred();
  let calls = 0;
  const get = {
    handler: async () => {
      calls += 1;
      if (calls > 1) return text('in time');
      await late.promise;
      return stream(source);
    },
    config: { timeout: 20 },
  };
  const server = await serveGet(t, get);
  const client = await connect(t, server);
  client.send(requestBytes('GET /'));
  t.is((await client.response()).status, 503);
  late.resolve();
  await closed(source);
  client.send(requestBytes('GET /'));
  t.is((await client.response()).text, 'in time');
});

test('what is first looked at after the timeout says that it was too late', async (t) => {
  const [late, cancelled] = [deferred(), deferred()];
  let kept;
  const get = async (req) => {
    kept = req;
    await late.promise;
    return new Response(new ReadableStream({ cancel: cancelled.resolve }));
  };
  const server = await serveGet(t, { handler: get, config: { timeout: 20 } });
  t.is((await request(t, server, 'GET /')).status, 503);
  t.true(kept.signal.aborted);
  t.is(kept.signal.reason.code, 'WAPIX_HANDLER_TIMEOUT');
  late.resolve();
  await within(cancelled.promise, 'the late response is let go of');
});

test('onError answers for a handler that takes too long', async (t) => {
  const get = { handler: () => new Promise(() => {}), config: { timeout: 20 } };
  const onError = async (error) => json({ code: error.code }, { 'x-own': 'yes' });
  const server = await serveGet(t, get, { onError });
  t.deepEqual((await request(t, server, 'GET /')).json, { code: 'WAPIX_HANDLER_TIMEOUT' });
});

test('what comes after the timeout, and before onError has settled, is discarded', async (t) => {
  const source = new Readable({ read() {} });
  const late = deferred();
  const handler = async () => {
    await late.promise;
    return stream(source);
  };
  const onError = async ({ code }) => {
    late.resolve();
    await closed(source);
    return json({ code });
  };
  const server = await serveGet(t, { handler, config: { timeout: 20 } }, { onError });
  t.deepEqual((await request(t, server, 'GET /')).json, { code: 'WAPIX_HANDLER_TIMEOUT' });
});

test('a timeout of a client that has left is not logged, and keeps no process alive', async (t) => {
  const program = runProgram(
    t,
    `import { createServer } from 'wapix';
    const leaving = new AbortController();
    const handler = ({ signal }) => {
      signal.addEventListener('abort', () => server.close());
      leaving.abort();
      return new Promise(() => {});
    };
    const server = createServer({ '/': { get: { handler, config: { timeout: 3_600_000 } } } });
    server.listen(0, '127.0.0.1', () => {
      fetch('http://127.0.0.1:' + server.address().port, { signal: leaving.signal }).catch(() => {});
    });`,
  );
  const { code } = await program.exit();
  t.is(code, 0);
  t.is(program.stderr, '');
});

for (const [what, handler, status] of [
  ['an answer', 'async () => json({})', 200],
  ['a failure', 'async () => { throw new Error("on purpose"); }', 500],
]) {
  test(`after ${what} a timeout that has not come keeps no process alive`, async (t) => {
    const program = runProgram(
      t,
      `import { createServer, json } from 'wapix';
      const server = createServer({
        '/': { get: { handler: ${handler}, config: { timeout: 3_600_000 } } },
      });
      const { status } = await server.inject('/');
      console.log(status);`,
    );
    const { code } = await program.exit();
    t.is(code, 0, program.stderr);
    t.is(program.stdout, `${status}\n`);
  });
}

test('what a handler fails with after its timeout is logged, but for what the signal stopped', async (t) => {
  const server = await serve(
    t,
    Object.fromEntries(
      [
        ['/too-late', () => new Error('the clean-up failed')],
        ['/stopped', () => new DOMException('stopped', 'AbortError')],
      ].map(([path, reason]) => {
        const handler = async ({ signal }) => {
          await aborted(signal);
          throw reason();
        };
        return [path, { get: { handler, config: { timeout: 20 } } }];
      }),
    ),
  );
  for (const path of ['/too-late', '/stopped']) {
    t.is((await request(t, server, `GET ${path}`)).status, 503);
  }
  await until(() => errorsNaming('GET /too-late ').length === 2, 'both are logged');
  t.regex(errorsNaming('GET /too-late ')[1], /failed: Error: the clean-up failed/);
  t.is(errorsNaming('GET /stopped ').length, 1);
});
