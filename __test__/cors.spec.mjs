import test from 'ava';
import { createServer, json, noContent, stream, text } from 'wapix';
import { request } from './helpers/client.mjs';
import { captureErrors } from './helpers/log.mjs';
import { serve } from './helpers/server.mjs';

captureErrors();

const ORIGIN = 'https://app.example';
const get = () => text('got');

/** The fields of CORS in a response. */
function corsOf({ status, fields }) {
  const found = fields.filter(([name]) => name === 'vary' || name.startsWith('access-control-'));
  return { status, ...Object.fromEntries(found.map(([name], _, all) => [name, all.filter(([other]) => other === name).map(([, value]) => value).join(', ')])) };
} // biome-ignore format: short

const ask = (t, server, line, headers = {}) =>
  request(t, server, line, { origin: ORIGIN, ...headers }).then(corsOf);
const preflight = (t, server, path, method, headers) =>
  ask(t, server, `OPTIONS ${path}`, { 'access-control-request-method': method, ...headers });

const ORIGINS = [
  ['*', '*', '*'],
  ['one', ORIGIN, ORIGIN, 'Origin'],
  ['several', ['http://localhost:3000', ORIGIN], ORIGIN, 'Origin'],
  ['a function', (origin) => origin.endsWith('.example'), ORIGIN, 'Origin'],
  ['another', 'https://other.example', undefined, 'Origin'],
  ['one that begins alike', 'https://app.example.com', undefined, 'Origin'],
  ['a function that refuses', () => false, undefined, 'Origin'],
  ['none', [], undefined, 'Origin'],
];

for (const [name, origin, allowed, vary] of ORIGINS) {
  test(`cors: origin is ${name}`, async (t) => {
    const server = await serve(t, { '/': { get } }, { cors: { origin } });
    const expected = {
      status: 200,
      ...(allowed && { 'access-control-allow-origin': allowed }),
      ...(vary && { vary }),
    };
    t.deepEqual(await ask(t, server, 'GET /'), expected);
    // What a cache keeps must say that others may get another.
    const without = corsOf(await request(t, server, 'GET /'));
    t.deepEqual(without, {
      status: 200,
      ...(allowed === '*' && { 'access-control-allow-origin': '*' }),
      ...(vary && { vary }),
    });
  });
}

test('cors: credentials and exposedHeaders', async (t) => {
  const cors = { origin: ORIGIN, credentials: true, exposedHeaders: ['X-A', 'ETag'] };
  const server = await serve(t, { '/': { get } }, { cors });
  const allowed = {
    'access-control-allow-origin': ORIGIN,
    'access-control-allow-credentials': 'true',
    'access-control-expose-headers': 'X-A, ETag',
    vary: 'Origin',
  };
  t.deepEqual(await ask(t, server, 'GET /'), { status: 200, ...allowed });
  t.deepEqual(corsOf(await request(t, server, 'GET /', { origin: 'https://other.example' })), {
    status: 200,
    vary: 'Origin',
  });
});

test('cors: a preflight is answered by what the path has', async (t) => {
  const routes = {
    '/users/:id': { get, put: get },
    '/own': { post: get, options: get },
    '/users/me': { options: get },
  };
  const server = await serve(t, routes, { cors: { origin: ORIGIN, credentials: true } });
  const allowed = {
    status: 204,
    'access-control-allow-origin': ORIGIN,
    'access-control-allow-credentials': 'true',
    vary: 'Access-Control-Request-Headers, Origin',
  };
  const headers = { 'access-control-request-headers': 'content-type,x-a' };
  t.deepEqual(await preflight(t, server, '/users/7', 'PUT', headers), {
    ...allowed,
    'access-control-allow-methods': 'GET, HEAD, PUT, OPTIONS',
    'access-control-allow-headers': 'content-type,x-a',
  });
  t.deepEqual(await preflight(t, server, '/own', 'POST'), {
    ...allowed,
    'access-control-allow-methods': 'POST, OPTIONS',
  });
  // Another pattern matches it, too.
  t.deepEqual(await preflight(t, server, '/users/me', 'PUT'), {
    ...allowed,
    'access-control-allow-methods': 'GET, HEAD, PUT, OPTIONS',
  });
  // So that the page sees the 404.
  t.deepEqual(await preflight(t, server, '/none', 'DELETE'), {
    ...allowed,
    'access-control-allow-methods': 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS',
  });
});

test('cors: methods, headers and maxAge of a preflight', async (t) => {
  const cors = { origin: '*', methods: ['PUT'], headers: ['X-A', 'X-B'], maxAge: 600 };
  const server = await serve(t, { '/': { get } }, { cors });
  const headers = { 'access-control-request-headers': 'x-c' };
  t.deepEqual(await preflight(t, server, '/', 'PUT', headers), {
    status: 204,
    'access-control-allow-origin': '*',
    'access-control-allow-methods': 'PUT',
    'access-control-allow-headers': 'X-A, X-B',
    'access-control-max-age': '600',
  });
});

