import { createServer, json, text } from '../../../dist/index.js';
import { cert, key, PROTOCOL } from '../certificate.mjs';
import { COLLECTIONS, caller, PAGE, receipt, user, work } from '../content.mjs';

const getUser = (req) => json(user(req.params.id));

const server = createServer(
  {
    '/users/:id': { get: getUser },
    '/computed/:id': {
      get: (req) => {
        work();
        return json(user(req.params.id));
      },
    },
    '/async/:id': {
      get: async (req) => {
        await Promise.resolve();
        return json(user(req.params.id));
      },
    },
    '/orders': { post: (req) => json(receipt(req.body)) },
    '/caller': {
      get: ({ headers }) => json(caller(headers.authorization, headers['x-request-id'])),
    },
    '/page': { get: () => text(PAGE) },
    ...Object.fromEntries(COLLECTIONS.map((name) => [`/${name}/:id`, { get: getUser }])),
  },
  {
    ioThreads: Number(process.env.BENCH_IO_THREADS),
    ...(PROTOCOL === 'http' ? {} : { https: { key, cert } }),
  },
);
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
