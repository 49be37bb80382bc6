import { readFileSync } from 'node:fs';
import test from 'ava';
import { createServer, text } from 'wapix';
import { connect } from './helpers/client.mjs';
import { serve } from './helpers/server.mjs';

const FIXTURE = new URL('../fixtures/routes.json', import.meta.url);
const { tables } = JSON.parse(readFileSync(FIXTURE, 'utf8'));

/** Routes whose handlers tell which they are, and of their parameters, in headers (for HEAD). */
function telling(table) {
  const routes = Object.create(null);
  for (const [method, pattern] of table.routes) {
    const told = JSON.stringify([method, pattern]);
    routes[pattern] ??= {};
    routes[pattern][method.toLowerCase()] = ({ params }) =>
      text('', {
        'x-route': encodeURIComponent(told),
        'x-params': encodeURIComponent(JSON.stringify(Object.entries(params))),
      });
  }
  return routes;
}

function read(response, name) {
  const value = response.field(name);
  return value === undefined ? undefined : JSON.parse(decodeURIComponent(value));
}

for (const table of tables) {
  test(`the shared table of routes over HTTP: ${table.name}`, async (t) => {
    const server = await serve(t, telling(table));
    const client = await connect(t, server);
    for (const row of table.requests) {
      client.send(`${row.method} ${row.path} HTTP/1.1\r\nHost: test\r\n\r\n`);
      const response = await client.response(row.method);
      const [handler, route] = read(response, 'x-route') ?? [];
      const isRouted = row.route !== undefined;
      t.deepEqual(
        {
          status: response.status,
          handler,
          route,
          params: read(response, 'x-params'),
          allow: response.field('allow'),
        },
        {
          status: row.status,
          handler: isRouted ? (row.handler ?? row.method) : undefined,
          route: row.route,
          params: isRouted ? Object.entries(row.params ?? {}) : undefined,
          allow: row.allow,
        },
        `${row.method} ${row.path}`,
      );
    }
  });
}

test('an answer without a handler is JSON that names its status', async (t) => {
  const server = await serve(t, { '/a': { post: () => text('') } });
  const client = await connect(t, server);
  for (const [line, status, error] of [
    ['GET /nowhere', 404, 'Not Found'],
    ['GET /a', 405, 'Method Not Allowed'],
    ['GET /%', 400, 'Bad Request'],
  ]) {
    client.send(`${line} HTTP/1.1\r\nHost: test\r\n\r\n`);
    const response = await client.response();
    t.is(response.status, status);
    t.is(response.field('content-type'), 'application/json');
    t.is(response.json.error, error);
  }
});

test('OPTIONS * is answered for the whole server', async (t) => {
  const server = await serve(t, {});
  const client = await connect(t, server);
  client.send('OPTIONS * HTTP/1.1\r\nHost: test\r\n\r\n');
  const response = await client.response();
  t.is(response.status, 204);
  t.truthy(response.field('allow'));
});

test('HEAD of an unknown path or method has no content', async (t) => {
  const server = await serve(t, { '/a': { post: () => text('') } });
  const client = await connect(t, server);
  for (const [path, status] of [
    ['/nowhere', 404],
    ['/a', 405],
  ]) {
    client.send(`HEAD ${path} HTTP/1.1\r\nHost: test\r\n\r\n`);
    t.is((await client.response('HEAD')).status, status);
    t.is(client.bytes.length, 0);
  }
});

const get = () => text('');

const REFUSED = [
  ['a pattern without a slash', { users: { get } }, 'WAPIX_INVALID_ROUTE', ['users']],
  ['an empty pattern', { '': { get } }, 'WAPIX_INVALID_ROUTE', []],
  ['a parameter without a name', { '/:': { get } }, 'WAPIX_INVALID_ROUTE', ['/:']],
  ['a catch-all that is not last', { '/*a/b': { get } }, 'WAPIX_INVALID_ROUTE', ['/*a/b']],
  ['one parameter name twice', { '/:a/:a': { get } }, 'WAPIX_INVALID_ROUTE', ['/:a/:a']],
  ['an unknown method', { '/a': { fetch: get } }, 'WAPIX_INVALID_ROUTE', ['/a', 'fetch']],
  ['a method in upper case', { '/a': { GET: get } }, 'WAPIX_INVALID_ROUTE', ['/a', 'GET']],
  ['a handler that is none', { '/a': { get: {} } }, 'WAPIX_INVALID_ROUTE', ['/a', 'GET']],
  ['null for a handler', { '/a': { get: null } }, 'WAPIX_INVALID_ROUTE', ['/a', 'GET']],
  ['a function for handlers', { '/a': get }, 'WAPIX_INVALID_ROUTE', ['/a']],
  ['a function for routes', get, 'WAPIX_INVALID_ROUTE', ['function']],
  ['no routes', undefined, 'WAPIX_INVALID_ROUTE', ['undefined']],
  ['null for handlers', { '/a': null }, 'WAPIX_INVALID_ROUTE', ['/a']],
  ['two names for one parameter', { '/:a': { get }, '/:b/c': { get } }, 'WAPIX_ROUTE_CONFLICT', ['/:a', '/:b/c']],
  ['one route twice', { '/a': { get }, '/a/': { get } }, 'WAPIX_ROUTE_CONFLICT', ['/a', '/a/']],
]; // biome-ignore format: a table

for (const [name, routes, code, names] of REFUSED) {
  test(`createServer throws for ${name}`, (t) => {
    const error = t.throws(() => createServer(routes), { code });
    for (const each of names) t.true(error.message.includes(each), error.message);
  });
}

test('an undefined handler is no route', async (t) => {
  const server = await serve(t, { '/a': { get, post: undefined } });
  const client = await connect(t, server);
  client.send('POST /a HTTP/1.1\r\nHost: test\r\n\r\n');
  t.is((await client.response()).field('allow'), 'GET, HEAD, OPTIONS');
});
