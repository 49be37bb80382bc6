// Comments in streams of events: they break a silence, and nothing else.

import test from 'ava';
import { sse } from 'wapix';
import { opener } from './helpers/channel.mjs';
import { EventParser, subscribe } from './helpers/event-source.mjs';
import { once, until } from './helpers/events.mjs';
import { session } from './helpers/http2.mjs';
import { serve } from './helpers/server.mjs';
import { manual } from './helpers/source.mjs';

const open = opener('heartbeats');
const heartbeat = 300;

test('where events come there are no comments, however they are sent', async (t) => {
  const [small, large, overHttp2, silent] = [1, 2, 3, 4].map(() => manual({ objectMode: true }));
  const [news, pages] = [1, 2].map(() => open({ heartbeat, history: { events: 0 } }));
  const stream = (source) => ({ get: () => sse(source, { heartbeat }) });
  const room = (channel) => ({ get: (req) => channel.subscribe(req) });
  const server = await serve(t, {
    '/small': stream(small),
    '/large': stream(large),
    '/over-http2': stream(overHttp2),
    '/channel': room(news),
    '/channel-large': room(pages),
    '/silent': stream(silent),
  });
  const page = 'p'.repeat(20_000);
  // Larger than what is written beside others.
  const chapter = 'c'.repeat(300_000);
  const busy = new Map();
  const begin = async (path, send) => {
    send();
    busy.set(path, { send, source: await subscribe(t, server, path) });
  };
  await begin('/small', () => small.push({ data: 'small' }));
  await begin('/large', () => large.push({ data: page }));
  await begin('/channel', () => news.publish({ data: 'small' }));
  await begin('/channel-large', () => pages.publish({ data: chapter }));
  const client = await session(t, server);
  const request = client.request({ ':path': '/over-http2' });
  const parser = new EventParser();
  request.setEncoding('utf8').on('data', (text) => parser.push(text));
  overHttp2.push({ data: 'small' });
  await once(request, 'response');
  busy.set('/over-http2', { send: () => overHttp2.push({ data: 'small' }), source: parser });
  await until(() => news.size === 1 && pages.size === 1, 'both are subscribed');
  silent.push({ comment: 'opening' });
  const quiet = await subscribe(t, server, '/silent');

  while (quiet.comments < 7) {
    const before = Array.from(busy.values(), ({ source }) => source.events.length);
    for (const { send } of busy.values()) send();
    await until(
      () => Array.from(busy.values()).every(({ source }, at) => source.events.length > before[at]),
      'the next event of each',
    );
  }
  for (const [path, { source }] of busy) {
    t.true(source.events.length > 7, path);
    // A machine that stands still for so long is silent, too.
    t.true(source.comments < 3, `${path}: ${source.comments} comments`);
  }
});
