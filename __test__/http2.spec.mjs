// HTTP/2: over TLS as both sides agree, over cleartext for who knows; each stream on its own.

import { createHash } from 'node:crypto';
import { constants } from 'node:http2';
import { request as requestSecurely } from 'node:https';
import { buffer, text as textOf } from 'node:stream/consumers';
import { setImmediate as turn } from 'node:timers/promises';
import test from 'ava';
import { json, stream, text } from 'wapix';
import { CERT, KEY } from './helpers/certificate.mjs';
import { connect } from './helpers/client.mjs';
import { noticed, within } from './helpers/deadline.mjs';
import { aborted, closed, deferred, levelled, once } from './helpers/events.mjs';
import { frame, GET, PREFACE, resetPost, SETTINGS, session } from './helpers/http2.mjs';
import { installed, missing } from './helpers/installed.mjs';
import { captureErrors, errorsNaming } from './helpers/log.mjs';
import { start } from './helpers/program.mjs';
import { originOf, serve } from './helpers/server.mjs';
import { counted, manual, patterned } from './helpers/source.mjs';

captureErrors();

const TLS = { https: { key: KEY, cert: CERT } };
const { NGHTTP2_CANCEL, NGHTTP2_ENHANCE_YOUR_CALM, NGHTTP2_INTERNAL_ERROR, NGHTTP2_NO_ERROR } =
  constants;

function begin(client, headers, body) {
  const sent = client.request(headers);
  sent.on('error', () => {});
  if (body !== undefined) sent.end(body);
  return sent;
}

/** One request on `client`: its head, and the stream. */
async function ask(client, headers, body) {
  const sent = begin(client, headers, body);
  const [head] = await once(sent, 'response');
  return { sent, head };
}

/** One request on `client`: its head, and its content. */
async function whole(client, headers, body) {
  const sent = begin(client, headers, body);
  // Read from the start: Node's stream iterator refuses what is unread of an HTTP/2 stream that has closed.
  const content = within(textOf(sent), `the content of ${headers[':path']}`);
  const [[head], text] = await Promise.all([once(sent, 'response'), content]);
  return { head, text };
}

/** How a stream ended for its client: the code of its reset, 0 where it is whole. */
async function ending(sent) {
  sent.resume();
  if (!sent.closed) await once(sent, 'close').catch(() => {});
  return sent.rstCode;
}

for (const [name, scheme, options] of [
  ['over cleartext, by prior knowledge', 'http', {}],
  ['over TLS, by ALPN', 'https', TLS],
]) {
  test(`requests and answers ${name}`, async (t) => {
    const server = await serve(
      t,
      {
        '/users/:id': {
          get: ({ method, url, params, query, headers, raw, ip }) =>
            json({ method, url, params, query, headers, version: raw.httpVersion, ip }),
          post: ({ body }) => json(body),
        },
      },
      options,
    );
    const client = await session(t, server, scheme);
    const [one, two, other, unknown, head] = await Promise.all([
      whole(client, { ':path': '/users/%C3%A9?a=1&a=2', cookie: ['a=1', 'b=2'], 'x-y': 'z' }),
      whole(
        client,
        { ':path': '/users/1', ':method': 'POST', 'content-type': 'application/json' },
        '{"name":"Ada"}',
      ),
      whole(client, { ':path': '/users/1', ':method': 'DELETE' }),
      whole(client, { ':path': '/none' }),
      whole(client, { ':path': '/users/1', ':method': 'HEAD' }),
    ]);
    t.is(one.head[':status'], 200);
    t.deepEqual(JSON.parse(one.text), {
      method: 'GET',
      url: '/users/%C3%A9?a=1&a=2',
      params: { id: 'é' },
      query: { a: '2' },
      headers: { cookie: 'a=1; b=2', 'x-y': 'z', host: new URL(originOf(server)).host },
      version: '2.0',
      ip: '127.0.0.1',
    });
    t.deepEqual(JSON.parse(two.text), { name: 'Ada' });
    t.is(other.head[':status'], 405);
    t.regex(other.head.allow, /GET/);
    t.is(unknown.head[':status'], 404);
    t.is(head.text, '');
    t.true(Number(head.head['content-length']) > 0);
  });
}

