// Bodies that a handler has as they come.

import { createHash } from 'node:crypto';
import { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { text as readText } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { createGzip, gunzipSync } from 'node:zlib';
import test from 'ava';
import { json, stream, text } from 'wapix';
import { connect, request, requestBytes } from './helpers/client.mjs';
import { within } from './helpers/deadline.mjs';
import { aborted, closed, deferred, levelled, once } from './helpers/events.mjs';
import { PREFACE, resetPost, SETTINGS, session } from './helpers/http2.mjs';
import { captureErrors, errorsNaming } from './helpers/log.mjs';
import { serve } from './helpers/server.mjs';
import { patterned } from './helpers/source.mjs';

captureErrors();

const MEBIBYTE = 1024 * 1024;

/** Serves one handler of `POST /`, or `path`, which has its body as it comes. */
function servePost(t, handler, config = {}, options = {}, path = '/') {
  const post = { handler, config: { streamBody: true, ...config } };
  return serve(t, { [path]: { post }, '/other': { get: () => text('other') } }, options);
}

const chunk = (bytes) => [`${bytes.length.toString(16)}\r\n`, bytes, '\r\n'];
const CHUNKED = { 'transfer-encoding': 'chunked' };

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

for (const [how, leave] of [
  ['FIN', (client) => client.end()],
  ['RST', (client) => client.reset()],
]) {
  test(`a client that leaves with ${how} amid its body: the body fails, and nothing is logged`, async (t) => {
    const seen = deferred();
    const server = await servePost(
      t,
      async (req) => {
        req.signal.addEventListener('abort', () => {});
        seen.resolve(req);
        for await (const bytes of req.body) t.is(bytes.toString(), 'part');
        return json({});
      },
      {},
      {},
      `/${how}`,
    );
    const client = await connect(t, server);
    client.send(requestBytes(`POST /${how}`, { 'content-length': 10 }), 'part');
    const req = await seen.promise;
    const told = once(req.body, 'aborted');
    leave(client);
    await closed(req.body);
    await told;
    t.true(req.body.aborted);
    await aborted(req.signal);
    t.is(req.body.errored?.code, 'WAPIX_BODY_INCOMPLETE');
    t.false(req.body.complete);
    t.deepEqual(errorsNaming(`POST /${how} `), []);
  });
}

test('a body that is first read when its client has left fails, and does not wait', async (t) => {
  const seen = deferred();
  const failed = deferred();
  const server = await servePost(t, async (req) => {
    const left = aborted(req.signal);
    seen.resolve();
    await left;
    await readText(req.body).catch(failed.resolve);
    return json({});
  });
  const client = await connect(t, server);
  client.send(requestBytes('POST /', { 'content-length': 10 }), 'part');
  await seen.promise;
  client.reset();
  t.is((await within(failed.promise, 'the body fails')).code, 'WAPIX_BODY_INCOMPLETE');
});

test('a body that is malformed: what its signal stops is not logged', async (t) => {
  const server = await servePost(
    t,
    async ({ body, signal }) => {
      body.resume();
      await aborted(signal);
      throw signal.reason;
    },
    {},
    {},
    '/malformed',
  );
  const client = await connect(t, server);
  client.send(requestBytes('POST /malformed', CHUNKED), 'none\r\n');
  await client.ended();
  await request(t, server, 'GET /other');
  t.deepEqual(errorsNaming('POST /malformed '), []);
});

test('a response that fails amid its body: the body is closed', async (t) => {
  const bodies = [];
  const goOn = deferred();
  const server = await servePost(
    t,
    ({ body }) => {
      bodies.push(body);
      async function* source() {
        yield 'some';
        await goOn.promise;
        throw new Error('it broke');
      }
      return stream(source());
    },
    {},
    {},
    '/failing',
  );
  const client = await connect(t, server);
  client.send(requestBytes('POST /failing', { 'content-length': 10 }), 'part');
  await client.through('some\r\n');
  goOn.resolve();
  await client.ended();
  await closed(bodies[0]);
  t.false(bodies[0].complete);
});

test('a handler that throws amid its body: the body is closed', async (t) => {
  const bodies = [];
  const handler = ({ body }) => {
    bodies.push(body.resume());
    throw new Error('on purpose');
  };
  const server = await servePost(t, handler, {}, {}, '/throws');
  const client = await connect(t, server);
  client.send(requestBytes('POST /throws', { 'content-length': 10 }), 'part');
  t.is((await client.response()).status, 500);
  await closed(bodies[0]);
  t.false(bodies[0].complete);
});

test('nobody who does not listen is ended by a client that leaves', async (t) => {
  const seen = deferred();
  const server = await servePost(t, (req) => {
    req.body.resume();
    seen.resolve(req);
    return new Promise(() => {});
  });
  const client = await connect(t, server);
  client.send(requestBytes('POST /', { 'content-length': 10 }), 'part');
  const { body, signal } = await seen.promise;
  client.reset();
  await aborted(signal);
  t.true(body.destroyed);
});

test('a body over bodyLimit is answered 413, whatever its framing', async (t) => {
  const signals = [];
  const server = await servePost(
    t,
    async ({ body, signal }) => {
      signals.push(signal);
      return json((await readText(body)).length);
    },
    { bodyLimit: 10 },
  );
  t.is((await request(t, server, 'POST /', {}, '0123456789')).json, 10);
  const announced = await request(t, server, 'POST /', {}, '01234567890');
  t.is(announced.status, 413);
  t.is(signals.length, 1);
  const client = await connect(t, server);
  client.send(requestBytes('POST /', CHUNKED), ...chunk(Buffer.from('01234567890')));
  const { status, json: got } = await client.response();
  t.is(status, 413);
  t.is(got.code, 'WAPIX_BODY_TOO_LARGE');
  t.is(await client.ended(), 'end');
  // The client has not left.
  t.deepEqual(
    signals.map(({ aborted }) => aborted),
    [false, false],
  );
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

test('a body that stalls is answered 408', async (t) => {
  const server = await servePost(
    t,
    async ({ body }) => json((await readText(body)).length),
    {},
    { requestTimeout: 100 },
  );
  const client = await connect(t, server);
  client.send(requestBytes('POST /', { 'content-length': 10 }), 'part');
  const { status, json: got } = await client.response();
  t.is(status, 408);
  t.is(got.code, 'WAPIX_BODY_TIMEOUT');
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

test('a body that was received whole survives its client', async (t) => {
  const goOn = deferred();
  const got = deferred();
  const server = await servePost(t, async (req) => {
    const reading = readText(req.body);
    await goOn.promise;
    got.resolve(await reading);
    return text('late');
  });
  const client = await connect(t, server);
  client.send(requestBytes('POST /', {}, 'all of it'));
  await request(t, server, 'GET /other');
  client.reset();
  goOn.resolve();
  t.is(await got.promise, 'all of it');
});

test('what reads a body with pipeline hears why it ended', async (t) => {
  const failed = deferred();
  const server = await servePost(t, async ({ body }) => {
    await pipeline(body, createGzip(), async (zipped) => {
      for await (const _ of zipped);
    }).catch(failed.resolve);
    return text('gone');
  });
  const client = await connect(t, server);
  client.send(requestBytes('POST /', { 'content-length': 10 }), 'part');
  await request(t, server, 'GET /other');
  client.end();
  t.is((await failed.promise).code, 'WAPIX_BODY_INCOMPLETE');
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

for (const code of [0, 8])
  test(`HTTP/2: a body whose stream is reset with ${code} fails`, async (t) => {
    const seen = deferred();
    const server = await servePost(t, async (req) => {
      seen.resolve(req);
      return text(await readText(req.body));
    });
    const client = await connect(t, server);
    const { begin, reset } = resetPost(1, 'part', code);
    client.send(PREFACE, SETTINGS, begin);
    const { body, signal } = await seen.promise;
    client.send(reset);
    await closed(body);
    await aborted(signal);
    t.is(body.errored?.code, 'WAPIX_BODY_INCOMPLETE');
  });
