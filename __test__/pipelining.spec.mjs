// Requests that a client sends before it has the answers to those before (RFC 9112, 9.3.2). Those that only
// ask are handled at the same time, and answered in order; one that changes something is handled alone.

import { once as onceOf } from 'node:events';
import { getDefaultHighWaterMark, Readable } from 'node:stream';
import test from 'ava';
import { json, noContent, stream, text } from 'wapix';
import { connect, requestBytes } from './helpers/client.mjs';
import { noticed } from './helpers/deadline.mjs';
import { deferred, levelled, until } from './helpers/events.mjs';
import { heldByKernel } from './helpers/kernel.mjs';
import { captureErrors, errorsNaming } from './helpers/log.mjs';
import { serve } from './helpers/server.mjs';

captureErrors();

const GET = (path, fields = '') => `GET ${path} HTTP/1.1\r\nHost: a\r\n${fields}\r\n`;

/** Handlers that note when they begin, and answer when they are told. */
function told() {
  const begun = [];
  const tell = new Map();
  const handler = ({ params, method }) => {
    begun.push(`${method} ${params.id}`);
    return new Promise((resolve) => {
      tell.set(params.id, (result = text(params.id)) => resolve(result));
    });
  };
  return { begun, tell, handler };
}

const texts = async (client, count) => {
  const got = [];
  for (let at = 0; at < count; at += 1) got.push((await client.response()).text);
  return got;
};

test('requests that ask are handled at the same time, and answered in their order', async (t) => {
  const { begun, tell, handler } = told();
  const server = await serve(t, { '/:id': { get: handler } });
  const client = await connect(t, server);
  client.send(GET('/1') + GET('/2') + GET('/3'));
  await until(() => begun.length === 3);
  t.deepEqual(begun, ['GET 1', 'GET 2', 'GET 3']);
  tell.get('3')();
  tell.get('2')();
  tell.get('1')();
  t.deepEqual(await texts(client, 3), ['1', '2', '3']);
  client.send(GET('/4'));
  await until(() => begun.length === 4);
  tell.get('4')();
  t.deepEqual(await texts(client, 1), ['4']);
});

test('a request that changes something waits for those before it, and those behind it wait', async (t) => {
  const { begun, tell, handler } = told();
  const server = await serve(t, { '/:id': { get: handler, post: handler } });
  const client = await connect(t, server);
  client.send(
    Buffer.concat([
      Buffer.from(GET('/1') + GET('/2')),
      requestBytes('POST /3', {}, 'body'),
      Buffer.from(GET('/4') + GET('/5')),
    ]),
  );
  await until(() => begun.length === 2);
  tell.get('1')();
  t.deepEqual(await texts(client, 1), ['1']);
  t.is(begun.length, 2);
  tell.get('2')();
  await until(() => begun.length === 3);
  t.deepEqual(await texts(client, 1), ['2']);
  t.deepEqual(begun, ['GET 1', 'GET 2', 'POST 3']);
  tell.get('3')();
  await until(() => begun.length === 5);
  tell.get('5')();
  tell.get('4')();
  t.deepEqual(await texts(client, 3), ['3', '4', '5']);
});

test('answers of every kind come in the order of their requests', async (t) => {
  const server = await serve(t, {
    '/json': { get: () => json({ a: 1 }) },
    '/none': { get: () => noContent() },
    '/large': { get: () => text('l'.repeat(300_000)) },
    '/middle': { get: () => text('m'.repeat(10_000)) },
    '/fields': { get: () => text('f', { 'X-Own': 'é', date: 'a date', 'content-length': 1 }) },
    '/closing': { get: () => text('last', { connection: 'close' }) },
    '/stream': { get: () => stream(Readable.from(['a', 'b']), 'text/plain') },
    '/fails': { get: () => Promise.reject(Object.assign(new Error('x'), { name: 'AbortError' })) },
  });
  const paths = ['/json', '/none', '/nowhere', '/large', '/middle', '/stream', '/fields', '/json'];
  const client = await connect(t, server);
  client.send(paths.map((path) => GET(path)).join('') + GET('/closing') + GET('/json'));
  const got = [];
  for (const _ of paths) {
    const { status, text } = await client.response();
    got.push([status, text.length > 100 ? `${text[0]} × ${text.length}` : text]);
  }
  t.deepEqual(got, [
    [200, '{"a":1}'],
    [204, ''],
    [404, '{"error":"Not Found"}'],
    [200, 'l × 300000'],
    [200, 'm × 10000'],
    [200, 'ab'],
    [200, 'f'],
    [200, '{"a":1}'],
  ]);
  const last = await client.response();
  t.is(last.text, 'last');
  t.is(last.field('connection'), 'close');
  await until(() => client.ending !== undefined);
  t.is(client.bytes.length, 0);
});