test('a client of HTTP/1.1 is served on the same port, encrypted or not', async (t) => {
  const routes = { '/': { get: ({ raw }) => text(raw.httpVersion) } };
  const secure = await serve(t, routes, TLS);
  const sent = requestSecurely(originOf(secure, 'https'), { rejectUnauthorized: false }).end();
  const [response] = await once(sent, 'response');
  t.is(await textOf(response), '1.1');
  const plain = await serve(t, routes);
  // It begins as the preface of HTTP/2 does, byte by byte.
  const client = await connect(t, plain);
  for (const byte of 'PRI') client.send(byte);
  client.send('OR / HTTP/1.1\r\nHost: test\r\n\r\n');
  t.is((await client.response()).status, 405);
  client.send('GET / HTTP/1.1\r\nHost: test\r\n\r\n');
  t.is((await client.response()).text, '1.1');
});

test('what is of a connection is not sent (RFC 9113, 8.2.2)', async (t) => {
  const headers = {
    Connection: 'keep-alive',
    'Keep-Alive': 'timeout=5',
    'Cache-Control': 'no-cache',
  };
  const source = manual();
  const server = await serve(t, {
    '/': { get: () => stream(source, 'text/event-stream', headers) },
  });
  const client = await session(t, server);
  const { head } = await ask(client, { ':path': '/' });
  t.is(head['cache-control'], 'no-cache');
  t.is(head.connection, undefined);
  t.is(head['keep-alive'], undefined);
  t.is(head['transfer-encoding'], undefined);
});

test('many streams at once, events one by one', async (t) => {
  const sources = Array.from({ length: 100 }, () => manual());
  const server = await serve(t, {
    '/:index': { get: ({ params }) => stream(sources[params.index], 'text/event-stream') },
  });
  const client = await session(t, server);
  const streams = await Promise.all(
    sources.map(async (_, index) => (await ask(client, { ':path': `/${index}` })).sent),
  );
  for (const event of ['one', 'two']) {
    const heard = streams.map((sent) => once(sent, 'data'));
    for (const [index, source] of sources.entries()) source.push(`data: ${event} ${index}\n\n`);
    const chunks = await Promise.all(heard);
    t.deepEqual(
      chunks.map(([chunk]) => String(chunk)),
      sources.map((_, index) => `data: ${event} ${index}\n\n`),
    );
  }
});

test('a large download is whole, over TLS and with Content-Length', async (t) => {
  const length = 24 * 2 ** 20;
  const server = await serve(
    t,
    {
      '/chunks': { get: () => stream(counted(length, 50_000)) },
      '/declared': { get: () => stream(counted(length), 'a/b', { 'Content-Length': length }) },
    },
    TLS,
  );
  const client = await session(t, server, 'https');
  const hash = (bytes) => createHash('sha256').update(bytes).digest('hex');
  for (const path of ['/chunks', '/declared']) {
    const { sent } = await ask(client, { ':path': path });
    t.is(hash(await buffer(sent)), hash(patterned(0, length)));
  }
});

test('a stream that is reset destroys its source and aborts its signal; the others go on', async (t) => {
  const sources = { '/left': manual(), '/kept': manual() };
  const signals = {};
  const get = ({ url, signal }) => {
    signals[url] = signal;
    return stream(sources[url]);
  };
  const server = await serve(t, { '/left': { get }, '/kept': { get } });
  const client = await session(t, server);
  const left = await ask(client, { ':path': '/left' });
  const kept = await ask(client, { ':path': '/kept' });
  left.sent.close(NGHTTP2_CANCEL);
  await noticed(Promise.all([closed(sources['/left']), aborted(signals['/left'])]));
  t.false(signals['/kept'].aborted);
  sources['/kept'].push('still here');
  const [chunk] = await once(kept.sent, 'data');
  t.is(String(chunk), 'still here');
  client.destroy();
  await noticed(Promise.all([closed(sources['/kept']), aborted(signals['/kept'])]));
  t.deepEqual(errorsNaming('/left'), []);
});

