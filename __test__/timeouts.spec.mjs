// Clients that keep a server waiting, and how many of them there may be.

import { get } from 'node:http';
import { Readable } from 'node:stream';
import { setTimeout } from 'node:timers/promises';
import test from 'ava';
import { createServer, stream, text } from 'wapix';
import { CERT, KEY } from './helpers/certificate.mjs';
import { connect, request, requestBytes } from './helpers/client.mjs';
import { closed, deferred, levelled, once, until } from './helpers/events.mjs';
import { captureErrors } from './helpers/log.mjs';
import { originOf, serve, serveGet } from './helpers/server.mjs';
import { counted, manual } from './helpers/source.mjs';

captureErrors();

const hello = () => text('hello');

for (const [name, tls, options] of [
  ['', false, {}],
  [' over TLS', true, { https: { key: KEY, cert: CERT } }],
]) {
  test(`a head that stops is answered 408${name}`, async (t) => {
    const server = await serveGet(t, hello, { headersTimeout: 100, ...options });
    const client = await connect(t, server, { tls });
    client.send('GET / HTTP/1.1\r\nHost: t');
    const response = await client.response();
    t.is(response.status, 408);
    t.is(response.field('connection'), 'close');
    t.is(response.json.error, 'Request Timeout');
    t.is(await client.ended(), 'end');
  });
}

test('a head that comes byte by byte for ever is answered 408, also as a second request', async (t) => {
  const server = await serveGet(t, hello, { headersTimeout: 200 });
  const client = await connect(t, server);
  client.send(requestBytes('GET /'));
  t.is((await client.response()).text, 'hello');
  client.send('GET / HTTP/1.1\r\nHost: test\r\nX: ');
  const drip = setInterval(() => client.send('x'), 20);
  t.teardown(() => clearInterval(drip));
  t.is((await client.response()).status, 408);
  t.is(await client.ended(), 'end');
});

for (const [name, start] of [
  ['with Content-Length', 'Content-Length: 10\r\n\r\nhalf'],
  ['in chunks', 'Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n'],
]) {
  test(`a body that stops is answered 408: ${name}`, async (t) => {
    let called = false;
    const post = () => {
      called = true;
      return text('whole');
    };
    const server = await serve(t, { '/': { post } }, { requestTimeout: 100 });
    const client = await connect(t, server);
    client.send(`POST / HTTP/1.1\r\nHost: test\r\n${start}`);
    const response = await client.response();
    t.is(response.status, 408);
    t.is(response.field('connection'), 'close');
    t.is(await client.ended(), 'end');
    t.false(called);
  });
}

test('a connection without a request is closed without a word, new or used', async (t) => {
  const server = await serveGet(t, hello, { keepAliveTimeout: 500 });
  const unused = await connect(t, server);
  const used = await connect(t, server);
  used.send(requestBytes('GET /'));
  t.is((await used.response()).text, 'hello');
  t.is(await unused.ended(), 'end');
  t.is(await used.ended(), 'end');
  t.is(unused.bytes.length + used.bytes.length, 0);
});

test('a connection that waits for its next request waits as idle, not as in a head', async (t) => {
  const server = await serveGet(t, hello, { headersTimeout: 50, keepAliveTimeout: 500 });
  const client = await connect(t, server);
  client.send(requestBytes('GET /'));
  t.is((await client.response()).text, 'hello');
  t.is(await client.ended(), 'end');
  t.is(client.bytes.toString(), '', 'without a word: no 408');
});

for (const [how, parts] of [
  ['whole', ['GET /missing HTTP/1.1\r\nHost: test\r\n\r\n']],
  ['as HTTP/1.0', ['GET /missing HTTP/1.0\r\nConnection: keep-alive\r\n\r\n']],
  ['in parts', ['GET /missing HTTP/1.1\r\n', 'Host: test\r\n\r\n']],
]) {
  // Alone: this process has to ask in time.
  test.serial(
    `a connection whose requests the server itself answers is not idle: sent ${how}`,
    async (t) => {
      const server = await serveGet(t, hello, { keepAliveTimeout: 1000 });
      const client = await connect(t, server);
      let rounds = 0;
      const idle = (async () => {
        for (; rounds < 3; rounds += 1) await (await connect(t, server)).ended();
      })();
      while (rounds < 3) {
        for (const part of parts) client.send(part);
        t.is((await client.response()).status, 404);
      }
      await idle;
      t.is(await client.ended(), 'end', 'it is idle now');
    },
  );
}

test('a connection whose stream has ended waits for another request, and no longer than others', async (t) => {
  const answers = {
    '/chunks': { get: () => stream(Readable.from(['some', 'more'])) },
    '/declared': { get: () => stream(Readable.from(['some']), 'a/b', { 'content-length': 4 }) },
    '/events': { get: () => stream(Readable.from(['data: 1\n\n']), 'text/event-stream') },
  };
  const server = await serve(t, answers, { keepAliveTimeout: 300 });
  for (const path of Object.keys(answers)) {
    const client = await connect(t, server);
    client.send(requestBytes(`GET ${path}`));
    t.true((await client.response()).complete);
    t.is(await client.ended(), 'end', path);
  }
});

test('a head that stops is answered 408 on a connection that was idle for long, too', async (t) => {
  const server = await serveGet(t, hello, { headersTimeout: 100 });
  const clock = await serveGet(t, hello, { keepAliveTimeout: 2_500 });
  const client = await connect(t, server);
  client.send(requestBytes('GET /'));
  await client.response();
  await (await connect(t, clock)).ended();
  client.send('GET / HTTP/1.1\r\nHost: t');
  t.is((await client.response()).status, 408);
});

const BODY = 'x'.repeat(100_000);

