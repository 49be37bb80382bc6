import test from 'ava';
import { text } from 'wapix';
import { connect, request } from './helpers/client.mjs';
import { serve } from './helpers/server.mjs';

const TE = 'Transfer-Encoding: chunked\r\n';
const POST = 'POST / HTTP/1.1\r\nHost: test\r\n';
const SMUGGLED = 'GET /smuggled HTTP/1.1\r\nHost: test\r\n\r\n';

/** A server that knows whether a request was made of what was a body. */
async function serveSmuggled(t) {
  const seen = [];
  const tell =
    (name) =>
    ({ rawBody }) => {
      seen.push(name);
      return text(`${name} ${rawBody.length}`);
    };
  const server = await serve(t, {
    '/': { get: tell('get'), post: tell('post') },
    '/smuggled': { get: tell('smuggled') },
  });
  return { server, seen };
}

/** Bytes that are 400, and close the connection: what follows them can no longer be told apart. */
const MALFORMED = [
  ['no HTTP at all', 'GARBAGE\r\n\r\n'],
  ['no version', 'GET /\r\n\r\n'],
  ['an unknown version', 'GET / HTTP/9.1\r\nHost: test\r\n\r\n'],
  ['no target', 'GET HTTP/1.1\r\nHost: test\r\n\r\n'],
  ['a space in the target', 'GET /a b HTTP/1.1\r\nHost: test\r\n\r\n'],
  ['NUL in the target', 'GET /\0 HTTP/1.1\r\nHost: test\r\n\r\n'],
  ['a method that is no token', 'G(T / HTTP/1.1\r\nHost: test\r\n\r\n'],
  ['a header name with a space', 'GET / HTTP/1.1\r\nHost: test\r\nX A: 1\r\n\r\n'],
  ['a space before the colon', `${POST}Content-Length : 5\r\n\r\nabcde`],
  ['no colon', 'GET / HTTP/1.1\r\nHost: test\r\nnocolon\r\n\r\n'],
  ['a folded header', 'GET / HTTP/1.1\r\nHost: test\r\nX-A: 1\r\n 2\r\n\r\n'],
  ['NUL in a value', 'GET / HTTP/1.1\r\nHost: test\r\nX-A: \0\r\n\r\n'],
  ['CR in a value', 'GET / HTTP/1.1\r\nHost: test\r\nX-A: a\rb\r\n\r\n'],
  ['two lengths that differ', `${POST}Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef`],
  ['two lengths in one', `${POST}Content-Length: 5, 6\r\n\r\nabcdef`],
  ['a length that is none', `${POST}Content-Length: five\r\n\r\nabcde`],
  ['a negative length', `${POST}Content-Length: -5\r\n\r\nabcde`],
  ['a length with a sign', `${POST}Content-Length: +5\r\n\r\nabcde`],
  ['a length in hexadecimal', `${POST}Content-Length: 0x5\r\n\r\nabcde`],
  ['a length beyond 64 bits', `${POST}Content-Length: 99999999999999999999\r\n\r\nabcde`],
  ['an empty length', `${POST}Content-Length:\r\n\r\nabcde`],
  ['a coding that is not last', `${POST}Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n`],
  ['an unknown coding', `${POST}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n`],
  ['a quoted coding', `${POST}Transfer-Encoding: "chunked"\r\n\r\n0\r\n\r\n`],
  ['a coding with a control character', `${POST}Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n`],
  ['chunks over HTTP/1.0', `POST / HTTP/1.0\r\n${TE}\r\n0\r\n\r\n`],
  ['a chunk size that is none', `${POST}${TE}\r\nxyz\r\nabc\r\n0\r\n\r\n`],
  ['a negative chunk size', `${POST}${TE}\r\n-3\r\nabc\r\n0\r\n\r\n`],
  ['a chunk size with 0x', `${POST}${TE}\r\n0x3\r\nabc\r\n0\r\n\r\n`],
  ['a chunk size beyond 64 bits', `${POST}${TE}\r\n10000000000000003\r\nabc\r\n0\r\n\r\n`],
  ['an empty chunk size', `${POST}${TE}\r\n\r\nabc\r\n0\r\n\r\n`],
  ['a chunk longer than its size', `${POST}${TE}\r\n3\r\nabcd\r\n0\r\n\r\n`],
  ['bare LF after a chunk size', `${POST}${TE}\r\n3\nabc\r\n0\r\n\r\n`],
  ['bare LF after a chunk', `${POST}${TE}\r\n3\r\nabc\n0\r\n\r\n`],
  ['bare LF in an extension', `${POST}${TE}\r\n3;a\nabc\r\n0\r\n\r\n`],
];

for (const [name, bytes] of MALFORMED) {
  test(`malformed: ${name}: 400, then closed, nothing more`, async (t) => {
    const { server, seen } = await serveSmuggled(t);
    const client = await connect(t, server);
    client.send(bytes, SMUGGLED);
    const response = await client.response();
    t.is(response.status, 400, response.text);
    t.is(response.field('connection'), 'close');
    t.is(await client.ended(), 'end');
    t.is(client.bytes.length, 0, 'one answer');
    t.deepEqual(seen, []);
    t.is((await request(t, server, 'GET /')).status, 200);
  });
}

