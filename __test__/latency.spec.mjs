// What is small leaves at once: it waits neither for an acknowledgement nor for more of its kind.

import { setImmediate as turn, setTimeout as wait } from 'node:timers/promises';
import test from 'ava';
import { stream, text } from 'wapix';
import { connect, request, requestBytes } from './helpers/client.mjs';
import { serve } from './helpers/server.mjs';
import { manual } from './helpers/source.mjs';

test('an event does not wait until the client has acknowledged the one before', async (t) => {
  const source = manual();
  const server = await serve(t, { '/': { get: () => stream(source, 'text/event-stream') } });
  const client = await connect(t, server);
  client.send(requestBytes('GET /'));
  await client.head();
  let together = 0;
  for (let round = 0; round < 60; round += 1) {
    // What is not read is acknowledged late. (Paused, a socket still reads what is small.)
    client.socket._handle.readStop();
    for (const event of [1, 2]) {
      source.push(`data: ${round} ${event}\n\n`);
      // A connection of its own, where there is nothing to be acknowledged.
      await request(t, server, 'GET /other');
    }
    client.socket._handle.readStart();
    await client.through(`data: ${round} 2\n\n`);
    if (client.reads.at(-1).includes(`data: ${round} 1\n\n`)) together += 1;
  }
  // Systems put acknowledgements off for 40 ms and more, and are busy at times.
  t.true(together > 40, `${together} of 60 times the second event was there`);
});

test('the headers of a silent stream overtake the answer of a second later', async (t) => {
  const server = await serve(t, {
    '/bytes': { get: () => stream(manual()) },
    '/events': { get: () => stream(manual(), 'text/event-stream') },
    '/later': { get: () => wait(1_000, text('later')) },
  });
  const ask = async (path) => (await connect(t, server)).send(requestBytes(`GET ${path}`));
  const silent = [await ask('/bytes'), await ask('/events')];
  await (await ask('/later')).response();
  await turn();
  for (const { bytes } of silent) t.true(bytes.includes('\r\n\r\n'));
});