// Alone: this process has to ask in time.
test.serial(
  'neither a slow handler nor a silent stream is idle, whether it reads its body or not',
  async (t) => {
    const gate = deferred();
    const source = manual();
    const slow = () => gate.promise;
    const server = await serve(
      t,
      {
        '/slow': { get: slow, post: slow },
        '/unread': { post: { handler: slow, config: { streamBody: true } } },
        '/silent': { get: () => stream(source) },
      },
      { keepAliveTimeout: 1000, headersTimeout: 1000, requestTimeout: 1000, writeTimeout: 1000 },
    );
    const asked = [];
    for (const [line, body] of [['GET /slow'], ['POST /slow', BODY], ['POST /unread', BODY]]) {
      asked.push((await connect(t, server)).send(requestBytes(line, {}, body)));
    }
    const silent = await connect(t, server);
    silent.send(requestBytes('GET /silent'));
    await silent.head();
    // Three that are idle, one after the other: longer than any of the limits.
    for (let count = 0; count < 3; count += 1) await (await connect(t, server)).ended();
    gate.resolve(text('at last'));
    for (const client of asked) {
      t.is((await client.response()).text, 'at last');
      t.is(await client.ended(), 'end', 'it is idle now');
    }
    source.push('at last');
    await silent.through('at last');
  },
);

test('who takes nothing of a response is cut off, its source destroyed; not of an event stream', async (t) => {
  const sources = {
    download: counted(Number.POSITIVE_INFINITY),
    events: manual(),
    'events-of-1.0': manual(),
  };
  const events = (name) => ({ get: () => stream(sources[name], 'text/event-stream') });
  const server = await serve(
    t,
    {
      '/download': { get: () => stream(sources.download) },
      '/events': events('events'),
      '/events-of-1.0': events('events-of-1.0'),
    },
    { writeTimeout: 200 },
  );
  const clients = {};
  const event = `data: ${'x'.repeat(65_000)}\n\n`;
  for (const name of ['events', 'events-of-1.0', 'download']) {
    clients[name] = await connect(t, server);
    const version = name.endsWith('1.0') ? '1.0' : '1.1';
    clients[name].send(`GET /${name} HTTP/${version}\r\nHost: test\r\n\r\n`);
    await clients[name].head();
    clients[name].stall();
    if (name === 'download') continue;
    // More than sockets hold; those have waited for longer when the last is cut off.
    for (let count = 0; count < 300; count += 1) sources[name].push(event);
    await levelled(
      () => sources[name].readableLength,
      () => request(t, server, 'GET /none'),
    );
    t.true(sources[name].readableLength > 0);
  }
  await closed(sources.download);
  clients.download.resume();
  await clients.download.ended();
  t.false(clients.download.bytes.subarray(-7).includes('\r\n0\r\n\r\n'));
  for (const name of ['events', 'events-of-1.0']) {
    t.false(sources[name].destroyed);
    clients[name].resume();
    await until(() => sources[name].readableLength === 0, 'the events are taken');
  }
});

test('a slow reader is no stalled one', async (t) => {
  const length = 32 * 2 ** 20;
  const server = await serveGet(t, () => stream(counted(length)), { writeTimeout: 1000 });
  const [response] = await once(get(originOf(server)), 'response');
  let taken = 0;
  for await (const chunk of response) {
    taken += chunk.length;
    // All in all more than the limit.
    await setTimeout(2);
  }
  t.is(taken, length);
});

test('one connection more than maxConnections is closed; when one has left there is room', async (t) => {
  const server = await serveGet(t, hello, { maxConnections: 2 });
  const clients = [await connect(t, server), await connect(t, server)];
  for (const client of clients) {
    client.send(requestBytes('GET /'));
    t.is((await client.response()).text, 'hello');
  }
  const third = await connect(t, server);
  t.regex(await third.ended(), /end|ECONNRESET/);
  clients[0].destroy();
  let answer;
  while (answer === undefined) {
    answer = await request(t, server, 'GET /').catch(() => undefined);
  }
  t.is(answer.text, 'hello');
});

for (const name of [
  'maxConnections',
  'headersTimeout',
  'requestTimeout',
  'keepAliveTimeout',
  'writeTimeout',
]) {
  test(`${name} is a number from 0 on`, async (t) => {
    for (const wrong of [-1, Number.NaN, '10', null]) {
      t.throws(() => createServer({}, { [name]: wrong }), { code: 'WAPIX_INVALID_OPTION' });
    }
    for (const right of [0, 0.5, Number.POSITIVE_INFINITY]) {
      t.notThrows(() => createServer({}, { [name]: right }));
    }
  });
}

test('limits that are as good as none', async (t) => {
  for (const limit of [0, Number.POSITIVE_INFINITY, Number.MAX_SAFE_INTEGER]) {
    const server = await serve(
      t,
      { '/': { post: ({ body }) => text(body) } },
      {
        headersTimeout: limit,
        requestTimeout: limit,
        keepAliveTimeout: limit,
        writeTimeout: limit,
      },
    );
    const client = await connect(t, server);
    client.send('POST / HTTP/1.1\r\nHost: test\r\nContent-');
    client.send('Length: 5\r\n\r\nhe').send('llo');
    t.is((await client.response('POST')).text, 'hello');
  }
});

test('an answer that no handler has made leaves the connection idle', async (t) => {
  const server = await serveGet(t, hello, { headersTimeout: 50, keepAliveTimeout: 200 });
  const client = await connect(t, server);
  client.send(requestBytes('GET /none'));
  t.is((await client.response()).status, 404);
  t.is(await client.ended(), 'end');
  t.is(client.bytes.length, 0, 'no 408 follows');
});