/** Framing of which RFC 9112 lets a server refuse it, or take the stricter reading and close. */
const AMBIGUOUS = [
  ['Content-Length with Transfer-Encoding', `${POST}Content-Length: 100\r\n${TE}\r\n0\r\n\r\n`],
  ['Transfer-Encoding with Content-Length', `${POST}${TE}Content-Length: 3\r\n\r\n0\r\n\r\n`],
];

for (const [name, bytes] of AMBIGUOUS) {
  test(`ambiguous: ${name}: refused, or read by its chunks and closed`, async (t) => {
    const { server, seen } = await serveSmuggled(t);
    const client = await connect(t, server);
    client.send(bytes, SMUGGLED);
    const response = await client.response();
    t.true([200, 400, 501].includes(response.status), String(response.status));
    if (response.status === 200) t.is(response.text, 'post 0');
    t.is(await client.ended(), 'end');
    t.false(seen.includes('smuggled'), 'no second request of what may be a body');
  });
}

for (const [name, fields] of [
  ['chunked in two fields', TE + TE],
  ['chunked twice', 'Transfer-Encoding: chunked, chunked\r\n'],
  ['identity, chunked', 'Transfer-Encoding: identity, chunked\r\n'],
  ['gzip, chunked', 'Transfer-Encoding: gzip, chunked\r\n'],
]) {
  test(`refused: ${name}: a transfer coding but chunked is 400 or 501, then closed`, async (t) => {
    const { server, seen } = await serveSmuggled(t);
    const client = await connect(t, server);
    client.send(`${POST}${fields}\r\n0\r\n\r\n`, SMUGGLED);
    const { status } = await client.response();
    t.true(status === 400 || status === 501, String(status));
    t.is(await client.ended(), 'end');
    t.deepEqual(seen, []);
  });
}

for (const [name, fields] of [
  ['no Host', ''],
  ['two Hosts', 'Host: a\r\nHost: b\r\n'],
]) {
  test(`${name} is 400`, async (t) => {
    const { server, seen } = await serveSmuggled(t);
    const client = await connect(t, server);
    client.send(`GET / HTTP/1.1\r\n${fields}\r\n`);
    t.is((await client.response()).status, 400);
    t.deepEqual(seen, []);
  });
}

test('HTTP/1.0 needs no Host', async (t) => {
  const { server } = await serveSmuggled(t);
  const client = await connect(t, server);
  client.send('GET / HTTP/1.0\r\n\r\n');
  t.is((await client.response()).text, 'get 0');
});

test('the same length twice is that length', async (t) => {
  const { server } = await serveSmuggled(t);
  const client = await connect(t, server);
  client.send(`${POST}Content-Length: 5\r\nContent-Length: 5\r\n\r\nabcde`);
  const { status, text } = await client.response();
  t.true(status === 400 || text === 'post 5');
});

test('a body that looks like a request is a body', async (t) => {
  const { server, seen } = await serveSmuggled(t);
  const client = await connect(t, server);
  client.send(`${POST}Content-Length: ${SMUGGLED.length}\r\n\r\n${SMUGGLED}`);
  t.is((await client.response()).text, `post ${SMUGGLED.length}`);
  client.send(`${POST}${TE}\r\n${SMUGGLED.length.toString(16)}\r\n${SMUGGLED}\r\n0\r\n\r\n`);
  t.is((await client.response()).text, `post ${SMUGGLED.length}`);
  t.deepEqual(seen, ['post', 'post']);
});

for (const [name, bytes, statuses] of [
  [
    'a target of 70,000 bytes',
    `GET /${'a'.repeat(70_000)} HTTP/1.1\r\nHost: a\r\n\r\n`,
    [414, 431],
  ],
  [
    'a field of 300,000 bytes',
    `GET / HTTP/1.1\r\nHost: a\r\nX-A: ${'a'.repeat(300_000)}\r\n\r\n`,
    [431],
  ],
  ['101 fields', `GET / HTTP/1.1\r\nHost: a\r\n${'X-A: 1\r\n'.repeat(100)}\r\n`, [431]],
]) {
  test(`${name}: ${statuses.join(' or ')}, then closed`, async (t) => {
    const { server, seen } = await serveSmuggled(t);
    const client = await connect(t, server);
    client.send(bytes);
    const response = await client.response();
    t.true(statuses.includes(response.status), String(response.status));
    t.is(await client.ended(), 'end');
    t.deepEqual(seen, []);
  });
}

test('a target that is no path is 400', async (t) => {
  const { server } = await serveSmuggled(t);
  for (const line of ['CONNECT test:443', 'GET *', 'CONNECT /']) {
    const client = await connect(t, server);
    client.send(`${line} HTTP/1.1\r\nHost: test\r\n\r\n`);
    const { status } = await client.response();
    t.true(status === 400 || status === 405, `${line}: ${status}`);
  }
});

test('empty lines before a request are passed over', async (t) => {
  const { server } = await serveSmuggled(t);
  const client = await connect(t, server);
  client.send('\r\n\r\nGET / HTTP/1.1\r\nHost: test\r\n\r\n');
  t.is((await client.response()).text, 'get 0');
});

test('a request that comes byte by byte is a request', async (t) => {
  const { server } = await serveSmuggled(t);
  const client = await connect(t, server);
  client.socket.setNoDelay(true);
  for (const byte of `${POST}${TE}\r\n3\r\nabc\r\n0\r\n\r\n`) {
    await new Promise((resolve) => client.socket.write(byte, resolve));
  }
  t.is((await client.response()).text, 'post 3');
});
