import fastify from 'fastify';
import { download, events, file, smallChunks } from './sources.mjs';

const app = fastify();
app.get('/download', (_, reply) => reply.type('application/octet-stream').send(download()));
app.get('/file', (_, reply) => reply.type('application/octet-stream').send(file()));
app.get('/small', (_, reply) => reply.type('application/octet-stream').send(smallChunks()));
app.get('/events', (_, reply) => reply.type('text/event-stream').send(events()));
await app.listen({ port: 0, host: '127.0.0.1' });
console.log(app.server.address().port);
