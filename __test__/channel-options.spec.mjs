// What a channel is made with, and what it is given to publish.

import test from 'ava';
import { channel, redis } from 'wapix';
import { request } from './helpers/client.mjs';
import { subscribe } from './helpers/event-source.mjs';
import { until } from './helpers/events.mjs';
import { captureErrors, errorsNaming } from './helpers/log.mjs';
import { serve } from './helpers/server.mjs';

captureErrors();

test('a channel is known by its name, and has the options it was made with', (t) => {
  const options = { history: { events: 5 }, slow: 'latest' };
  const first = channel('by name', options);
  t.is(first.name, 'by name');
  t.is(channel('by name'), first);
  t.is(channel('by name', { ...options }), first);
  t.throws(() => channel('by name', { ...options, queue: 1 }), {
    code: 'WAPIX_CHANNEL_CONFLICT',
    name: 'WapixError',
  });
  for (const bad of [
    { queue: -1 },
    { retry: '1' },
    { slow: 'what' },
    { history: { events: NaN } },
    { history: { event: 5 } },
    { que: 1 },
    { history: 500 },
    500,
    { backplane: 'redis://localhost' },
    { backplane: {} },
    { backplane: null },
    { backplane: { url: 'redis://localhost', queue: -1 } },
  ]) {
    t.throws(() => channel('bad', bad), { code: 'WAPIX_INVALID_OPTION' }, JSON.stringify(bad));
  }
  t.throws(() => channel(7), { code: 'WAPIX_INVALID_OPTION' });
});

test('what redis() refuses is not printed: it may have a password', (t) => {
  for (const wrong of [
    'redis://:secret@localhost',
    ['redis://:secret@localhost'],
    { url: 'nosuch://:secret@localhost' },
    { url: 'redis://:secret@localhost:port' },
    { url: ['redis://:secret@localhost'] },
  ]) {
    const error = t.throws(() => redis(wrong), { code: 'WAPIX_INVALID_OPTION' });
    t.notRegex(error.message, /secret/);
  }
});

test('times may be fractions, and as good as for ever', async (t) => {
  const longest = 2 ** 32 - 1;
  for (const [at, retry] of [2 ** 32 + 5, Number.POSITIVE_INFINITY].entries()) {
    const news = channel(`for ever ${at}`, { retry, heartbeat: retry });
    const server = await serve(t, { '/': { get: (req) => news.subscribe(req) } });
    const source = await subscribe(t, server);
    await source.until((got) => got.retry !== undefined, 'the retry');
    t.true(source.retry >= longest, String(source.retry));
  }
  const often = channel('a fraction', { heartbeat: 0.5 });
  const server = await serve(t, { '/': { get: (req) => often.subscribe(req) } });
  const source = await subscribe(t, server);
  await source.until(({ comments }) => comments > 0, 'a heartbeat');
  t.pass();
});

test('what is no event is refused before anybody gets any of it', async (t) => {
  const news = channel('of events');
  const get = (req) => news.subscribe(req, { topics: req.query.topics && [req.query.topics] });
  const server = await serve(t, { '/': { get } });
  const source = await subscribe(t, server);
  await until(() => news.size === 1, 'subscribed');
  const circle = {};
  circle.circle = circle;
  for (const event of [
    undefined,
    'text',
    {},
    { event: 'e' },
    { data: undefined },
    { data: circle },
    { data: () => {} },
    { data: 1, event: 'a\nb' },
    { data: 1, topic: '' },
    { data: 1, topic: 'a\nb' },
    { data: 1, topic: 7 },
  ]) {
    t.throws(() => news.publish(event), { code: 'WAPIX_INVALID_EVENT' });
  }
  const id = news.publish({ data: 'a\r\nb\rc\nd', event: 'e' });
  await source.until(({ events }) => events.length === 1, 'the event');
  t.deepEqual(source.events, [{ type: 'e', data: 'a\nb\nc\nd', lastEventId: id }]);
  t.true(id.endsWith('-1'));
});

test('what a subscription cannot be asked for is refused: it would get all topics', async (t) => {
  const news = channel('of topics');
  const get = (req) => news.subscribe(req, JSON.parse(req.query.options));
  const server = await serve(t, { '/misspelt': { get } });
  for (const options of [{ topic: ['a'] }, { topics: 'a' }, { topics: null }]) {
    const query = encodeURIComponent(JSON.stringify(options));
    t.is((await request(t, server, `GET /misspelt?options=${query}`)).status, 500);
  }
  const logged = errorsNaming('GET /misspelt');
  t.is(logged.filter((entry) => entry.includes('WAPIX_INVALID_OPTION')).length, 3);
});

test('a subscription has no Content-Length: 500, logged', async (t) => {
  const news = channel('with a length');
  const get = (req) => news.subscribe(req, { headers: { 'Content-Length': 5 } });
  const server = await serve(t, { '/declared': { get } });
  t.is((await request(t, server, 'GET /declared')).status, 500);
  t.regex(errorsNaming('GET /declared ')[0], /WAPIX_CONTENT_LENGTH_MISMATCH/);
});
