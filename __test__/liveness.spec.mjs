// The path that says whether the server lives.

import test from 'ava';
import { createServer, text } from 'wapix';
import { wapix } from './fixtures/cli.mjs';
import { project } from './fixtures/project.mjs';
import { originOf, serve } from './helpers/server.mjs';

const ROUTES = { '/*path': { get: () => text('a route'), post: () => text('posted') } };

test('livenessPath is answered before any route, for GET and HEAD', async (t) => {
  const server = await serve(t, ROUTES, { livenessPath: '/healthz' });
  const ask = (path, method = 'GET') => fetch(originOf(server) + path, { method });
  const alive = await ask('/healthz?from=probe');
  t.is(alive.status, 200);
  t.is(alive.headers.get('content-type'), 'text/plain; charset=utf-8');
  t.is(alive.headers.get('cache-control'), 'no-store');
  t.is(await alive.text(), 'alive');
  t.is((await ask('/healthz', 'HEAD')).status, 200);
  t.is(await (await ask('/healthz', 'POST')).text(), 'posted');
  // In chunks, too.
  const body = new Blob(['a']).stream();
  const posted = await fetch(`${originOf(server)}/healthz`, {
    method: 'POST',
    body,
    duplex: 'half',
  });
  t.is(await posted.text(), 'posted');
  t.is(await (await ask('/healthz/more')).text(), 'a route');
  t.is(await (await ask('/other')).text(), 'a route');
});

test('without livenessPath there is none', async (t) => {
  const server = await serve(t, {});
  t.is((await fetch(`${originOf(server)}/healthz`)).status, 404);
});

test('livenessPath needs no handler: a server that waits for all of them answers', async (t) => {
  const options = { livenessPath: '/healthz', maxConcurrentRequests: 0 };
  const server = await serve(t, ROUTES, options);
  t.is((await fetch(`${originOf(server)}/other`)).status, 503);
  t.is((await fetch(`${originOf(server)}/healthz`)).status, 200);
});

for (const livenessPath of ['healthz', '', '/a b', '/a?b', '/é', 1]) {
  test(`livenessPath ${JSON.stringify(livenessPath)} is refused`, (t) => {
    const error = t.throws(() => createServer({}, { livenessPath }));
    t.is(error.code, 'WAPIX_INVALID_OPTION');
    t.regex(error.message, /livenessPath is a path such as '\/healthz', not /);
  });
}

test('--liveness-path', async (t) => {
  const files = {
    'src/routes/get.mjs': "import { text } from 'wapix';\nexport default () => text('a route');\n",
  };
  const { root } = project(t, files);
  const args = ['start', '--port', '0', '--host', '127.0.0.1', '--liveness-path', '/alive'];
  const url = await wapix(t, root, args).url();
  t.is(await (await fetch(`${url}/alive`)).text(), 'alive');
  t.is(await (await fetch(url)).text(), 'a route');
});
