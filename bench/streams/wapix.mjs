import { createServer, stream } from '../../dist/index.js';
import { download, events, file, smallChunks } from './sources.mjs';

const server = createServer(
  {
    '/download': { get: () => stream(download()) },
    '/file': { get: () => stream(file()) },
    '/small': { get: () => stream(smallChunks()) },
    '/events': { get: () => stream(events(), 'text/event-stream') },
  },
  { ioThreads: Number(process.env.BENCH_IO_THREADS) },
);
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
