import { createHash } from 'node:crypto';
import test from 'ava';
import { json, status, text } from 'wapix';
import { connect, request, requestBytes } from './helpers/client.mjs';
import { until } from './helpers/events.mjs';
import { serve } from './helpers/server.mjs';

const MEBIBYTE = 1 << 20;
const hash = (bytes) => createHash('sha256').update(bytes).digest('hex');

function serveLengths(t, options) {
  let calls = 0;
  const post = ({ rawBody }) => {
    calls += 1;
    return json({ length: rawBody.length, hash: hash(rawBody) });
  };
  return serve(t, { '/': { post, get: () => json({ calls }) } }, options);
}

function chunked(...chunks) {
  const parts = chunks.flatMap((chunk) => [
    `${chunk.length.toString(16)}\r\n`,
    Buffer.from(chunk),
    '\r\n',
  ]);
  return [...parts, '0\r\n\r\n'];
}

const CHUNKED = { 'transfer-encoding': 'chunked' };

test('a body of exactly the limit is accepted, with Content-Length and in chunks', async (t) => {
  const server = await serveLengths(t);
  const body = Buffer.alloc(MEBIBYTE, 'a');
  const expected = { length: MEBIBYTE, hash: hash(body) };
  t.deepEqual((await request(t, server, 'POST /', {}, body)).json, expected);
  const client = await connect(t, server);
  const halves = [body.subarray(0, MEBIBYTE / 2), body.subarray(MEBIBYTE / 2)];
  client.send(requestBytes('POST /', CHUNKED), ...chunked(...halves));
  t.deepEqual((await client.response()).json, expected);
});

test('a larger Content-Length is 413 before the body, and the connection closes', async (t) => {
  const server = await serveLengths(t);
  const client = await connect(t, server);
  client.send(requestBytes('POST /', { 'content-length': MEBIBYTE + 1 }));
  const response = await client.response();
  t.is(response.status, 413);
  t.is(response.field('connection'), 'close');
  t.is(response.json.error, 'Payload Too Large');
  t.regex(response.json.message, /1048576/);
  t.is(await client.ended(), 'end');
  t.deepEqual((await request(t, server, 'GET /')).json, { calls: 0 });
});

test('chunks beyond the limit are 413, and the connection closes', async (t) => {
  const server = await serveLengths(t);
  const client = await connect(t, server);
  client.send(requestBytes('POST /', CHUNKED), ...chunked(Buffer.alloc(MEBIBYTE), 'a'));
  const response = await client.response();
  t.is(response.status, 413);
  t.is(response.field('connection'), 'close');
  t.is(await client.ended(), 'end');
  t.deepEqual((await request(t, server, 'GET /')).json, { calls: 0 });
});

for (const [what, line, status] of [
  ['413', 'POST /', 413],
  ['404', 'POST /nowhere', 404],
  ['405', 'PUT /', 405],
]) {
  test(`${what} reaches a client that goes on sending, without a reset`, async (t) => {
    const server = await serveLengths(t);
    const client = await connect(t, server);
    const body = Buffer.alloc(8 * MEBIBYTE);
    client.send(requestBytes(line, {}, body));
    const response = await client.response();
    t.is(response.status, status);
    t.is(response.field('connection'), 'close');
    t.is(await client.ended(), 'end');
  });
}

test('a limit of its own', async (t) => {
  const server = await serveLengths(t, { bodyLimit: 10 });
  t.is((await request(t, server, 'POST /', {}, 'a'.repeat(10))).status, 200);
  t.is((await request(t, server, 'POST /', {}, 'a'.repeat(11))).status, 413);
});

test('a limit of zero refuses any body, and no body is accepted', async (t) => {
  const server = await serveLengths(t, { bodyLimit: 0 });
  t.is((await request(t, server, 'POST /', {}, 'a')).status, 413);
  t.is((await request(t, server, 'POST /', { 'content-length': 0 })).status, 200);
});

test('no limit', async (t) => {
  const server = await serveLengths(t, { bodyLimit: Number.POSITIVE_INFINITY });
  const body = Buffer.alloc(3 * MEBIBYTE, 'b');
  t.deepEqual((await request(t, server, 'POST /', {}, body)).json, {
    length: body.length,
    hash: hash(body),
  });
});

