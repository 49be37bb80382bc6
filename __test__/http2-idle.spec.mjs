// Connections of HTTP/2 without a request: how long they are kept, and what counts as one.

import { text as textOf } from 'node:stream/consumers';
import test from 'ava';
import { text } from 'wapix';
import { connect } from './helpers/client.mjs';
import { once } from './helpers/events.mjs';
import { frame, PREFACE, SETTINGS, session } from './helpers/http2.mjs';
import { serve } from './helpers/server.mjs';

/** The status and the content of what is asked on `client`. */
async function ask(client) {
  const sent = client.request({ ':path': '/' });
  const [[head], content] = await Promise.all([once(sent, 'response'), textOf(sent)]);
  return [head[':status'], content];
}

test('a connection without a request is closed', async (t) => {
  const server = await serve(t, { '/': { get: () => text('hello') } }, { keepAliveTimeout: 1000 });
  const client = await connect(t, server);
  client.send(PREFACE, SETTINGS);
  t.is(await client.ended(), 'end');
  t.true(client.bytes.includes(frame(7, 0, 0).subarray(3, 9)), 'GOAWAY');
});

test('a connection may wait for its next request as long as one of HTTP/1', async (t) => {
  const routes = { '/': { get: () => text('hello') } };
  const server = await serve(t, routes, { keepAliveTimeout: 3000 });
  const earlier = await connect(t, server);
  const clock = await serve(t, routes, { keepAliveTimeout: 500 });
  await (await connect(t, clock)).ended();
  const client = await session(t, server);
  t.deepEqual(await ask(client), [200, 'hello']);
  const goaway = once(client, 'goaway');
  await earlier.ended();
  t.false(client.closed);
  await goaway;
});

test('a connection whose requests the server itself answers is not idle', async (t) => {
  const server = await serve(t, {}, { keepAliveTimeout: 300 });
  const client = await session(t, server);
  let rounds = 0;
  const idle = (async () => {
    for (; rounds < 3; rounds += 1) await (await connect(t, server)).ended();
  })();
  while (rounds < 3) t.is((await ask(client))[0], 404);
  await idle;
  t.false(client.closed);
});
