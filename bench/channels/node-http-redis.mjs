import { createServer } from 'node:http';
import { createClient } from 'redis';
import { publishing } from './events.mjs';

const clients = new Set();
const server = createServer((_, res) => {
  res.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-cache' });
  res.flushHeaders();
  res.write('retry: 2000\n\n');
  clients.add(res);
  res.on('close', () => clients.delete(res));
});
const publisher = createClient({ url: process.env.BENCH_REDIS });
const subscriber = publisher.duplicate();
await Promise.all([publisher.connect(), subscriber.connect()]);
let id = 0;
await subscriber.subscribe('news', (data) => {
  id += 1;
  const event = `id: ${id}\ndata: ${data}\n\n`;
  for (const client of clients) client.write(event);
});
publishing((data) => publisher.publish('news', JSON.stringify(data)));
server.listen({ port: 0, host: '127.0.0.1', backlog: 4_096 }, () =>
  console.log(server.address().port),
);
