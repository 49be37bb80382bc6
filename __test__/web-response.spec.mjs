import { createServer as createNodeServer } from 'node:http';
import { setTimeout } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import test from 'ava';
import { Response as UndiciResponse } from 'undici';
import { text } from 'wapix';
import { connect, request, requestBytes } from './helpers/client.mjs';
import { within } from './helpers/deadline.mjs';
import { deferred, levelled, once } from './helpers/events.mjs';
import { heldOf, MOST_HELD } from './helpers/kernel.mjs';
import { captureErrors, errorsNaming } from './helpers/log.mjs';
import { serve, serveGet } from './helpers/server.mjs';

captureErrors();

const INTERNAL = '{"error":"Internal Server Error"}';
const valuesOf = ({ fields }, name) =>
  fields.filter(([key]) => key === name).map(([, value]) => value);

for (const [name, Class] of Object.entries({ Response, UndiciResponse })) {
  test(`a ${name}: status, header fields, body`, async (t) => {
    const headers = new Headers({ 'X-A': '1', 'Content-Type': 'text/csv' });
    headers.append('Set-Cookie', 'a=1; Path=/');
    headers.append('Set-Cookie', 'b=2');
    const server = await serveGet(
      t,
      () => new Class('a,b\n', { status: 206, headers: [...headers] }),
    );
    const response = await request(t, server, 'GET /');
    t.is(response.status, 206);
    t.is(response.text, 'a,b\n');
    t.deepEqual(valuesOf(response, 'content-type'), ['text/csv']);
    t.deepEqual(valuesOf(response, 'x-a'), ['1']);
    t.deepEqual(valuesOf(response, 'set-cookie'), ['a=1; Path=/', 'b=2']);
  });
}

const MADE = [
  ['of JSON', () => Response.json({ a: 1 }, { status: 201 }), 201, 'application/json', '{"a":1}'],
  ['of text', async () => new Response('é'), 200, 'text/plain;charset=UTF-8', 'é'],
  ['of bytes', () => new Response(Buffer.from('ab')), 200, undefined, 'ab'],
  ['of nothing', () => new Response(), 200, undefined, ''],
  ['of null', () => new Response(null, { status: 404 }), 404, undefined, ''],
  ['without content', () => new Response(null, { status: 204 }), 204, undefined, ''],
  ['that redirects', () => Response.redirect('http://test/b', 303), 303, undefined, ''],
];

for (const [name, get, status, type, content] of MADE) {
  test(`a Response ${name}`, async (t) => {
    const server = await serve(t, { '/': { get }, '/next': { get: () => text('next') } });
    const client = await connect(t, server);
    client.send(requestBytes('GET /'));
    const response = await client.response();
    t.is(response.status, status);
    t.is(response.field('content-type'), type);
    t.is(response.text, content);
    t.true(response.complete);
    client.send(requestBytes('HEAD /'));
    const head = await client.response('HEAD');
    t.is(head.status, status);
    t.is(head.field('content-type'), type);
    client.send(requestBytes('GET /next'));
    t.is((await client.response()).text, 'next');
  });
}

const USED = {
  read: async () => {
    const response = new Response('x');
    await response.text();
    return response;
  },
  'read in part': async () => {
    const response = new Response('x');
    const reader = response.body.getReader();
    await reader.read();
    reader.releaseLock();
    return response;
  },
  'being read': () => {
    const response = new Response('x');
    response.body.getReader();
    return response;
  },
};

for (const [index, [name, get]] of Object.entries(USED).entries()) {
  test(`a Response whose body is ${name}: 500, and the code says why`, async (t) => {
    const path = `/used-${index}-`;
    const server = await serve(t, { [path]: { get } });
    const response = await request(t, server, `GET ${path}`);
    t.is(response.status, 500);
    t.is(response.text, INTERNAL);
    const [entry, ...more] = errorsNaming(path);
    t.deepEqual(more, []);
    t.regex(entry, /WAPIX_RESPONSE_USED/);
  });
}

