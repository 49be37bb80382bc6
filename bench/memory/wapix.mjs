import { Readable } from 'node:stream';
import { createServer, stream } from '../../dist/index.js';

const server = createServer({
  '/short': { get: () => stream(Readable.from(['an event ', 'and another'])) },
  '/silent': { get: () => stream(new Readable({ read() {} }), 'text/event-stream') },
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
