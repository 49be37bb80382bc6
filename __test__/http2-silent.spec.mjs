// An HTTP/2 client that takes its connection for alive, and says nothing.

import { once } from 'node:events';
import test from 'ava';
import { stream } from 'wapix';
import { connect } from './helpers/client.mjs';
import { closed } from './helpers/events.mjs';
import { frame, frameTypes, GET, PREFACE, SETTINGS } from './helpers/http2.mjs';
import { serve } from './helpers/server.mjs';
import { manual } from './helpers/source.mjs';

test('who no longer answers is asked, then left: PING, GOAWAY, the source destroyed', async (t) => {
  // 20 s until it is asked, as many for its answer.
  t.timeout(120_000);
  const events = manual();
  const server = await serve(t, { '/': { get: () => stream(events, 'text/event-stream') } });
  const client = await connect(t, server);
  client.send(PREFACE, SETTINGS, frame(1, 5, 1, GET));
  await once(client.socket, 'end');
  await closed(events);
  const types = frameTypes(client.bytes);
  t.true(types.includes(6), 'PING');
  t.is(types.at(-1), 7, 'GOAWAY is the last');
});
