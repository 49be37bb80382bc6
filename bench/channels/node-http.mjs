import { createServer } from 'node:http';
import { publishing } from './events.mjs';

const clients = new Set();
let id = 0;
const server = createServer((_, res) => {
  res.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-cache' });
  res.flushHeaders();
  res.write('retry: 2000\n\n');
  clients.add(res);
  res.on('close', () => clients.delete(res));
});
publishing((data) => {
  id += 1;
  const event = `id: ${id}\ndata: ${JSON.stringify(data)}\n\n`;
  for (const client of clients) client.write(event);
});
server.listen({ port: 0, host: '127.0.0.1', backlog: 4_096 }, () =>
  console.log(server.address().port),
);
