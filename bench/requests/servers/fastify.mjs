import fastify from 'fastify';
import { COLLECTIONS, caller, PAGE, PLAIN_TEXT, receipt, user, work } from '../content.mjs';

const app = fastify();

// Fastify's handlers are async where there is nothing that makes them otherwise.
const getUser = async (req) => user(req.params.id);

app.get('/users/:id', getUser);
app.get('/computed/:id', async (req) => {
  work();
  return user(req.params.id);
});
app.get('/async/:id', async (req) => {
  await Promise.resolve();
  return user(req.params.id);
});
app.post('/orders', async (req) => receipt(req.body));
app.get('/caller', async ({ headers }) => caller(headers.authorization, headers['x-request-id']));
app.get('/page', async (_, reply) => reply.type(PLAIN_TEXT).send(PAGE));
for (const name of COLLECTIONS) app.get(`/${name}/:id`, getUser);

await app.listen({ port: 0, host: '127.0.0.1' });
console.log(app.server.address().port);