test('one Response answers one request', async (t) => {
  const response = new Response('once');
  const server = await serve(t, { '/answered-twice': { get: () => response } });
  t.is((await request(t, server, 'GET /answered-twice')).text, 'once');
  t.is((await request(t, server, 'GET /answered-twice')).status, 500);
  t.regex(errorsNaming('/answered-twice')[0], /WAPIX_RESPONSE_USED.*/);
});

test('the body is read as the client takes it, and cancelled when the client leaves', async (t) => {
  const chunk = new Uint8Array(64 * 1024);
  const cancelled = deferred();
  let pulled = 0;
  const server = await serveGet(t, () => {
    const body = new ReadableStream(
      {
        pull(controller) {
          pulled += chunk.length;
          controller.enqueue(chunk);
        },
        cancel: cancelled.resolve,
      },
      { highWaterMark: 0 },
    );
    return new Response(body);
  });
  const client = await connect(t, server);
  client.send(requestBytes('GET /'));
  await client.head();
  client.stall();
  const rest = await within(
    levelled(
      () => pulled,
      () => request(t, server, 'GET /other'),
    ),
    'it rests',
  );
  t.true(heldOf(rest, server, client) <= MOST_HELD + 2 * chunk.length, String(rest));
  client.reset();
  await cancelled.promise;
  t.pass();
});

test('a body that fails is an incomplete response', async (t) => {
  const server = await serve(t, {
    '/failing-body': {
      get: () => {
        let pulls = 0;
        return new Response(
          new ReadableStream({
            async pull(controller) {
              await setTimeout(30);
              pulls += 1;
              if (pulls === 1) controller.enqueue(Buffer.from('begun'));
              else controller.error(new Error('the body failed'));
            },
          }),
        );
      },
    },
  });
  const response = await request(t, server, 'GET /failing-body');
  t.is(response.status, 200);
  t.false(response.complete);
  t.regex(errorsNaming('/failing-body')[0], /the body failed/);
});

test('what fetch got can be returned: decoded, and without the fields of its connection', async (t) => {
  const content = 'content '.repeat(30);
  const bodies = {
    plain: Buffer.from(content),
    gzip: gzipSync(content),
    'x-br': Buffer.from(content), // of a name that fetch does not know
    // One raw block (RFC 8878, 3.1): not every Node can compress.
    zstd: Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x20, 240, 0x81, 0x07, 0, ...Buffer.from(content)]),
  };
  const upstream = createNodeServer((req, res) => {
    const what = req.url.slice(1);
    res.setHeader('Set-Cookie', ['a=1', 'b=2']);
    res.setHeader('Connection', 'close');
    res.setHeader('Keep-Alive', 'timeout=1');
    if (what !== 'plain') res.setHeader('Content-Encoding', what);
    res.setHeader('Content-Length', bodies[what].length);
    res.end(bodies[what]);
  }).listen(0, '127.0.0.1');
  await once(upstream, 'listening');
  t.teardown(() => upstream.close());
  const ask = (what) => fetch(`http://127.0.0.1:${upstream.address().port}/${what}`);
  const server = await serve(t, { '/:what': { get: ({ params }) => ask(params.what) } });
  const client = await connect(t, server);
  for (const [what, body] of Object.entries(bodies)) {
    const received = Buffer.from(await (await ask(what)).arrayBuffer());
    const isDecoded = !received.equals(body); // zstd: by some versions of Node
    client.send(requestBytes(`GET /${what}`));
    const response = await client.response();
    t.deepEqual(response.body, received);
    t.deepEqual(valuesOf(response, 'set-cookie'), ['a=1', 'b=2']);
    t.is(response.field('content-encoding'), isDecoded || what === 'plain' ? undefined : what);
    t.is(response.field('connection'), undefined);
    t.is(response.field('keep-alive'), undefined);
    t.is(response.field('content-length'), isDecoded ? undefined : String(body.length));
  }
});

test('a Response that was made keeps its Content-Encoding: nobody has undone it', async (t) => {
  const content = gzipSync('content');
  const headers = { 'content-encoding': 'gzip', 'content-length': String(content.length) };
  const server = await serve(t, { '/': { get: () => new Response(content, { headers }) } });
  const response = await request(t, server, 'GET /');
  t.is(response.field('content-encoding'), 'gzip');
  t.true(response.body.equals(content));
});
