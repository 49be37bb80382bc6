// Limits of a request's head, and of how many requests there are at a time.

import { request as requestHttp } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import test from 'ava';
import { createServer, stream, text } from 'wapix';
import { connect, request, requestBytes } from './helpers/client.mjs';
import { aborted, deferred, once, until } from './helpers/events.mjs';
import { originOf, serve, serveGet } from './helpers/server.mjs';
import { manual } from './helpers/source.mjs';

const hello = () => text('hello');

/** A request whose head has exactly `size` bytes. */
function headOf(size, line = 'GET / HTTP/1.1') {
  const start = `${line}\r\nHost: test\r\nX-Fill: `;
  const end = '\r\n\r\n';
  return `${start}${'x'.repeat(size - start.length - end.length)}${end}`;
}

const target = (length) => `/${'a'.repeat(length - 1)}`;
const fields = (count) => 'X: 1\r\n'.repeat(count - 1);

for (const [name, options, accepted, refused, status] of [
  ['maxHeaderSize', {}, headOf(65_536), headOf(65_537), 431],
  ['maxHeaderSize: 1000', { maxHeaderSize: 1000 }, headOf(1000), headOf(1001), 431],
  ['maxHeaderSize: 200000', { maxHeaderSize: 200_000 }, headOf(200_000), headOf(200_001), 431],
  ['maxHeadersCount', {}, fields(100), fields(101), 431],
  ['maxHeadersCount: 5', { maxHeadersCount: 5 }, fields(5), fields(6), 431],
  ['maxHeadersCount: 1000', { maxHeadersCount: 1000 }, fields(1000), fields(1001), 431],
  ['maxUrlLength', {}, target(16_384), target(16_385), 414],
  ['maxUrlLength: 100', { maxUrlLength: 100 }, target(100), target(101), 414],
  [
    'maxUrlLength: 65534',
    { maxUrlLength: 1e9, maxHeaderSize: 1e5 },
    target(65_534),
    target(65_535),
    414,
  ],
]) {
  const bytes = (head) => {
    if (head.startsWith('GET')) return head;
    if (head.startsWith('/')) return `GET ${head} HTTP/1.1\r\nHost: test\r\n\r\n`;
    return `GET / HTTP/1.1\r\nHost: test\r\n${head}\r\n`;
  };
  test(`${name}: up to it is accepted, one more is ${status}, then closed`, async (t) => {
    let called = 0;
    const get = () => {
      called += 1;
      return text('hello');
    };
    const server = await serve(t, { '/': { get }, '/*rest': { get } }, options);
    const client = await connect(t, server);
    client.send(bytes(accepted));
    t.is((await client.response()).text, 'hello');
    client.send(bytes(refused));
    const response = await client.response();
    t.is(response.status, status);
    t.is(response.field('connection'), 'close');
    t.is(await client.ended(), 'end');
    t.is(called, 1);
  });
}

test('over HTTP/2 the limits are the same, and the connection lives', async (t) => {
  const server = await serve(
    t,
    { '/': { get: hello }, '/*rest': { get: hello } },
    { maxHeaderSize: 1000, maxHeadersCount: 10, maxUrlLength: 100 },
  );
  const client = connectHttp2(originOf(server));
  t.teardown(() => client.destroy());
  const statusOf = async (headers) => {
    const sent = client.request(headers);
    const [head] = await once(sent, 'response');
    sent.close();
    return head[':status'];
  };
  const many = Object.fromEntries(Array.from({ length: 11 }, (_, n) => [`x-${n}`, '1']));
  t.is(await statusOf({ ':path': '/', 'x-fill': 'x'.repeat(1000) }), 431);
  t.is(await statusOf({ ':path': '/', ...many }), 431);
  t.is(await statusOf({ ':path': target(101) }), 414);
  t.is(await statusOf({ ':path': target(100), 'x-fill': 'x'.repeat(700) }), 200);
});

