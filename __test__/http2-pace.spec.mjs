// HTTP/2 clients that take their responses slowly, or not at all.

import { connect as connectHttp2, constants } from 'node:http2';
import { text as textOf } from 'node:stream/consumers';
import { setTimeout } from 'node:timers/promises';
import test from 'ava';
import { stream, text } from 'wapix';
import { CERT, KEY } from './helpers/certificate.mjs';
import { connect } from './helpers/client.mjs';
import { within } from './helpers/deadline.mjs';
import { closed, once, until } from './helpers/events.mjs';
import { session } from './helpers/http2.mjs';
import { originOf, serve } from './helpers/server.mjs';
import { counted, manual } from './helpers/source.mjs';

const TLS = { https: { key: KEY, cert: CERT } };
const LARGE = 'large '.repeat(200_000);

/** A request whose response is not read: its window fills. */
async function unread(client, path) {
  const sent = client.request({ ':path': path });
  sent.on('error', () => {});
  const [head] = await once(sent, 'response');
  return { sent, status: head[':status'] };
}

const whole = (client, path) => within(textOf(client.request({ ':path': path })), path);

test('who takes nothing of a response has its stream reset, the source destroyed; not of an event stream', async (t) => {
  const endless = counted(Number.POSITIVE_INFINITY);
  const events = manual();
  const server = await serve(
    t,
    {
      '/endless': { get: () => stream(endless) },
      '/large': { get: () => text(LARGE) },
      '/events': { get: () => stream(events, 'text/event-stream') },
    },
    { writeTimeout: 300 },
  );
  const client = await session(t, server);
  const silent = await unread(client, '/events');
  events.push(LARGE);
  for (const path of ['/endless', '/large']) {
    const { sent, status } = await unread(client, path);
    t.is(status, 200);
    await until(() => sent.closed, 'the reset');
    t.is(sent.rstCode, constants.NGHTTP2_CANCEL);
  }
  await closed(endless);
  // The other streams of the connection go on.
  events.push(null);
  t.is(await within(textOf(silent.sent), 'the events'), LARGE);
  t.is(await whole(client, '/large'), LARGE);
});

test('a connection is not idle while a client has not taken the whole of a response', async (t) => {
  const server = await serve(t, { '/': { get: () => text(LARGE) } }, { keepAliveTimeout: 200 });
  const client = await session(t, server);
  const { sent } = await unread(client, '/');
  // Idle from then on, it is closed after the time that the other is read in.
  const idle = await connect(t, server);
  await idle.ended();
  t.is(await within(textOf(sent), 'the response'), LARGE);
});

for (const [which, close] of [
  ['server', (server) => server.close()],
  ['client', (_, client) => client.close()],
]) {
  test(`what is in flight over TLS arrives whole at a slow client when the ${which} closes`, async (t) => {
    const length = 4 * 2 ** 20;
    const server = await serve(t, { '/': { get: () => stream(counted(length)) } }, TLS);
    const client = connectHttp2(originOf(server, 'https'), { rejectUnauthorized: false });
    t.teardown(() => client.destroy());
    const sent = client.request({ ':path': '/' });
    await once(sent, 'response');
    close(server, client);
    let taken = 0;
    for await (const chunk of sent) {
      taken += chunk.length;
      await setTimeout(2);
    }
    t.is(taken, length);
  });
}
