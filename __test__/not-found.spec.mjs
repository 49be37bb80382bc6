import test from 'ava';
import { notFound, text } from 'wapix';
import { connect, request, requestBytes } from './helpers/client.mjs';
import { captureErrors, errorsNaming } from './helpers/log.mjs';
import { serve } from './helpers/server.mjs';

captureErrors();

const get = () => text('get');
const onNotFound = (req) => notFound({ method: req.method, url: req.url, params: req.params });

const ROUTES = {
  '/users': { get, post: get },
  '/users/:id': { get },
  '/users/me': { delete: get },
  '/files/*path': { put: get },
  '/über/:x/b': { get },
  '/own': { get, options: () => text('own') },
  '/head': { head: get },
};

/** As Rust alone answers: the same without and with `onNotFound`. */
const KNOWN = [
  'GET /users',
  'GET /users/',
  'HEAD /users',
  'PUT /users',
  'OPTIONS /users',
  'GET /users/me',
  'POST /users/me',
  'OPTIONS /users/me',
  'DELETE /users/7',
  'GET /files/a/b',
  'OPTIONS /files/a/b/',
  'POST /%C3%BCber/1/b',
  'GET /%C3%BCber/1/b',
  'OPTIONS /own',
  'POST /own',
  'GET /head',
  'HEAD /head',
  'OPTIONS *',
  'TRACE /users',
  'TRACE /none',
  'GET /%zz',
];

for (const line of KNOWN) {
  test(`onNotFound changes nothing of ${line}`, async (t) => {
    const seen = [];
    for (const options of [{}, { onNotFound }]) {
      const server = await serve(t, ROUTES, options);
      const { status, text, field } = await request(t, server, line);
      seen.push([status, text, field('allow'), field('content-type')]);
    }
    t.deepEqual(seen[1], seen[0]);
  });
}

const UNKNOWN = [
  'GET /', 'POST /', 'OPTIONS /', 'GET /none', 'GET /none?a=b', 'PUT /users/7/posts', 'OPTIONS /none',
  'GET /files', 'GET /files/', 'GET /uber/1/b', 'PATCH /a/b/c/d/e', 'DELETE /%F0%9F%A6%80', 'GET /USERS',
  'GET /users//7', 'OPTIONS //',
]; // biome-ignore format: a table

for (const line of UNKNOWN) {
  test(`onNotFound answers ${line}`, async (t) => {
    const server = await serve(t, ROUTES, { onNotFound });
    const response = await request(t, server, line);
    const [method, url] = line.split(' ');
    t.is(response.status, 404);
    t.deepEqual(response.json, { method, url, params: {} });
  });
}

test('onNotFound answers HEAD, without content', async (t) => {
  const server = await serve(t, ROUTES, { onNotFound });
  const client = await connect(t, server);
  client.send(requestBytes('HEAD /none'), requestBytes('GET /none'));
  t.is((await client.response('HEAD')).status, 404);
  t.is((await client.response()).json.method, 'GET');
});

test("beside the application's own catch-all and root", async (t) => {
  const routes = { '/*page': { get }, '/': { post: get } };
  const server = await serve(t, routes, { onNotFound });
  const seen = [];
  for (const line of ['GET /a', 'POST /a', 'OPTIONS /a', 'GET /', 'POST /', 'OPTIONS /']) {
    const { status, field } = await request(t, server, line);
    seen.push([line, status, field('allow')]);
  }
  t.deepEqual(seen, [
    ['GET /a', 200, undefined],
    ['POST /a', 405, 'GET, HEAD, OPTIONS'],
    ['OPTIONS /a', 204, 'GET, HEAD, OPTIONS'],
    ['GET /', 405, 'POST, OPTIONS'],
    ['POST /', 200, undefined],
    ['OPTIONS /', 204, 'POST, OPTIONS'],
  ]);
});

test('a body for an unknown path is not parsed: its bytes are there', async (t) => {
  const server = await serve(
    t,
    {},
    { onNotFound: ({ body, rawBody }) => notFound({ body: String(body), bytes: `${rawBody}` }) },
  );
  const type = { 'content-type': 'application/json' };
  const response = await request(t, server, 'POST /none', type, '{');
  t.is(response.status, 404);
  t.deepEqual(response.json, { body: 'undefined', bytes: '{' });
});

test('onNotFound may be asynchronous, and return a Response', async (t) => {
  const server = await serve(
    t,
    {},
    { onNotFound: async () => new Response('gone', { status: 410 }) },
  );
  const response = await request(t, server, 'GET /none');
  t.is(response.status, 410);
  t.is(response.text, 'gone');
});

test('an onNotFound that fails is answered 500, and logged', async (t) => {
  const server = await serve(t, {}, { onNotFound: () => { throw new Error('lost'); } }); // biome-ignore format: one line
  t.is((await request(t, server, 'GET /lost-and-found')).status, 500);
  t.regex(errorsNaming('/lost-and-found')[0], /lost/);
});
