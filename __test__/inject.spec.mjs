// A server asked from within its process, without a port.

import { text as readText } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import test from 'ava';
import { created, createServer, json, status, stream, text } from 'wapix';
import { closed, deferred } from './helpers/events.mjs';
import { captureErrors, errorsNaming } from './helpers/log.mjs';
import { runProgram } from './helpers/program.mjs';
import { serve } from './helpers/server.mjs';
import { manual } from './helpers/source.mjs';

captureErrors();

/** Windows has no socket pairs: a port that nobody knows of. */
const IP = process.platform === 'win32' ? '127.0.0.1' : '';

for (const ioThreads of [0, 1]) {
  const make = (routes, options) => createServer(routes, { ioThreads, ...options });

  test(`ioThreads ${ioThreads}: a path is answered through the whole server`, async (t) => {
    const server = make({
      '/users/:id': {
        get: (req) => json({ id: req.params.id, q: req.query.q, url: req.url, ip: req.ip }),
      },
    });
    const response = await server.inject('/users/caf%C3%A9?q=1');
    t.true(response instanceof Response);
    t.is(response.status, 200);
    t.is(response.statusText, 'OK');
    t.is(response.headers.get('content-type'), 'application/json');
    const url = '/users/caf%C3%A9?q=1';
    t.deepEqual(await response.json(), { id: 'café', q: '1', url, ip: IP });
    t.is((await server.inject('/none')).status, 404);
    const refused = await server.inject('/users/1', { method: 'DELETE' });
    t.is(refused.status, 405);
    t.is(refused.headers.get('allow'), 'GET, HEAD, OPTIONS');
    t.false(server.listening);
    t.is(server.address(), null);
  });

  test(`ioThreads ${ioThreads}: a response may have a head of any size`, async (t) => {
    const many = Array.from({ length: 5_000 }, (_, at) => [`x-${at}`, 'a'.repeat(20)]);
    const server = make({ '/': { get: () => json({}, Object.fromEntries(many)) } });
    const { headers } = await server.inject('/');
    t.is([...headers.keys()].filter((name) => name.startsWith('x-')).length, many.length);
  });

  test(`ioThreads ${ioThreads}: methods, headers and bodies of every kind cross`, async (t) => {
    const server = make({
      '/echo': {
        post: async (req) => {
          const { body } = req;
          const file = body?.file && (await body.file.text());
          const headers = { 'Set-Cookie': ['a=1', 'b=2'] };
          return created({ body, file, type: req.headers['x-type'] }, '/echo/1', headers);
        },
      },
    });
    const post = (body, headers = {}) => server.inject('/echo', { method: 'POST', body, headers });
    const json = { 'content-type': 'application/json' };
    const response = await post('{"a":1}', { ...json, 'X-Type': 'é' });
    t.is(response.status, 201);
    t.is(response.headers.get('location'), '/echo/1');
    t.deepEqual(response.headers.getSetCookie(), ['a=1', 'b=2']);
    t.deepEqual(await response.json(), { body: { a: 1 }, type: 'é' });

    const form = new FormData();
    form.set('file', new File(['content'], 'name.txt'));
    t.is((await (await post(form)).json()).file, 'content');
    const fields = await (await post(new URLSearchParams({ a: 'b' }))).json();
    t.deepEqual(fields.body, { a: 'b' });
    const bytes = new ReadableStream({
      start(controller) {
        controller.enqueue(new TextEncoder().encode('in '));
        controller.enqueue(new TextEncoder().encode('chunks'));
        controller.close();
      },
    });
    t.is((await (await post(bytes)).json()).body, 'in chunks');
    const request = new Request('http://example.org/echo', { method: 'POST', body: 'a request' });
    t.is((await (await server.inject(request)).json()).body, 'a request');
    const url = new URL('http://example.org/echo');
    t.is((await server.inject(url, { method: 'POST', body: 'x' })).status, 201);
  });

  test(`ioThreads ${ioThreads}: a body has the length that fetch says`, async (t) => {
    const lengths = ({ headers, rawBody }) => json([headers['content-length'], rawBody.length]);
    const server = make({ '/': { post: lengths } });
    const ask = async (body) =>
      (await server.inject('/', { method: 'POST', body, duplex: 'half' })).json();
    for (const body of ['née', Buffer.from('née'), new Blob(['née'])]) {
      t.deepEqual(await ask(body), ['4', 4]);
    }
    t.deepEqual(await ask(new URLSearchParams({ a: 'b' })), ['3', 3]);
    t.deepEqual(await ask(''), ['0', 0]);
    t.deepEqual(await ask(new Blob(['née']).stream()), [null, 4]);
  });

  test(`ioThreads ${ioThreads}: a body that is a stream is streamed to the handler`, async (t) => {
    const handler = async ({ body }) => text(await readText(body));
    const server = make({ '/': { post: { handler, config: { streamBody: true } } } });
    const body = new Blob(['one ', 'two']).stream();
    const response = await server.inject('/', { method: 'POST', body });
    t.is(await response.text(), 'one two');
  });

  test(`ioThreads ${ioThreads}: what is no request rejects, and throws nothing`, async (t) => {
    const server = make({ '/': { get: () => text('') } });
    const refused = [
      server.inject('/', { body: 'GET has none' }),
      server.inject('/', { method: 'no token' }),
      server.inject('http://'),
    ];
    for (const each of refused) await t.throwsAsync(each, { instanceOf: TypeError });
  });

  test(`ioThreads ${ioThreads}: limits are kept`, async (t) => {
    const server = make({ '/': { post: () => text('taken') } }, { bodyLimit: 10 });
    t.is((await server.inject('/', { method: 'POST', body: 'x'.repeat(11) })).status, 413);
    t.is(
      (
        await server.inject('/', {
          method: 'POST',
          body: '{',
          headers: { 'content-type': 'application/json' },
        })
      ).status,
      400,
    );
  });

  test(`ioThreads ${ioThreads}: responses without a body have none`, async (t) => {
    const server = make({ '/:code': { get: (req) => status(Number(req.params.code)) } });
    for (const code of [204, 205, 304]) {
      const response = await server.inject(`/${code}`);
      t.is(response.status, code);
      t.is(response.body, null);
    }
    const head = await server.inject('/200', { method: 'HEAD' });
    t.is(head.body, null);
  });

  test(`ioThreads ${ioThreads}: a stream comes chunk by chunk`, async (t) => {
    const source = manual();
    const server = make({ '/': { get: () => stream(source, 'text/event-stream') } });
    const response = await server.inject('/');
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    source.push('one');
    t.is((await reader.read()).value, 'one');
    source.push('two');
    t.is((await reader.read()).value, 'two');
    source.push(null);
    t.true((await reader.read()).done);
  });

  test(`ioThreads ${ioThreads}: a stream that fails fails its reader`, async (t) => {
    const source = manual();
    const server = make({ '/failing': { get: () => stream(source) } });
    const asking = server.inject('/failing');
    source.push('some');
    const response = await asking;
    source.destroy(new Error('broken'));
    await t.throwsAsync(response.text());
    t.is(errorsNaming('/failing').length >= 1, true);
  });

  test(`ioThreads ${ioThreads}: an abort is a client that leaves`, async (t) => {
    const aborted = deferred();
    const source = manual();
    const server = make({
      '/waiting': {
        get: (req) => {
          req.signal.addEventListener('abort', aborted.resolve);
          return delay(60_000, text('late'), { ref: false });
        },
      },
      '/stream': { get: () => stream(source, 'text/event-stream') },
    });
    const controller = new AbortController();
    const waiting = server.inject('/waiting', { signal: controller.signal });
    await server.inject('/none');
    controller.abort();
    const error = await t.throwsAsync(waiting, { any: true });
    t.is(error.name, 'AbortError');
    await aborted.promise;
    const response = await server.inject('/stream');
    await response.body.cancel();
    await closed(source);
    t.is(source.errored, null);
  });

  test(`ioThreads ${ioThreads}: who has left before asking gets no answer`, async (t) => {
    const server = make({ '/': { get: () => text('hello') } });
    const error = await t.throwsAsync(server.inject('/', { signal: AbortSignal.abort() }), {
      any: true,
    });
    t.is(error.name, 'AbortError');
  });

  test(`ioThreads ${ioThreads}: the host is that of the URL`, async (t) => {
    const server = make({ '/': { get: (req) => json(req.headers.host) } });
    const hostOf = async (input) => (await server.inject(input)).json();
    t.is(await hostOf('/'), 'localhost');
    t.is(await hostOf('http://shop.example:8080/'), 'shop.example:8080');
  });

  test(`ioThreads ${ioThreads}: a server that is asked again in time is not idle`, async (t) => {
    const [begun, gate] = [deferred(), deferred()];
    const server = make({
      '/': { get: () => text('hello') },
      '/slow': {
        get: () => {
          begun.resolve();
          return gate.promise;
        },
      },
    });
    await server.inject('/');
    const slow = server.inject('/slow');
    await begun.promise;
    // Longer than it waits for another request.
    await delay(200);
    t.is((await server.inject('/')).status, 200);
    gate.resolve(text('at last'));
    t.is(await (await slow).text(), 'at last');
  });

  test(`ioThreads ${ioThreads}: a server that listens is asked beside its port`, async (t) => {
    const server = await serve(t, { '/': { get: () => text('hello') } }, { ioThreads });
    t.is(await (await server.inject('/')).text(), 'hello');
    server.close();
    t.is(await (await server.inject('/')).text(), 'hello');
  });

  test(`ioThreads ${ioThreads}: a process that has asked ends by itself`, async (t) => {
    const program = runProgram(
      t,
      `
      import { createServer, text } from 'wapix';
      const server = createServer({ '/': { get: () => text('hello') } }, { ioThreads: ${ioThreads} });
      console.log(await (await server.inject('/')).text());
      `,
    );
    const { code } = await program.exit();
    t.is(code, 0, program.stderr);
    t.is(program.stdout, 'hello\n');
  });
}

for (const ioThreads of [0, 1]) {
  test(`ioThreads ${ioThreads}: a server that is no longer asked holds no thread, no descriptor`, async (t) => {
    const program = runProgram(
      t,
      `
      import { existsSync, readdirSync } from 'node:fs';
      import { setTimeout } from 'node:timers/promises';
      import { createServer, text } from 'wapix';
      const make = () => createServer({ '/': { get: () => text('x') } }, { ioThreads: ${ioThreads} });
      const ask = async (server) => (await server.inject('/')).text();
      const used = () => ['/dev/fd', '/proc/self/task']
        .reduce((sum, path) => sum + (existsSync(path) ? readdirSync(path).length : 0), 0);
      await ask(make());
      const before = used();
      const servers = Array.from({ length: 20 }, make);
      for (const server of servers) await ask(server);
      while (used() > before) await setTimeout(10);
      console.log(await ask(servers[0]), 'again');
      `,
    );
    await program.printed(/^x again$/m);
    t.is((await program.exit()).code, 0);
  });
}
