import { Readable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import test from 'ava';
import { createServer, stream, text } from 'wapix';
import { connect, request, requestBytes } from './helpers/client.mjs';
import { within } from './helpers/deadline.mjs';
import { aborted, closed, deferred, once, until } from './helpers/events.mjs';
import { captureErrors, errorsNaming } from './helpers/log.mjs';
import { serve, serveGet } from './helpers/server.mjs';

captureErrors();

const ROUTES = { '/': { get: () => text('hello') } };

test('close: the callback without an error, then nothing twice', async (t) => {
  const server = await serve(t, ROUTES);
  const events = [];
  const called = deferred();
  server.on('close', () => events.push('close'));
  t.is(server.close(called.resolve), server);
  events.push('returned');
  t.is(await within(called.promise, 'the callback of close'), undefined);
  t.deepEqual(events, ['returned', 'close']);
});

test('onClose is called when the last response is over, and close waits for it', async (t) => {
  const [begun, answer, cleared] = [deferred(), deferred(), deferred()];
  const told = [];
  const get = async () => {
    begun.resolve();
    await answer.promise;
    return text('whole');
  };
  const onClose = () => {
    told.push('onClose');
    return cleared.promise.then(() => told.push('cleared'));
  };
  const server = await serve(t, { '/': { get } }, { onClose });
  const client = await connect(t, server);
  client.send(requestBytes('GET /'));
  await begun.promise;
  const close = new Promise((resolve) => server.close(resolve)).then(() => told.push('close'));
  await turn();
  t.deepEqual(told, []);
  answer.resolve();
  t.is((await client.response()).text, 'whole');
  await until(() => told.includes('onClose'), 'the call of onClose');
  t.throws(() => server.listen(0), { code: 'ERR_SERVER_ALREADY_LISTEN' });
  cleared.resolve();
  await within(close, 'the callback of close');
  t.deepEqual(told, ['onClose', 'cleared', 'close']);
});

test('what onClose fails with is logged, and the server has closed', async (t) => {
  const onClose = () => {
    throw new Error('the pool is gone');
  };
  const server = await serve(t, ROUTES, { onClose });
  await within(new Promise((resolve) => server.close(resolve)), 'the callback of close');
  t.false(server.listening);
  t.regex(errorsNaming('onClose')[0], /^wapix: onClose failed: Error: the pool is gone/);
});

test('close without a running server gives ERR_SERVER_NOT_RUNNING', async (t) => {
  const server = createServer(ROUTES);
  const error = await new Promise((resolve) => server.close(resolve));
  t.is(error.code, 'ERR_SERVER_NOT_RUNNING');
  t.is(error.message, 'Server is not running.');
  t.notThrows(() => server.close());
});

test('a second close tells that the first is under way, and both are told', async (t) => {
  const server = await serve(t, ROUTES);
  const first = new Promise((resolve) => server.close(resolve));
  const second = new Promise((resolve) => server.close(resolve));
  t.is(await within(first, 'the first callback'), undefined);
  t.is((await within(second, 'the second callback')).code, 'ERR_SERVER_NOT_RUNNING');
});

test('the callback of a second close comes once the server has closed, too', async (t) => {
  const begun = deferred();
  const answer = deferred();
  const server = await serveGet(t, async () => {
    begun.resolve();
    await answer.promise;
    return text('whole');
  });
  const client = await connect(t, server);
  client.send(requestBytes('GET /'));
  await begun.promise;
  server.close();
  const told = [];
  const second = new Promise((resolve) => server.close(resolve)).then(() => told.push('closed'));
  await turn();
  told.push('answered');
  answer.resolve();
  t.is((await client.response()).text, 'whole');
  await within(second, 'the second callback');
  t.deepEqual(told, ['answered', 'closed']);
});

test('closed before it listened, it never tells that it listens', async (t) => {
  for (const where of [
    [0, '127.0.0.1'],
    [0, 'localhost'],
  ]) {
    const server = createServer(ROUTES);
    server.once('listening', () => t.fail());
    server.listen(...where);
    const over = once(server, 'close');
    server.close();
    await over;
    t.false(server.listening);
    t.is(server.address(), null);
  }
});

test('close waits for requests in flight, whose answers are whole', async (t) => {
  const gate = deferred();
  const server = await serve(t, {
    '/': {
      get: async () => {
        await gate.promise;
        return text('x'.repeat(300_000));
      },
    },
    '/stream': {
      get: () =>
        stream(
          Readable.from(
            (async function* () {
              yield 'first,';
              await gate.promise;
              yield 'last';
            })(),
          ),
        ),
    },
  });
  const [whole, streamed] = [await connect(t, server), await connect(t, server)];
  whole.send(requestBytes('GET /'));
  streamed.send(requestBytes('GET /stream'));
  await streamed.through('first,');
  const over = once(server, 'close');
  let isOver = false;
  server.once('close', () => {
    isOver = true;
  });
  server.close();
  t.false(isOver);
  gate.resolve();
  const response = await whole.response();
  t.is(response.text.length, 300_000);
  t.is(response.field('connection'), 'close');
  await streamed.through('4\r\nlast\r\n0\r\n\r\n');
  t.is(await whole.ended(), 'end');
  t.is(await streamed.ended(), 'end');
  await over;
});

test('close refuses new connections at once', async (t) => {
  const gate = deferred();
  const entered = deferred();
  const server = await serve(t, {
    '/': {
      get: async () => {
        entered.resolve();
        await gate.promise;
        return text('done');
      },
    },
  });
  const address = server.address();
  const pending = request(t, server, 'GET /');
  await entered.promise;
  const over = once(server, 'close');
  server.close();
  // The I/O thread is told; it may accept until it has heard.
  const connecting = async () => {
    for (;;) (await connect(t, server, { host: address.address, port: address.port })).destroy();
  };
  const error = await t.throwsAsync(connecting());
  t.regex(error.code, /ECONNREFUSED|ECONNRESET/);
  gate.resolve();
  t.is((await pending).text, 'done');
  await over;
});

test('close ends idle and silent connections before the deadline', async (t) => {
  const server = await serve(t, ROUTES);
  const silent = await connect(t, server);
  const idle = await connect(t, server);
  idle.send(requestBytes('GET /'));
  await idle.response();

  const waiting = await serve(t, { '/': { get: () => stream(new Readable({ read() {} })) } });
  const streamed = await connect(t, waiting);
  streamed.send(requestBytes('GET /'));
  await streamed.head();

  const order = [];
  waiting.on('close', () => order.push('deadline'));
  server.on('close', () => order.push('idle and silent'));
  const over = [once(waiting, 'close'), once(server, 'close')];
  waiting.close();
  server.close();
  t.is(await silent.ended(), 'end');
  t.is(await idle.ended(), 'end');
  await Promise.all(over);
  t.deepEqual(order, ['idle and silent', 'deadline']);
});

test('close from within a handler answers that request', async (t) => {
  const server = await serve(t, {
    '/': {
      get: () => {
        server.close();
        return text('last words');
      },
    },
  });
  const over = once(server, 'close');
  const response = await request(t, server, 'GET /');
  t.is(response.text, 'last words');
  t.is(response.field('connection'), 'close');
  await over;
});

test('what never ends is cut off at the deadline: sources destroyed, signals aborted', async (t) => {
  const source = new Readable({ read() {} });
  const signals = [];
  const entered = deferred();
  const server = await serve(t, {
    '/events': { get: () => stream(source, 'text/event-stream') },
    '/never': {
      get: ({ signal }) => {
        signals.push(signal);
        entered.resolve();
        return new Promise(() => {});
      },
    },
  });
  const events = await connect(t, server);
  events.send(requestBytes('GET /events'));
  await events.head();
  const never = await connect(t, server);
  never.send(requestBytes('GET /never'));
  await entered.promise;
  const halfway = await connect(t, server);
  halfway.send('GET / HTTP/1.1\r\nHost:');
  server.close();
  await once(server, 'close');
  await closed(source);
  await aborted(signals[0]);
  t.truthy(await events.ended());
  t.truthy(await never.ended());
  t.truthy(await halfway.ended());
  t.is(events.bytes.indexOf('0\r\n\r\n'), -1, 'the stream does not look complete');
});

for (const [name, args] of [
  ['close({ deadline })', [{ deadline: 50 }]],
  ['close({ deadline: 0 })', [{ deadline: 0 }]],
]) {
  test(`${name} does not wait longer for what is in flight`, async (t) => {
    const server = await serveGet(t, () => new Promise(() => {}));
    const client = await connect(t, server);
    client.send(requestBytes('GET /'));
    // Well before the ten seconds that it would wait by itself.
    await within(new Promise((resolve) => server.close(...args, resolve)), 'close', 5_000);
    t.truthy(await client.ended());
  });
}

test('a misspelt option is refused, and the server goes on', async (t) => {
  const server = await serve(t, {});
  t.throws(() => server.close({ dedline: 5 }), {
    code: 'WAPIX_INVALID_OPTION',
    message: /dedline/,
  });
  t.true(server.listening);
});

test('a deadline is a number from 0 on', (t) => {
  for (const deadline of [-1, Number.NaN, '10']) {
    t.throws(() => createServer({}).close({ deadline }), { code: 'WAPIX_INVALID_OPTION' });
  }
});

test('close of what is no options leaves the server as it was', async (t) => {
  const server = await serveGet(t, () => text('served'));
  for (const options of [5_000, 'now', true]) {
    t.throws(() => server.close(options), { code: 'WAPIX_INVALID_OPTION', message: /deadline/ });
  }
  t.true(server.listening);
  t.is((await request(t, server, 'GET /')).text, 'served');
});

test('two hundred answers in flight are complete, and no connection is reset', async (t) => {
  const gate = deferred();
  const all = deferred();
  let entered = 0;
  const enter = () => {
    entered += 1;
    if (entered === 200) all.resolve();
    return gate.promise;
  };
  const content = 'x'.repeat(100_000);
  const server = await serve(t, {
    '/whole': { get: () => enter().then(() => text(content)) },
    '/stream': {
      get: () =>
        stream(
          Readable.from(
            (async function* () {
              yield content.slice(1);
              await enter();
              yield 'x';
            })(),
          ),
        ),
    },
  });
  const clients = await Promise.all(Array.from({ length: 200 }, () => connect(t, server)));
  for (const [index, client] of clients.entries()) {
    client.send(requestBytes(index % 2 === 0 ? 'GET /whole' : 'GET /stream'));
  }
  await within(all.promise, 'all requests are in flight');
  const over = once(server, 'close');
  server.close();
  gate.resolve();
  for (const client of clients) {
    const response = await client.response();
    t.true(response.complete);
    t.is(response.text, content);
    t.is(await client.ended(), 'end');
  }
  await over;
});

for (const [what, settle] of [
  ['fails', (call) => call.reject(new Error('of another'))],
  ['returns', (call) => call.resolve(text('of another'))],
]) {
  test(`a handler that ${what} once its server listens again answers no request of another`, async (t) => {
    const calls = [];
    const get = () => {
      calls.push(deferred());
      return calls.at(-1).promise;
    };
    const server = await serve(t, { '/': { get } });
    const earlier = await connect(t, server);
    earlier.send(requestBytes('GET /'));
    await until(() => calls.length === 1, 'the first request');
    server.close({ deadline: 0 });
    await once(server, 'close');
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const later = await connect(t, server);
    later.send(requestBytes('GET /'));
    await until(() => calls.length === 2, 'the second request');
    settle(calls[0]);
    calls[1].resolve(text('its own'));
    t.is((await later.response()).text, 'its own');
  });
}

test('a deadline may be as good as none', async (t) => {
  for (const deadline of [Number.POSITIVE_INFINITY, 2 ** 32, 1e300]) {
    const [begun, gate] = [deferred(), deferred()];
    const get = () => {
      begun.resolve();
      return gate.promise;
    };
    const server = await serve(t, { '/': { get } });
    const idle = await connect(t, server);
    const client = await connect(t, server);
    client.send(requestBytes('GET /'));
    await begun.promise;
    server.close({ deadline });
    // Told by now: who is idle is closed first.
    await idle.ended();
    gate.resolve(text('whole'));
    t.is((await client.response()).text, 'whole');
  }
});