test('bodies of every size and framing arrive whole', async (t) => {
  const server = await serveLengths(t);
  const client = await connect(t, server);
  for (const size of [1, 2, 255, 4096, 16_383, 16_384, 16_385, 65_535, 65_536, 300_000]) {
    const body = Buffer.from(Array.from({ length: size }, (_, index) => (index * 31) & 0xff));
    const expected = { length: size, hash: hash(body) };
    client.send(requestBytes('POST /', {}, body));
    t.deepEqual((await client.response()).json, expected);
    const pieces = Array.from({ length: 7 }, (_, index) =>
      body.subarray(Math.floor((index * size) / 7), Math.floor(((index + 1) * size) / 7)),
    );
    client.send(
      requestBytes('POST /', CHUNKED),
      ...chunked(...pieces.filter((each) => each.length)),
    );
    t.deepEqual((await client.response()).json, expected);
  }
});

test('many bodies at once arrive whole', async (t) => {
  const server = await serveLengths(t);
  const clients = await Promise.all(Array.from({ length: 60 }, () => connect(t, server)));
  const bodies = clients.map((_, index) => Buffer.alloc(1 + index * 500, index));
  for (const [index, client] of clients.entries()) {
    client.send(requestBytes('POST /', {}, bodies[index]));
  }
  for (const [index, client] of clients.entries()) {
    const body = bodies[index];
    t.deepEqual((await client.response()).json, { length: body.length, hash: hash(body) });
  }
});

test('chunk extensions and trailers are passed over', async (t) => {
  const server = await serve(t, { '/': { post: ({ body }) => text(body) } });
  const client = await connect(t, server);
  const chunks = '3;name="value"\r\nabc\r\n3 ; x\r\ndef\r\n0\r\nX-Trailer: t\r\n\r\n';
  client.send(requestBytes('POST /', CHUNKED), chunks);
  t.is((await client.response()).text, 'abcdef');
});

test('a character may be cut by chunks', async (t) => {
  const server = await serve(t, { '/': { post: ({ body }) => json(body) } });
  const client = await connect(t, server);
  const [head, tail] = [
    Buffer.from('{"a":"🦀"}').subarray(0, 8),
    Buffer.from('{"a":"🦀"}').subarray(8),
  ];
  const headers = { ...CHUNKED, 'content-type': 'application/json' };
  client.send(requestBytes('POST /', headers), ...chunked(head, tail));
  t.deepEqual((await client.response()).json, { a: '🦀' });
});

test('pipelined bodies do not run into each other', async (t) => {
  const server = await serve(t, { '/': { post: ({ body }) => text(body ?? 'none') } });
  const client = await connect(t, server);
  client.send(
    Buffer.concat([
      requestBytes('POST /', {}, 'first'),
      requestBytes('POST /', { 'content-length': 0 }),
      requestBytes('POST /', CHUNKED),
      Buffer.from('6\r\nsecond\r\n0\r\n\r\n'),
      requestBytes('POST /', {}, 'third'),
    ]),
  );
  const texts = [];
  for (let round = 0; round < 4; round += 1) texts.push((await client.response()).text);
  t.deepEqual(texts, ['first', 'none', 'second', 'third']);
});

test('Expect: 100-continue is answered before the body is sent', async (t) => {
  const server = await serveLengths(t);
  const client = await connect(t, server);
  client.send(requestBytes('POST /', { expect: '100-continue', 'content-length': 3 }));
  t.is((await client.head()).status, 100);
  client.send('abc');
  t.is((await client.response()).json.length, 3);
});

test('Expect: 100-continue of a body too large is 413 at once', async (t) => {
  const server = await serveLengths(t);
  const client = await connect(t, server);
  client.send(requestBytes('POST /', { expect: '100-continue', 'content-length': 2 * MEBIBYTE }));
  t.is((await client.head()).status, 413);
});

