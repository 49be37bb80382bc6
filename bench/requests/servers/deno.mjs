import { cert, key, PROTOCOL } from '../certificate.mjs';
import { COLLECTIONS, caller, PAGE, PLAIN_TEXT, receipt, user, work } from '../content.mjs';

const getUser = (_, id) => Response.json(user(id));

// Deno has no router; its URLPattern would be asked once for each route.
const routes = new Map([
  ['GET users', getUser],
  [
    'GET computed',
    (_, id) => {
      work();
      return Response.json(user(id));
    },
  ],
  [
    'GET async',
    async (_, id) => {
      await Promise.resolve();
      return Response.json(user(id));
    },
  ],
  ['POST orders', async (req) => Response.json(receipt(await req.json()))],
  [
    'GET caller',
    ({ headers }) =>
      Response.json(caller(headers.get('authorization'), headers.get('x-request-id'))),
  ],
  ['GET page', () => new Response(PAGE, { headers: { 'Content-Type': PLAIN_TEXT } })],
  ...COLLECTIONS.map((name) => [`GET ${name}`, getUser]),
]);

Deno.serve(
  {
    port: 0,
    hostname: '127.0.0.1',
    onListen: ({ port }) => console.log(port),
    ...(PROTOCOL === 'http' ? {} : { key, cert }),
  },
  (req) => {
    const [, first, id] = new URL(req.url).pathname.split('/');
    const handler = routes.get(`${req.method} ${first}`);
    return handler ? handler(req, id) : new Response(null, { status: 404 });
  },
);