test('a handler that is pending learns of the reset by its signal', async (t) => {
  const entered = deferred();
  const get = ({ signal }) => {
    entered.resolve(signal);
    return new Promise(() => {});
  };
  const server = await serve(t, { '/': { get } });
  const client = await session(t, server);
  const sent = client.request({ ':path': '/' });
  sent.on('error', () => {});
  const signal = await entered.promise;
  sent.close(NGHTTP2_CANCEL);
  await noticed(aborted(signal));
  t.pass();
});

test('a stalled stream stops its source, and no other stream', async (t) => {
  const endless = counted(Number.POSITIVE_INFINITY);
  const length = 2 ** 20;
  const server = await serve(t, {
    '/stalled': { get: () => stream(endless) },
    '/other': { get: () => stream(counted(length)) },
  });
  const client = await session(t, server);
  // Nobody reads it: its window fills.
  const { sent } = await ask(client, { ':path': '/stalled' });
  const other = async () => (await whole(client, { ':path': '/other' })).text.length;
  const made = await within(
    levelled(() => endless.produced, other),
    'the source rests',
  );
  t.true(made < 2 ** 20, `${made} bytes made`);
  sent.close(NGHTTP2_CANCEL);
  await noticed(closed(endless));
});

for (const [name, headers, fail] of [
  ['fails', {}, (source) => source.destroy(new Error('broken'))],
  ['is destroyed', {}, (source) => source.destroy()],
  ['is too short', { 'Content-Length': 10 }, (source) => source.push(null)],
  ['is too long', { 'Content-Length': 5 }, (source) => source.push('more than that')],
]) {
  test(`a source that ${name} midway is a reset, never an end, and the connection lives`, async (t) => {
    const path = `/${name.replaceAll(' ', '-')}`;
    const source = manual();
    const server = await serve(t, {
      [path]: { get: () => stream(source, 'a/b', headers) },
      '/': { get: () => text('alive') },
    });
    const client = await session(t, server);
    source.push('some');
    const { sent } = await ask(client, { ':path': path });
    await once(sent, 'data');
    fail(source);
    t.is(await ending(sent), NGHTTP2_INTERNAL_ERROR);
    t.is((await whole(client, { ':path': '/' })).text, 'alive');
    t.is(errorsNaming(`GET ${path} `).length, 1);
  });
}

for (const [name, code] of [
  ['CANCEL', NGHTTP2_CANCEL],
  ['NO_ERROR', NGHTTP2_NO_ERROR],
])
  test(`a request that is reset with ${name} amid its body never comes to its handler`, async (t) => {
    const bodies = [];
    const server = await serve(t, {
      '/': {
        post: ({ body }) => {
          bodies.push(body);
          return text(body);
        },
      },
    });
    const client = await connect(t, server);
    client.send(PREFACE, SETTINGS);
    for (let id = 1; id < 100; id += 2) {
      const { begin, reset } = resetPost(id, 'only a part', code);
      client.send(begin);
      // With the rest, or on its own.
      if (id % 4 === 1) await turn();
      client.send(reset);
    }
    const headers = { ':method': 'POST', ':path': '/' };
    t.is((await whole(await session(t, server), headers, 'whole')).text, 'whole');
    t.deepEqual(bodies, ['whole']);
  });

test('a body over the limit is 413, one that stops is 408, and the connection lives', async (t) => {
  const server = await serve(
    t,
    { '/': { post: ({ body }) => text(body) } },
    { bodyLimit: 10, requestTimeout: 100 },
  );
  const client = await session(t, server);
  const post = { ':path': '/', ':method': 'POST' };
  t.is((await whole(client, post, 'far more than that')).head[':status'], 413);
  const slow = await ask(client, post);
  t.is(slow.head[':status'], 408);
  t.is((await whole(client, post, 'less')).text, 'less');
});

