import { channel, createServer, redis } from '../../dist/index.js';
import { publishing } from './events.mjs';

const news = channel('news', { backplane: redis({ url: process.env.BENCH_REDIS }) });
const server = createServer(
  { '/events': { get: (req) => news.subscribe(req) } },
  { ioThreads: Number(process.env.BENCH_IO_THREADS) },
);
publishing((data) => news.publish({ data }));
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