for (const [how, leave] of [
  ['FIN', (client) => client.end()],
  ['RST', (client) => client.reset()],
]) {
  test(`a body cut off by ${how} never reaches the handler`, async (t) => {
    const server = await serveLengths(t);
    for (const headers of [{ 'content-length': 10 }, CHUNKED]) {
      const client = await connect(t, server);
      client.send(
        requestBytes('POST /', headers),
        headers === CHUNKED ? '5\r\nabcde\r\n' : 'abcde',
      );
      leave(client);
    }
    for (let round = 0; round < 20; round += 1) {
      t.deepEqual((await request(t, server, 'GET /')).json, { calls: 0 });
    }
  });
}

const ADDED = { Date: 'Thu, 01 Jan 1970 00:00:00 GMT', 'Content-Length': '2' };

for (const given of [['Date'], ['Content-Length'], Object.keys(ADDED)]) {
  test(`${given.join(' and ')} of a handler stands in place of the server's`, async (t) => {
    const own = Object.fromEntries(given.map((name) => [name, ADDED[name]]));
    const server = await serve(t, { '/': { get: () => text('ab', own) } });
    for (const method of ['GET', 'HEAD']) {
      const client = await connect(t, server);
      client.send(requestBytes(`${method} /`));
      const { fields } = await client.response(method);
      const of = (name) => fields.filter(([key]) => key === name).map(([, value]) => value);
      t.is(of('date').length, 1);
      t.deepEqual(of('content-length'), ['2']);
      if (given.includes('Date')) t.deepEqual(of('date'), [ADDED.Date]);
    }
  });
}

test('HEAD of an answer without content says nothing of a length', async (t) => {
  const server = await serve(t, { '/': { head: () => status(200) } });
  t.is((await request(t, server, 'HEAD /')).field('content-length'), undefined);
});

test('a date is that of its response, however long its connection lasts', async (t) => {
  const server = await serve(t, { '/': { get: () => text('ab') } });
  const client = await connect(t, server);
  const dateOf = async () => {
    client.send(requestBytes('GET /'));
    return Date.parse((await client.response()).field('date'));
  };
  const first = await dateOf();
  await until(() => Date.now() >= first + 1_000, 'the next second');
  t.true((await dateOf()) > first);
});

for (const [what, bytes, status] of [
  ['no request', 'GET / HTTP/1.1\r\nHost: test\r\nnocolon\r\n\r\n', 400],
  [
    'a request for nothing there',
    requestBytes('POST /none', { 'content-length': 20 * MEBIBYTE }),
    404,
  ],
  ['a request that is too large', requestBytes('POST /', { 'content-length': 20 * MEBIBYTE }), 413],
]) {
  test(`who goes on to send after ${what} gets the answer all the same`, async (t) => {
    const server = await serve(t, { '/': { post: () => text('never') } });
    const client = await connect(t, server);
    client.send(bytes);
    for (let count = 0; count < 8; count += 1) client.send(Buffer.alloc(MEBIBYTE));
    const response = await client.response();
    t.is(response.status, status);
    t.is(response.field('connection'), 'close');
    t.is(await client.ended(), 'end');
  });
}

test('HTTP/1.0: a connection that is closed is not said to go on, though its client asks for that', async (t) => {
  const server = await serve(
    t,
    { '/': { get: () => text('bye', { Connection: 'close' }), post: () => text('never') } },
    { bodyLimit: 10 },
  );
  const asked = 'HTTP/1.0\r\nConnection: keep-alive\r\n';
  for (const [request, status] of [
    [`GET / ${asked}\r\n`, 200],
    [`GET / ${asked}Host: a b\r\n\r\n`, 400],
    [`POST / ${asked}Content-Length: 20\r\n\r\nsome`, 413],
  ]) {
    const client = await connect(t, server);
    client.send(request);
    const response = await client.response();
    t.deepEqual([response.status, response.field('connection')], [status, 'close']);
    t.is(await client.ended(), 'end');
  }
});

for (const asked of ['close', 'Close', 'keep-alive, close']) {
  test(`a client that asks with Connection: ${asked} has the connection closed`, async (t) => {
    const server = await serve(t, { '/': { get: () => text('bye') } });
    const client = await connect(t, server);
    client.send(requestBytes('GET /', { connection: asked }));
    t.is((await client.response()).text, 'bye');
    t.is(await client.ended(), 'end');
  });
}
