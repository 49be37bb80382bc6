import sse from '@fastify/sse';
import fastify from 'fastify';
import { publishing } from './events.mjs';

const app = fastify();
const clients = new Set();
let id = 0;
await app.register(sse);
app.get('/events', { sse: { kind: 'only' } }, async (_, reply) => {
  reply.sse.keepAlive();
  await reply.sse.send({ retry: 2000, data: 'welcome' });
  clients.add(reply.sse);
  reply.sse.onClose(() => clients.delete(reply.sse));
});
publishing((data) => {
  id += 1;
  for (const client of clients) client.send({ id: String(id), data });
});
await app.listen({ port: 0, host: '127.0.0.1', backlog: 4_096 });
console.log(app.server.address().port);
