import { createServer, json } from '../../../dist/index.js';

let requests = 0;
const server = createServer(
  {
    '/users/:id': {
      get: (req) => {
        requests += 1;
        return json({ id: req.params.id, name: 'Ada Lovelace' });
      },
    },
    '/requests': { get: () => json(requests) },
  },
  { ioThreads: Number(process.env.BENCH_IO_THREADS) },
);
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
