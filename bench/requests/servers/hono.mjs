import { serve } from '@hono/node-server';
import { Hono } from 'hono';
import { COLLECTIONS, caller, PAGE, receipt, user, work } from '../content.mjs';

const app = new Hono();

const getUser = (c) => c.json(user(c.req.param('id')));

app.get('/users/:id', getUser);
app.get('/computed/:id', (c) => {
  work();
  return c.json(user(c.req.param('id')));
});
app.get('/async/:id', async (c) => {
  await Promise.resolve();
  return c.json(user(c.req.param('id')));
});
app.post('/orders', async (c) => c.json(receipt(await c.req.json())));
app.get('/caller', (c) => {
  return c.json(caller(c.req.header('authorization'), c.req.header('x-request-id')));
});
app.get('/page', (c) => c.text(PAGE));
for (const name of COLLECTIONS) app.get(`/${name}/:id`, getUser);

serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }, ({ port }) => console.log(port));
