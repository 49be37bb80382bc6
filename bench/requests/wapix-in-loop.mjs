import { createServer, json } from '../../dist/index.js';

const server = createServer(
  { '/users/:id': { get: (req) => json({ id: req.params.id, name: 'Ada Lovelace' }) } },
  { ioThreads: 0 },
);
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
