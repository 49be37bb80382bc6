// One event for everybody: what a channel is for. It has no streams of JavaScript's.
import { channel, createServer } from '../../dist/index.js';
import { publishEvents } from './sources.mjs';

const news = channel('news');
const server = createServer(
  { '/events': { get: (req) => news.subscribe(req) } },
  { ioThreads: Number(process.env.BENCH_IO_THREADS) },
);
publishEvents((data) => news.publish({ data }));
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