test('cors: an origin that is not allowed gets a preflight without permission', async (t) => {
  const server = await serve(t, { '/': { get } }, { cors: { origin: 'https://other.example' } });
  const answer = await preflight(t, server, '/', 'PUT');
  t.is(answer.status, 204);
  t.is(answer['access-control-allow-origin'], undefined);
});

test('cors: OPTIONS that is no preflight is answered as without', async (t) => {
  const routes = { '/': { get }, '/own': { options: () => text('own') } };
  const server = await serve(t, routes, { cors: { origin: '*' } });
  const plain = await request(t, server, 'OPTIONS /', { origin: ORIGIN });
  t.is(plain.status, 204);
  t.is(plain.field('allow'), 'GET, HEAD, OPTIONS');
  t.is(plain.field('access-control-allow-methods'), undefined);
  t.is((await request(t, server, 'OPTIONS /own')).text, 'own');
  // Of no browser: those say who asks.
  const nobody = await request(t, server, 'OPTIONS /', { 'access-control-request-method': 'GET' });
  t.is(nobody.field('allow'), 'GET, HEAD, OPTIONS');
});

const ANSWERS = {
  stream: ['GET /stream', 200],
  'no content': ['GET /nothing', 204],
  'a Response': ['GET /response', 200],
  'a 404': ['GET /none', 404],
  'a 405': ['PUT /stream', 405],
  'a 500': ['GET /fails', 500],
  'a malformed body': ['POST /body', 400],
};

for (const [name, [line, status]] of Object.entries(ANSWERS)) {
  test(`cors: ${name} has the fields, too`, async (t) => {
    const routes = {
      '/stream': { get: () => stream(new Blob(['x']).stream()) },
      '/nothing': { get: () => noContent() },
      '/response': { get: () => new Response('x') },
      '/fails': {
        get: () => {
          throw new Error('on purpose');
        },
      },
      '/body': { post: get },
    };
    const server = await serve(t, routes, { cors: { origin: ORIGIN } });
    const headers = { origin: ORIGIN, 'content-type': 'application/json' };
    const body = line.startsWith('POST') ? '{' : undefined;
    t.deepEqual(corsOf(await request(t, server, line, headers, body)), {
      status,
      'access-control-allow-origin': ORIGIN,
      vary: 'Origin',
    });
  });
}

test('cors: fields of a handler win, and its Vary stays', async (t) => {
  const routes = {
    '/own': { get: () => json({}, { 'Access-Control-Allow-Origin': 'https://mine.example' }) },
    '/vary': { get: () => json({}, { Vary: 'Accept-Encoding' }) },
  };
  const server = await serve(t, routes, { cors: { origin: ORIGIN, credentials: true } });
  t.deepEqual(await ask(t, server, 'GET /own'), {
    status: 200,
    'access-control-allow-origin': 'https://mine.example',
  });
  t.is((await ask(t, server, 'GET /vary')).vary, 'Accept-Encoding, Origin');
});

test('cors: an origin function that throws is a 500, and the server lives on', async (t) => {
  const origin = (given) => {
    if (given === ORIGIN) throw new Error('on purpose');
    return true;
  };
  const server = await serve(t, { '/': { get } }, { cors: { origin } });
  t.deepEqual(await ask(t, server, 'GET /'), { status: 500 });
  t.is((await ask(t, server, 'GET /', { origin: 'https://other.example' })).status, 200);
});

test('cors: an origin function that returns a promise lets nobody in: 500', async (t) => {
  const origin = async (given) => given === ORIGIN;
  const server = await serve(t, { '/': { get } }, { cors: { origin } });
  for (const given of [ORIGIN, 'https://other.example']) {
    t.deepEqual(await ask(t, server, 'GET /', { origin: given }), { status: 500 });
  }
});

const REFUSED = [
  ['credentials for everybody', { origin: '*', credentials: true }, /name the origins/],
  ['no origin', {}, /origin/],
  ['an origin with a path', { origin: 'https://app.example/' }, /app\.example\//],
  ['an origin without a scheme', { origin: ['app.example'] }, /"app\.example"/],
  ['a default port', { origin: 'https://app.example:443' }, /:443/],
  ['null', { origin: 'null' }, /null/],
  ['a misspelt name', { origin: '*', maxage: 5 }, /"maxage"/],
  ['a negative age', { origin: '*', maxAge: -1 }, /maxAge/],
  ['methods in one text', { origin: '*', methods: 'GET, PUT' }, /methods/],
  ['a header that is none', { origin: '*', headers: ['x y'] }, /headers/],
  ['an exposed header that is none', { origin: '*', exposedHeaders: ['x\r\ny'] }, /exposedHeaders/],
];

test('cors: an extension of a browser is an origin, too', async (t) => {
  const origin = 'chrome-extension://abcdefgh';
  const server = await serve(t, { '/': { get } }, { cors: { origin: [ORIGIN, origin] } });
  t.is((await ask(t, server, 'GET /', { origin }))['access-control-allow-origin'], origin);
});

for (const [name, cors, message] of REFUSED) {
  test(`cors refuses ${name}`, (t) => {
    t.throws(() => createServer({}, { cors }), { code: 'WAPIX_INVALID_OPTION', message });
  });
}
