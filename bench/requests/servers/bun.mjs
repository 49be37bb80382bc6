import { cert, key, PROTOCOL } from '../certificate.mjs';
import { COLLECTIONS, caller, PAGE, PLAIN_TEXT, receipt, user, work } from '../content.mjs';

const getUser = (req) => Response.json(user(req.params.id));

const server = Bun.serve({
  port: 0,
  hostname: '127.0.0.1',
  http2: PROTOCOL === 'h2',
  ...(PROTOCOL === 'http' ? {} : { tls: { key, cert } }),
  routes: {
    '/users/:id': { GET: getUser },
    '/computed/:id': {
      GET: (req) => {
        work();
        return Response.json(user(req.params.id));
      },
    },
    '/async/:id': {
      GET: async (req) => {
        await Promise.resolve();
        return Response.json(user(req.params.id));
      },
    },
    '/orders': { POST: async (req) => Response.json(receipt(await req.json())) },
    '/caller': {
      GET: ({ headers }) =>
        Response.json(caller(headers.get('authorization'), headers.get('x-request-id'))),
    },
    '/page': { GET: () => new Response(PAGE, { headers: { 'Content-Type': PLAIN_TEXT } }) },
    ...Object.fromEntries(COLLECTIONS.map((name) => [`/${name}/:id`, { GET: getUser }])),
  },
});
console.log(server.port);
