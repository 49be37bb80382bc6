// Connections of HTTP/2 without a request: how long they are kept, and what counts as one.

import { once as onceOf } from 'node:events';
import { text as textOf } from 'node:stream/consumers';
import { setTimeout } from 'node:timers/promises';
import test from 'ava';
import { text } from 'wapix';
import { connect } from './helpers/client.mjs';
import { within } from './helpers/deadline.mjs';
import { once } from './helpers/events.mjs';
import { frame, frameTypes, GET, PREFACE, SETTINGS, session } from './helpers/http2.mjs';
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

const [HEADERS, PING, GOAWAY] = [1, 6, 7];

test('a connection whose client has not taken all of an answer is not idle', async (t) => {
  const content = 'x'.repeat(1_000_000);
  const server = await serve(t, { '/': { get: () => text(content) } }, { keepAliveTimeout: 300 });
  const client = await session(t, server);
  const asked = client.request({ ':path': '/' });
  await once(asked, 'response');
  // One that is idle is closed, and its client says nothing to that.
  const idle = await connect(t, server);
  idle.send(PREFACE, SETTINGS);
  await idle.ended();
  t.is((await textOf(asked)).length, content.length);
});

/** Waits until `client` has been sent a frame of this type. */
async function sent(client, type) {
  while (!frameTypes(client.bytes).includes(type)) await onceOf(client.socket, 'data');
}

for (const [how, options, stop] of [
  ['waits for too long', { keepAliveTimeout: 300 }, () => {}],
  ['the server closes', {}, (server) => server.close()],
]) {
  test(`a request that crosses the GOAWAY of a connection that ${how} is answered`, async (t) => {
    const server = await serve(t, { '/': { get: () => text('hello') } }, options);
    const client = await connect(t, server);
    client.send(PREFACE, SETTINGS);
    await sent(client, SETTINGS[3]);
    stop(server);
    await within(sent(client, GOAWAY), 'GOAWAY');
    // Its PING has not been answered: nobody has said that nothing is on its way.
    client.send(frame(HEADERS, 5, 1, GET));
    await client.through('hello');
    t.pass();
  });
}

test('close does not wait for the deadline where a client says nothing more', async (t) => {
  const server = await serve(t, { '/': { get: () => text('hello') } });
  const client = await connect(t, server);
  client.send(PREFACE, SETTINGS, frame(HEADERS, 5, 1, GET));
  await client.through('hello');
  server.close({ deadline: 600_000 });
  await once(server, 'close');
  t.is(await client.ended(), 'end');
  t.true(frameTypes(client.bytes).includes(PING));
});

test('who says that it leaves, and goes on talking, is left', async (t) => {
  const server = await serve(t, { '/': { get: () => text('hello') } }, { writeTimeout: 300 });
  const client = await connect(t, server);
  client.send(PREFACE, SETTINGS, frame(GOAWAY, 0, 0, Buffer.alloc(8)));
  const over = client.ended();
  while (client.ending === undefined) {
    client.send('x');
    await Promise.race([over, setTimeout(500)]);
  }
  await over;
  t.pass();
});
