// Bodies that a handler has as they come.

import { createHash } from 'node:crypto';
import { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { text as readText } from 'node:stream/consumers';
import { createGzip, gunzipSync } from 'node:zlib';
import test from 'ava';
import { json, stream, text } from 'wapix';
import { CHUNKED, chunk, servePost } from './helpers/body.mjs';
import { connect, request, requestBytes } from './helpers/client.mjs';
import { closed, deferred, levelled } from './helpers/events.mjs';
import { session } from './helpers/http2.mjs';
import { patterned } from './helpers/source.mjs';

const MEBIBYTE = 1024 * 1024;

test('the handler runs when the head has come, and reads what comes', async (t) => {
  const read = [];
  const server = await servePost(t, async (req) => {
    t.true(req.body instanceof Readable && req.body instanceof IncomingMessage);
    t.is(req.body, req.raw);
    t.is(req.rawBody.length, 0);
    for await (const bytes of req.body) {
      read.push(bytes.toString());
      first.resolve();
    }
    return json({ read, complete: req.body.complete });
  });
  const first = deferred();
  const client = await connect(t, server);
  client.send(requestBytes('POST /', CHUNKED), ...chunk(Buffer.from('one')));
  await first.promise;
  t.deepEqual(read, ['one']);
  client.send(...chunk(Buffer.from('two')), '0\r\n\r\n');
  t.deepEqual((await client.response()).json, { read: ['one', 'two'], complete: true });
  // The connection serves another request.
  client.send(requestBytes('GET /other'));
  t.is((await client.response()).text, 'other');
});

for (const [name, headers] of [
  ['of a known length', { 'content-length': 20 * MEBIBYTE }],
  ['in chunks', CHUNKED],
]) {
  test(`a large body ${name} is whole`, async (t) => {
    const server = await servePost(t, async ({ body }) => {
      const hash = createHash('sha256');
      for await (const bytes of body) hash.update(bytes);
      return text(hash.digest('hex'));
    });
    const client = await connect(t, server);
    client.send(requestBytes('POST /', headers));
    const hash = createHash('sha256');
    for (let at = 0; at < 20 * MEBIBYTE; at += MEBIBYTE) {
      const bytes = patterned(at, MEBIBYTE);
      hash.update(bytes);
      client.send(...(headers === CHUNKED ? chunk(bytes) : [bytes]));
    }
    if (headers === CHUNKED) client.send('0\r\n\r\n');
    t.is((await client.response()).text, hash.digest('hex'));
  });
}

test('a client sends no more than is read', async (t) => {
  const goOn = deferred();
  const server = await servePost(t, async ({ body }) => {
    await goOn.promise;
    let length = 0;
    for await (const bytes of body) length += bytes.length;
    return json(length);
  });
  const client = await connect(t, server);
  client.send(requestBytes('POST /', { 'content-length': 64 * MEBIBYTE }));
  for (let count = 0; count < 64; count += 1) client.send(Buffer.alloc(MEBIBYTE));
  const sent = () => client.socket.bytesWritten - client.socket.writableLength;
  const taken = await levelled(sent, () => request(t, server, 'GET /other'));
  // What the sockets of both sides hold, and little more.
  t.true(taken < 24 * MEBIBYTE, `${taken} bytes`);
  goOn.resolve();
  t.is((await client.response()).json, 64 * MEBIBYTE);
});

test('without bodyLimit there is no limit', async (t) => {
  const server = await servePost(
    t,
    async ({ body }) => {
      let length = 0;
      for await (const bytes of body) length += bytes.length;
      return json(length);
    },
    {},
    { bodyLimit: 10 },
  );
  const { json: length } = await request(t, server, 'POST /', {}, Buffer.alloc(3 * MEBIBYTE));
  t.is(length, 3 * MEBIBYTE);
});

test('a client that waits for 100 is told so when the handler reads', async (t) => {
  const seen = deferred();
  const goOn = deferred();
  const server = await servePost(t, async ({ body }) => {
    seen.resolve();
    await goOn.promise;
    return text(await readText(body));
  });
  const client = await connect(t, server);
  client.send(requestBytes('POST /', { 'content-length': 4, expect: '100-continue' }));
  await seen.promise;
  t.is((await request(t, server, 'GET /other')).text, 'other');
  t.is(client.bytes.length, 0);
  goOn.resolve();
  t.regex(await client.through('\r\n\r\n'), /^HTTP\/1\.1 100 /);
  client.send('body');
  t.is((await client.response()).text, 'body');
});

for (const [what, begin] of [
  ['with content', ['begun\n']],
  ['without any', []],
]) {
  test(`a client that waits for 100 is told so before a response that begins ${what} before it reads`, async (t) => {
    const hasBegun = deferred();
    const server = await servePost(t, ({ body }) => {
      async function* answer() {
        yield* begin;
        await hasBegun.promise;
        yield* body;
      }
      return stream(answer());
    });
    const client = await connect(t, server);
    client.send(requestBytes('POST /', { 'content-length': 4, expect: '100-continue' }));
    t.is((await client.head()).status, 100);
    t.is((await client.head()).status, 200);
    hasBegun.resolve();
    client.send('body');
    await client.through('4\r\nbody\r\n0\r\n\r\n');
    client.send(requestBytes('GET /other'));
    t.is((await client.response()).text, 'other');
  });
}

for (const [what, answer] of [
  ['an answer', () => text('refused')],
  ['a stream', () => stream(Readable.from(['refused']))],
]) {
  test(`${what} that does not wait for the body arrives, and what was not read is discarded`, async (t) => {
    const bodies = [];
    const server = await servePost(t, (req) => {
      bodies.push(req.body);
      return answer();
    });
    const client = await connect(t, server);
    client.send(requestBytes('POST /', { 'content-length': 20 * MEBIBYTE }));
    for (let count = 0; count < 8; count += 1) client.send(Buffer.alloc(MEBIBYTE));
    const response = await client.response();
    t.is(response.text, 'refused');
    t.true(response.complete);
    if (what === 'an answer') t.is(response.field('connection'), 'close');
    await closed(bodies[0]);
    t.is(await client.ended(), 'end');
  });
}

test('what is not read of a body is no request, whatever came before it', async (t) => {
  const server = await servePost(t, () => stream(Readable.from(['answered']), 'text/plain'));
  const rest = requestBytes('GET /other');
  const post = requestBytes('POST /', { 'content-length': rest.length });
  for (const before of [[], [requestBytes('GET /other', { upgrade: 'a' })]]) {
    const client = await connect(t, server);
    client.send(Buffer.concat([...before, post]));
    for (const _ of before) t.is((await client.response()).text, 'other');
    t.is((await client.response()).text, 'answered');
    client.send(rest);
    await client.ended();
    t.is(client.bytes.toString(), '');
  }
});

test('a body is streamed through a handler, far more of it than anything holds', async (t) => {
  const server = await servePost(t, ({ body }) => stream(body.pipe(createGzip())));
  const client = await connect(t, server);
  client.send(requestBytes('POST /', { 'content-length': 20 * MEBIBYTE }));
  for (let at = 0; at < 20 * MEBIBYTE; at += MEBIBYTE) client.send(patterned(at, MEBIBYTE));
  const { body, complete } = await client.response();
  t.true(complete);
  t.true(gunzipSync(body).equals(patterned(0, 20 * MEBIBYTE)));
});

test('no body is one that has ended', async (t) => {
  const server = await servePost(t, async ({ body }) => json(await readText(body)));
  t.is((await request(t, server, 'POST /')).json, '');
  t.is((await request(t, server, 'POST /', {}, '')).json, '');
});

test('HTTP/2: bodies are streamed side by side, and one that is not read stops no other', async (t) => {
  const goOn = deferred();
  const server = await servePost(t, async ({ body, headers }) => {
    if (headers['x-wait']) await goOn.promise;
    const hash = createHash('sha256');
    for await (const bytes of body) hash.update(bytes);
    return text(hash.digest('hex'));
  });
  const client = await session(t, server);
  const content = patterned(0, 4 * MEBIBYTE);
  const expected = createHash('sha256').update(content).digest('hex');
  const post = (headers) => {
    const sent = client.request({ ':method': 'POST', ':path': '/', ...headers });
    sent.end(content);
    return readText(sent);
  };
  const waiting = post({ 'x-wait': 'yes' });
  t.is(await post(), expected);
  goOn.resolve();
  t.is(await waiting, expected);
});
