// Events of one client: what is sent of them, and what is refused.

import { Readable } from 'node:stream';
import test from 'ava';
import { sse } from 'wapix';
import { connect, request, requestBytes } from './helpers/client.mjs';
import { subscribe } from './helpers/event-source.mjs';
import { closed } from './helpers/events.mjs';
import { captureErrors, errorsNaming } from './helpers/log.mjs';
import { serve, serveGet } from './helpers/server.mjs';

captureErrors();

/** What is sent of these events. */
async function sent(t, events, options) {
  const server = await serveGet(t, () => sse(events.values(), options));
  return request(t, server, 'GET /');
}

for (const [event, bytes] of [
  [{ data: 'text' }, 'data: text\n\n'],
  [{ data: 'a\nb\rc\r\nd' }, 'data: a\ndata: b\ndata: c\ndata: d\n\n'],
  [{ data: '\n' }, 'data: \ndata: \n\n'],
  [{ data: '' }, 'data: \n\n'],
  [{ data: ' é' }, 'data:  é\n\n'],
  [{ data: { a: 'b\nc' } }, 'data: {"a":"b\\nc"}\n\n'],
  [{ data: null }, 'data: null\n\n'],
  [{ data: 7, id: 0, event: 'e', retry: 5 }, 'id: 0\nevent: e\nretry: 5\ndata: 7\n\n'],
  [{ comment: 'a\nb' }, ': a\n: b\n\n'],
  [{ id: '' }, 'id: \n\n'],
]) {
  test(`${JSON.stringify(event)} is ${JSON.stringify(bytes)}`, async (t) => {
    const { body } = await sent(t, [event, event]);
    t.is(body.toString(), bytes + bytes);
  });
}

for (const [what, event] of Object.entries({
  text: 'data: 1',
  bytes: Buffer.from('data: 1'),
  'a line break in event': { event: 'a\nb', data: 1 },
  'CR in event': { event: 'a\rb', data: 1 },
  'LF in id': { id: 'a\nb', data: 1 },
  'CR in id': { id: 'a\r', data: 1 },
  'NUL in id': { id: 'a\0b', data: 1 },
  'an event of no text': { event: 7, data: 1 },
  'retry with a point': { retry: 1.5 },
  'retry below 0': { retry: -1 },
  'retry of text': { retry: '1' },
  'data without a JSON form': { data: () => {} },
  'an object with none of the fields': { message: 'hello' },
  'a list': [{ data: 1 }],
})) {
  test(`${what} fails the stream, with a code in the log`, async (t) => {
    const path = `/${what.replaceAll(' ', '-')}`;
    const get = () => sse([{ data: 'before' }, event, { data: 'after' }].values());
    const server = await serve(t, { [path]: { get } });
    const client = await connect(t, server);
    client.send(requestBytes(`GET ${path}`, { Connection: 'close' }));
    await client.ended();
    // 500, where the failure is before the headers have left.
    const text = client.bytes.toString();
    t.false(text.endsWith('0\r\n\r\n'));
    t.false(text.includes('after'));
    const [entry] = errorsNaming(path);
    t.regex(entry, /WAPIX_INVALID_EVENT/);
  });
}

test('its headers are those that events need, unless others are given', async (t) => {
  const { field } = await sent(t, []);
  t.is(field('content-type'), 'text/event-stream');
  t.is(field('cache-control'), 'no-cache');
  t.is(field('x-accel-buffering'), 'no');
  const other = await sent(t, [], { headers: { 'Cache-Control': 'no-store', 'X-A': 'b' } });
  t.is(other.field('cache-control'), 'no-store');
  t.is(other.field('x-a'), 'b');
  const none = await sent(t, [], { headers: { 'Cache-Control': undefined } });
  t.is(none.field('cache-control'), 'no-cache');
});

test('req.lastEventId is what the client says, as UTF-8', async (t) => {
  const server = await serveGet(t, (req) => sse([{ data: req.lastEventId ?? null }].values()));
  const ask = async (headers) => (await request(t, server, 'GET /', headers)).body.toString();
  t.is(await ask({}), 'data: null\n\n');
  const latin1 = Buffer.from('é-7').toString('latin1');
  t.is(await ask({ 'last-event-id': latin1 }), 'data: é-7\n\n');
});

for (const ioThreads of [1, 0]) {
  test(`silence is broken by comments, and its source is destroyed, with ${ioThreads} threads`, async (t) => {
    const events = new Readable({ objectMode: true, read() {} });
    const server = await serveGet(t, () => sse(events, { heartbeat: 100 }), { ioThreads });
    const source = await subscribe(t, server);
    await source.until(({ comments }) => comments >= 3, 'heartbeats');
    events.push({ data: 1 });
    t.deepEqual(await source.data(1), [1]);
    source.leave();
    await closed(events);
  });
}

test('what has a Content-Length is as long, however quiet it is', async (t) => {
  const [counted, open] = [0, 1].map(() => new Readable({ objectMode: true, read() {} }));
  const headers = { 'Content-Length': 'data: 1\n\n'.length };
  const server = await serve(t, {
    '/counted': { get: () => sse(counted, { heartbeat: 50, headers }) },
    '/open': { get: () => sse(open, { heartbeat: 50 }) },
  });
  const answer = request(t, server, 'GET /counted');
  const source = await subscribe(t, server, '/open');
  await source.until(({ comments }) => comments >= 3, 'heartbeats');
  counted.push({ data: 1 });
  counted.push(null);
  t.is((await answer).body.toString(), 'data: 1\n\n');
});

test('a heartbeat may be as good as none', async (t) => {
  const events = () => {
    const source = new Readable({ objectMode: true, read() {} });
    source.push({ data: 'opening' });
    return source;
  };
  const periods = { often: 50, long: 2 ** 32 + 5, never: Number.POSITIVE_INFINITY };
  const get = ({ params }) => sse(events(), { heartbeat: periods[params.period] });
  const server = await serve(t, { '/:period': { get } });
  const [often, ...others] = await Promise.all(
    Object.keys(periods).map((period) => subscribe(t, server, `/${period}`)),
  );
  await often.until(({ comments }) => comments >= 3, 'heartbeats');
  t.deepEqual(
    others.map(({ comments }) => comments),
    [0, 0],
  );
});

test('heartbeats come while JavaScript is busy', async (t) => {
  const events = new Readable({ objectMode: true, read() {} });
  const server = await serveGet(t, () => sse(events, { heartbeat: 100 }), { ioThreads: 1 });
  const client = await connect(t, server);
  client.send(requestBytes('GET /'));
  await client.head();
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1000);
  // What came meanwhile is read at once: more than came before.
  const text = await client.through(':\n\n\r\n3\r\n:\n\n\r\n3\r\n:\n\n\r\n');
  t.truthy(text);
  t.true(client.reads.length < 4, `${client.reads.length} reads`);
});

test('an option that cannot be used is refused', (t) => {
  for (const heartbeat of [-1, '1', Number.NaN]) {
    t.throws(() => sse([].values(), { heartbeat }), { code: 'WAPIX_INVALID_OPTION' });
  }
  t.throws(() => sse([].values(), { heartbeats: 0 }), { code: 'WAPIX_INVALID_OPTION' });
});
