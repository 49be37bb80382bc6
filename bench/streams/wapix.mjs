import { Readable } from 'node:stream';
import { createServer, stream } from '../../dist/index.js';
import { download, events, file, smallChunks } from './sources.mjs';

const server = createServer(
  {
    '/download': { get: () => stream(download()) },
    '/file': { get: () => stream(file()) },
    '/small': { get: () => stream(smallChunks()) },
    '/short': { get: () => stream(Readable.from(['an event ', 'and another'])) },
    '/silent': { get: () => stream(new Readable({ read() {} }), 'text/event-stream') },
    '/events': { get: () => stream(events(), 'text/event-stream') },
  },
  { ioThreads: Number(process.env.BENCH_IO_THREADS) },
);
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