test('one request more than maxConcurrentRequests is 503 with Retry-After; then there is room', async (t) => {
  const gates = [];
  const slow = () => {
    const gate = deferred();
    gates.push(gate);
    return gate.promise;
  };
  const server = await serve(t, { '/': { get: slow, post: slow } }, { maxConcurrentRequests: 2 });
  const clients = [];
  for (let count = 1; count <= 2; count += 1) {
    const client = await connect(t, server);
    client.send(requestBytes('GET /'));
    clients.push(client);
    await until(() => gates.length === count, 'the handler is called');
  }
  const third = await connect(t, server);
  third.send(requestBytes('GET /'));
  const refused = await third.response();
  t.is(refused.status, 503);
  t.is(refused.field('retry-after'), '1');
  t.is(refused.json.error, 'Service Unavailable');

  // A body that nobody will read is not waited for.
  const fourth = await connect(t, server);
  fourth.send('POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 1000\r\n\r\nthe start');
  const early = await fourth.response();
  t.is(early.status, 503);
  t.is(early.field('connection'), 'close');
  t.is(await fourth.ended(), 'end');

  gates[0].resolve(text('done'));
  t.is((await clients[0].response()).text, 'done');
  third.send(requestBytes('GET /'));
  await until(() => gates.length === 3, 'the handler is called');
  gates[2].resolve(text('after all'));
  t.is((await third.response()).text, 'after all');
});

for (const streamBody of [false, true]) {
  test(`a request whose body came in chunks counts until it is answered${streamBody ? ', streamed' : ''}`, async (t) => {
    const gates = [];
    const handler = () => {
      gates.push(deferred());
      return gates.at(-1).promise;
    };
    const server = await serve(
      t,
      { '/': { get: hello, post: { handler, config: { streamBody } } } },
      { maxConcurrentRequests: 1 },
    );
    const client = await connect(t, server);
    client.send(requestBytes('POST /', { 'transfer-encoding': 'chunked' }), '1\r\na\r\n0\r\n\r\n');
    await until(() => gates.length === 1, 'the handler is called');
    t.is((await request(t, server, 'GET /')).status, 503);
    gates[0].resolve(text('done'));
    t.is((await client.response()).text, 'done');
    t.is((await request(t, server, 'GET /')).text, 'hello');
  });
}

test('neither a client that left nor a stream under way counts as a request that waits', async (t) => {
  const entered = deferred();
  const source = manual();
  const server = await serve(
    t,
    {
      '/pending': {
        get: ({ signal }) => {
          entered.resolve(signal);
          return new Promise(() => {});
        },
      },
      '/events': { get: () => stream(source, 'text/event-stream') },
      '/': { get: hello },
    },
    { maxConcurrentRequests: 1 },
  );
  const gone = await connect(t, server);
  gone.send(requestBytes('GET /pending'));
  const signal = await entered.promise;
  t.is((await request(t, server, 'GET /')).status, 503);
  gone.destroy();
  await aborted(signal);
  const events = await connect(t, server);
  events.send(requestBytes('GET /events'));
  await events.head();
  t.is((await request(t, server, 'GET /')).text, 'hello');
});

test('bodies that are held for their handlers are bounded together', async (t) => {
  const MIB = 2 ** 20;
  const gates = [];
  const post = () => {
    const gate = deferred();
    gates.push(gate);
    return gate.promise;
  };
  const server = await serve(t, { '/': { post } }, { bodyLimit: 64 * MIB });
  const body = Buffer.alloc(64 * MIB);
  const upload = () =>
    new Promise((resolve, reject) => {
      const sent = requestHttp(originOf(server), { method: 'POST' }, resolve);
      sent.on('error', reject).end(body);
    });
  const first = Array.from({ length: 4 }, upload);
  await until(() => gates.length === 4, 'the handler is called');
  const { statusCode, headers } = await upload();
  t.is(statusCode, 503);
  t.is(headers['retry-after'], '1');
  for (const gate of gates) gate.resolve(text('done'));
  for (const response of await Promise.all(first)) t.is(response.statusCode, 200);
});

for (const name of ['maxHeaderSize', 'maxHeadersCount', 'maxUrlLength', 'maxConcurrentRequests']) {
  test(`${name} is a number from 0 on, and may be as good as none`, async (t) => {
    for (const wrong of [-1, Number.NaN, '10', null]) {
      t.throws(() => createServer({}, { [name]: wrong }), { code: 'WAPIX_INVALID_OPTION' });
    }
    for (const limit of [Number.POSITIVE_INFINITY, Number.MAX_SAFE_INTEGER]) {
      const server = await serveGet(t, hello, { [name]: limit });
      t.is((await request(t, server, 'GET /')).text, 'hello');
    }
  });
}

for (const options of [{ bodylimit: 1 }, { trustproxy: true }, null, 7]) {
  test(`createServer refuses the options ${JSON.stringify(options)}, and names what is wrong`, (t) => {
    const [wrong] = Object.keys(options ?? {});
    const message = new RegExp(wrong ? `"${wrong}" is none of .*bodyLimit` : `not ${options}`);
    t.throws(() => createServer({}, options), { code: 'WAPIX_INVALID_OPTION', message });
  });
}