test('close: GOAWAY, what is in flight is answered, the rest ends at the deadline', async (t) => {
  const gate = deferred();
  const source = manual();
  const server = await serve(t, {
    '/slow': { get: () => gate.promise },
    '/events': { get: () => stream(source, 'text/event-stream') },
  });
  const client = await session(t, server);
  const slow = whole(client, { ':path': '/slow' });
  const events = await ask(client, { ':path': '/events' });
  const goaway = once(client, 'goaway');
  server.close({ deadline: 2_000 });
  await goaway;
  gate.resolve(text('at last'));
  t.is((await slow).text, 'at last');
  await once(server, 'close');
  await closed(source);
  t.not(await ending(events.sent), 0);
});

const CANCEL = Buffer.from([0, 0, 0, NGHTTP2_CANCEL]);

for (const [name, each] of [
  ['requests that are reset at once', (id) => [frame(1, 5, id, GET), frame(3, 0, id, CANCEL)]],
  ['settings', () => [SETTINGS]],
  ['pings', () => [frame(6, 0, 0, Buffer.alloc(8))]],
]) {
  test(`a flood of ${name} costs nobody else anything`, async (t) => {
    const server = await serve(t, { '/': { get: () => text('hello') } });
    const flood = await connect(t, server);
    // It reads nothing of what it is answered.
    flood.stall();
    flood.send(PREFACE, SETTINGS);
    const frames = [];
    for (let id = 1; id < 20_000; id += 2) frames.push(...each(id));
    flood.send(Buffer.concat(frames));
    const other = await session(t, server);
    t.is((await whole(other, { ':path': '/' })).text, 'hello');
    flood.destroy();
    t.is((await whole(other, { ':path': '/' })).text, 'hello');
  });
}

test('a client that resets its requests as it makes them is sent away', async (t) => {
  const server = await serve(t, { '/': { get: () => text('hello') } });
  const flood = await connect(t, server);
  flood.send(PREFACE, SETTINGS);
  const frames = [];
  for (let id = 1; id < 2_000; id += 2) frames.push(frame(1, 5, id, GET), frame(3, 0, id, CANCEL));
  flood.send(Buffer.concat(frames));
  await flood.ended();
  // The last frame is GOAWAY, with the reason.
  const { bytes } = flood;
  const goaway = bytes.lastIndexOf(frame(7, 0, 0).subarray(3, 9)) - 3;
  t.is(bytes.readUInt32BE(goaway + 13), NGHTTP2_ENHANCE_YOUR_CALM);
});

const LOAD = 'nghttp takes a stream by its own count, and h2load ten thousand answers';
const run = installed('nghttp') && installed('h2load') ? test : undefined;
if (!run) missing(test, LOAD, 'nghttp or h2load', 'apt-get install nghttp2-client');
run?.(LOAD, async (t) => {
  const server = await serve(t, {
    '/': { get: () => json({ hello: 'world' }) },
    '/stream': { get: () => stream(counted(3 * 2 ** 20)) },
  });
  const origin = originOf(server);
  const nghttp = start(t, 'nghttp', ['-ns', `${origin}/stream`]);
  t.is((await nghttp.exit()).code, 0, nghttp.stderr);
  t.regex(nghttp.stdout, / 200 +3M \/stream/);
  const load = start(t, 'h2load', ['-n', '10000', '-c', '10', '-m', '20', origin]);
  t.is((await load.exit()).code, 0, load.stderr);
  t.regex(load.stdout, /10000 done, 10000 succeeded, 0 failed, 0 errored, 0 timeout/);
  t.regex(load.stdout, /status codes: 10000 2xx/);
});

test('garbage after the preface ends the connection, and the server lives', async (t) => {
  const server = await serve(t, { '/': { get: () => text('hello') } });
  const client = await connect(t, server);
  client.send(PREFACE, 'x'.repeat(100));
  await client.ended();
  const other = await session(t, server);
  t.is((await whole(other, { ':path': '/' })).text, 'hello');
});