test('HEAD among others has no content, and its length', async (t) => {
  const server = await serve(t, {
    '/': { get: () => text('hello') },
    '/stream': { get: () => stream(Readable.from(['a']), 'text/plain') },
  });
  const client = await connect(t, server);
  const head = (path) => `HEAD ${path} HTTP/1.1\r\nHost: a\r\n\r\n`;
  client.send(GET('/') + head('/') + head('/stream') + GET('/'));
  t.is((await client.response()).text, 'hello');
  const answer = await client.response('HEAD');
  t.deepEqual([answer.text, answer.field('content-length')], ['', '5']);
  t.is((await client.response('HEAD')).text, '');
  t.is((await client.response()).text, 'hello');
});

test('requests arrive cut anywhere', async (t) => {
  const server = await serve(t, { '/:id': { get: ({ params }) => text(params.id) } });
  const all = GET('/1') + GET('/2', 'X-A: b\r\n') + GET('/3');
  for (let cut = 1; cut < all.length; cut += 1) {
    const client = await connect(t, server);
    client.send(all.slice(0, cut));
    // Sent when the server has had the first part for sure, or has answered what is whole of it.
    const whole = all.slice(0, cut).split('\r\n\r\n').length - 1;
    const before = await texts(client, whole);
    client.send(all.slice(cut));
    t.deepEqual([...before, ...(await texts(client, 3 - whole))], ['1', '2', '3'], `cut at ${cut}`);
    client.socket.destroy();
  }
});

test('what is no request is refused behind the answers to those before it', async (t) => {
  const { begun, tell, handler } = told();
  const server = await serve(t, { '/:id': { get: handler } });
  const client = await connect(t, server);
  client.send(`${GET('/1')}${GET('/2')}no request\r\n\r\n`);
  await until(() => begun.length === 2);
  tell.get('2')();
  tell.get('1')();
  t.deepEqual(await texts(client, 2), ['1', '2']);
  t.is((await client.response()).status, 400);
  await until(() => client.ending !== undefined);
});

test('a client that leaves cancels every request that it sent', async (t) => {
  const aborted = [];
  let begun = 0;
  const handler = ({ params, signal }) => {
    begun += 1;
    return onceOf(signal, 'abort').then(() => {
      aborted.push(params.id);
      return text('nobody reads it');
    });
  };
  const server = await serve(t, { '/:id': { get: handler } });
  const client = await connect(t, server);
  client.send(GET('/1') + GET('/2') + GET('/3'));
  await until(() => begun === 3);
  client.socket.destroy();
  await noticed(until(() => aborted.length === 3));
  t.deepEqual(aborted.toSorted(), ['1', '2', '3']);
});

test('a client that sends requests and reads nothing is not handed more than its share', async (t) => {
  let begun = 0;
  const page = 'p'.repeat(60_000);
  const server = await serve(t, {
    '/': {
      get: () => {
        begun += 1;
        return text(page);
      },
    },
  });
  const client = await connect(t, server);
  client.socket.pause();
  const many = 2000;
  client.send(GET('/').repeat(many));
  const other = await connect(t, server);
  let last;
  // Others are served, and it is not: its socket is full.
  do {
    last = begun;
    for (let at = 0; at < 20; at += 1) {
      other.send(GET('/'));
      await other.response();
    }
  } while (begun - last > 20);
  t.true(begun < many / 2, `${begun} were begun`);
  client.socket.resume();
  for (let at = 0; at < many; at += 1) t.is((await client.response()).text.length, page.length);
});

test('streams of which nothing is taken do not fill the memory, however many a client asks for', async (t) => {
  const produced = [];
  const chunk = Buffer.alloc(16 * 1024);
  const server = await serve(t, {
    '/': { get: () => text('other') },
    '/stream': {
      get: () => {
        const at = produced.push(0) - 1;
        const read = () => {
          produced[at] += chunk.length;
          source.push(chunk);
        };
        const source = new Readable({ read });
        return stream(source);
      },
    },
  });
  const other = await connect(t, server);
  const ask = () => other.send(GET('/')).response();
  const total = () => produced.reduce((sum, bytes) => sum + bytes, 0);
  const asked = 64;
  const stalled = async () => {
    const client = await connect(t, server);
    client.stall();
    return client.send(GET('/stream').repeat(asked));
  };
  const clients = await Promise.all(Array.from({ length: 8 }, stalled));
  await until(() => produced.length === asked * clients.length);
  await levelled(total, ask);
  // What Readables buffer themselves: 16 KiB each with Node 20, 64 since.
  const theirs = asked * clients.length * getDefaultHighWaterMark(false);
  t.true(total() - theirs < 144 * 2 ** 20, `${total()} bytes were produced`);

  // What is given up makes room for a burst again.
  for (const client of clients) client.destroy();
  await levelled(total, ask);
  await stalled();
  await until(() => produced.at(-1) > 512 * 1024, 'a burst');
});

