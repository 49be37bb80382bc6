import fastify from 'fastify';

const app = fastify();
app.get('/users/:id', async (req) => ({ id: req.params.id, name: 'Ada Lovelace' }));
await app.listen({ port: 0, host: '127.0.0.1' });
console.log(app.server.address().port);
