// What is decided of a path is decided once, however it is written and over whichever protocol.

import { connect as connectHttp2 } from 'node:http2';
import { text as textOf } from 'node:stream/consumers';
import test from 'ava';
import { json, text } from 'wapix';
import { connect, request } from './helpers/client.mjs';
import { once } from './helpers/events.mjs';
import { originOf, serve } from './helpers/server.mjs';

/** Spellings that some server or proxy takes for /admin/users, with the route they have here. */
const SPELLINGS = [
  ['/admin/users', 'admin'],
  ['/admin/users?', 'admin'],
  ['/%61dmin/users', 'admin'],
  ['/admin/users/', 'admin'],
  ['/admin/us%65rs', 'admin'],
  ['//admin/users', 404],
  ['/admin//users', 404],
  ['///admin/users', 404],
  ['/admin/users//', 404],
  ['/admin%2Fusers', 400],
  ['/admin%2fusers', 400],
  ['/admin%5Cusers', 400],
  ['/admin%5cusers', 400],
  ['/.%2Fadmin/users', 400],
  ['/./admin/users', 400],
  ['/admin/./users', 400],
  ['/admin/users/.', 400],
  ['/../admin/users', 400],
  ['/x/../admin/users', 400],
  ['/public/../admin/users', 400],
  ['/public/..%2Fadmin/users', 400],
  ['/public/..%5Cadmin/users', 400],
  ['/public/%2e%2e/admin/users', 400],
  ['/public/.%2E/admin/users', 400],
  ['/public/%2e/x', 400],
  ['/admin/users%00', 400],
  ['/ADMIN/users', 404],
  ['/admin/users;x=1', 404],
  ['/%2561dmin/users', 404],
  ['/public/admin%252Fusers', 'public'],
];

const serveRoutes = (t) =>
  serve(t, {
    '/admin/users': { get: () => text('admin') },
    '/public/*path': { get: () => text('public') },
  });

const meant = (status, content) => (status === 200 ? content : status);

for (const [spelling, expected] of SPELLINGS) {
  test(`${spelling} is ${expected}, over HTTP/1.1, in absolute form and over HTTP/2`, async (t) => {
    const server = await serveRoutes(t);
    for (const target of [spelling, `http://test${spelling}`]) {
      const response = await request(t, server, `GET ${target}`);
      t.is(meant(response.status, response.text), expected, target);
    }
    const client = connectHttp2(originOf(server));
    t.teardown(() => client.destroy());
    const sent = client.request({ ':path': spelling });
    const [head] = await once(sent, 'response');
    t.is(meant(head[':status'], await textOf(sent)), expected, 'HTTP/2');
  });
}

test('a request target in absolute form without a path has the path /', async (t) => {
  const server = await serve(t, { '/': { get: ({ url, query }) => json({ url, query }) } });
  const client = await connect(t, server);
  client.send('GET http://other?x=1 HTTP/1.1\r\nHost: test\r\n\r\n');
  t.deepEqual((await client.response()).json, { url: '/?x=1', query: { x: '1' } });
});