test('streams and whole answers take turns on one connection, at once and one by one', async (t) => {
  const server = await serve(t, {
    '/whole/:id': { get: ({ params }) => text(params.id) },
    '/stream/:id': { get: ({ params }) => stream(Readable.from([params.id]), 'text/plain') },
    '/echo': { post: ({ body }) => text(body) },
  });
  const client = await connect(t, server);
  const ids = Array.from({ length: 60 }, (_, id) => String(id));
  for (const isStream of [(id) => id === '0', (id) => id % 7 === 3, () => false]) {
    client.send(ids.map((id) => GET(`/${isStream(id) ? 'stream' : 'whole'}/${id}`)).join(''));
    t.deepEqual(await texts(client, ids.length), ids);
    for (const id of ids) {
      const [head, rest] = [`POST /echo HTTP/1.1\r\nHost: test\r\n`, `Content-Length: 2\r\n\r\n`];
      client.send(head);
      client.send(`${rest}${id.padStart(2)}`);
      t.is((await client.response('POST')).text, id.padStart(2));
      client.send(GET(`/${isStream(id) ? 'stream' : 'whole'}/${id}`));
      t.is((await client.response()).text, id);
    }
  }
});

test('a server that closes answers what it has begun, and says which answer is the last', async (t) => {
  const { begun, tell, handler } = told();
  const server = await serve(t, { '/:id': { get: handler } });
  const client = await connect(t, server);
  client.send(GET('/1') + GET('/2'));
  await until(() => begun.length === 2);
  server.close();
  tell.get('1')();
  t.is((await client.response()).text, '1');
  tell.get('2')();
  const last = await client.response();
  t.deepEqual([last.text, last.field('connection')], ['2', 'close']);
  await until(() => client.ending !== undefined);
});

test('the beginning of a large head behind another request waits for its rest', async (t) => {
  const echo = ({ rawBody, headers }) => json([rawBody.length, headers['x-large']?.length]);
  const server = await serve(t, { '/': { get: echo, post: echo } });
  const client = await connect(t, server);
  // Much is read at a time where much has come before.
  client.send(requestBytes('POST /', {}, Buffer.alloc(1_000_000)));
  t.deepEqual((await client.response()).json, [1_000_000, null]);
  client.send(`${GET('/', 'Upgrade: a\r\n')}GET / HTTP/1.1\r\nX-Large: ${'l'.repeat(40_000)}`);
  t.deepEqual((await client.response()).json, [0, null]);
  client.send('\r\nHost: a\r\n\r\n');
  t.deepEqual((await client.response()).json, [0, 40_000]);
});

test('a server that closes answers what it has begun behind a stream', async (t) => {
  const { begun, tell, handler } = told();
  const server = await serve(t, { '/:id': { get: handler } });
  const client = await connect(t, server);
  const source = new Readable({ read() {} });
  source.push('1');
  client.send(GET('/1') + GET('/2') + GET('/3'));
  await until(() => begun.length === 3);
  tell.get('1')(stream(source, 'text/plain'));
  await client.through('1\r\n1\r\n');
  server.close();
  source.push(null);
  await client.through('0\r\n\r\n');
  tell.get('2')();
  t.is((await client.response()).text, '2');
  tell.get('3')();
  const last = await client.response();
  t.deepEqual([last.text, last.field('connection')], ['3', 'close']);
  await until(() => client.ending !== undefined);
});

// What comes for a socket that is closed is answered with a reset, and that takes along what the client has not read
// (RFC 9112, 9.6).

/** As much as the kernel takes of a response to a client that does not read. */
const LARGE = 'large '.repeat(100_000);

/**
 * Has asked for `LARGE` with `asking`, and does not read it, though the server has sent it all; `behind` tells how many
 * bytes it has sent since.
 */
async function unread(t, server, asking) {
  const client = await connect(t, server);
  client.send(asking);
  const { length } = await client.head();
  client.stall();
  const sent = () => heldByKernel(server.address().port) + client.socket.bytesRead;
  const behind = () => sent() - length - LARGE.length;
  await until(() => behind() >= 0, 'all of it is sent');
  return { client, behind };
}

for (const [what, asking] of [
  ['Connection: close', GET('/', 'Connection: close\r\n')],
  ['HTTP/1.0', 'GET / HTTP/1.0\r\n\r\n'],
]) {
  test(`${what}: an answer comes whole, though the client has sent more behind its request`, async (t) => {
    const server = await serve(t, { '/': { get: () => text(LARGE) } });
    const { client } = await unread(t, server, asking);
    const { bytesWritten } = client.socket;
    client.send(GET('/'));
    await until(() => client.socket.bytesWritten > bytesWritten);
    client.resume();
    t.is(await client.ended(), 'end');
    t.is(client.bytes.toString(), LARGE);
  });
}

test('a response that fails takes none of those before it along', async (t) => {
  const hasLeft = deferred();
  async function* failing() {
    yield 'part';
    // Before its head has left, it would be a whole 500.
    await hasLeft.promise;
    throw new Error('on purpose');
  }
  const server = await serve(t, {
    '/': { get: () => text(LARGE) },
    '/fails': { post: () => stream(failing()) },
  });
  const { client, behind } = await unread(t, server, GET('/'));
  client.send(requestBytes('POST /fails'), requestBytes('POST /fails', {}, LARGE));
  await until(() => behind() > 0, 'the next has begun');
  hasLeft.resolve();
  await until(() => errorsNaming('/fails').length === 1);
  client.resume();
  await client.ended();
  t.true(client.bytes.toString().startsWith(LARGE));
});
