// Bodies that a handler has as they come, and that do not come to their end, or whose client does not.

import { text as readText } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import test from 'ava';
import { json, stream, text } from 'wapix';
import { CHUNKED, chunk, servePost } from './helpers/body.mjs';
import { connect, request, requestBytes } from './helpers/client.mjs';
import { within } from './helpers/deadline.mjs';
import { aborted, closed, deferred, once } from './helpers/events.mjs';
import { PREFACE, resetPost, SETTINGS } from './helpers/http2.mjs';
import { captureErrors, errorsNaming } from './helpers/log.mjs';

captureErrors();

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
