import { Readable } from 'node:stream';
import { setTimeout as delay, setImmediate as turn } from 'node:timers/promises';
import test from 'ava';
import { json, stream, text } from 'wapix';
import { connect, request, requestBytes } from './helpers/client.mjs';
import { noticed } from './helpers/deadline.mjs';
import { aborted, closed, deferred, until } from './helpers/events.mjs';
import { captureErrors, errorsNaming } from './helpers/log.mjs';
import { serve, serveGet } from './helpers/server.mjs';
import { counted, manual } from './helpers/source.mjs';

captureErrors();

const WAYS = [
  ['FIN', (client) => client.end()],
  ['RST', (client) => client.reset()],
];

for (const [how, leave] of WAYS) {
  test(`a silent stream is destroyed at ${how}`, async (t) => {
    const source = manual();
    const server = await serve(t, { [`/silent-${how}`]: { get: () => stream(source) } });
    const client = await connect(t, server);
    client.send(requestBytes(`GET /silent-${how}`));
    await client.head();
    leave(client);
    await noticed(closed(source));
    t.is(source.errored, null, 'leaving is no error of the source');
    t.is(await client.ended().catch(() => 'over'), client.ending ?? 'over');
    await request(t, server, 'GET /other');
    t.deepEqual(errorsNaming(`/silent-${how}`), [], 'an ordinary leave is not logged');
  });

  test(`a silent event stream is destroyed at ${how} before its first event`, async (t) => {
    const source = manual();
    const server = await serveGet(t, () => stream(source, 'text/event-stream'));
    const client = await connect(t, server);
    client.send(requestBytes('GET /'));
    await client.head();
    leave(client);
    await noticed(closed(source));
    t.pass();
  });

  test(`a stream in mid-flow is destroyed at ${how}`, async (t) => {
    const source = manual();
    const server = await serveGet(t, () => stream(source));
    const client = await connect(t, server);
    client.send(requestBytes('GET /'));
    source.push('some');
    await client.through('some');
    leave(client);
    await noticed(closed(source));
    t.false(source.readableEnded);
  });

  test(`a stream whose client stalled is destroyed at ${how}`, async (t) => {
    const source = counted(Number.POSITIVE_INFINITY);
    const server = await serveGet(t, () => stream(source));
    const client = await connect(t, server);
    client.send(requestBytes('GET /'));
    await client.head();
    client.stall();
    await quiet(t, server, source);
    leave(client);
    await noticed(closed(source));
    t.pass();
  });

  test(`a handler of POST that is pending learns of ${how}, whether there is a body or not`, async (t) => {
    const signals = [];
    const post = ({ signal }) => {
      signals.push(signal);
      return new Promise(() => {});
    };
    const server = await serve(t, { '/': { post } });
    for (const body of ['', 'whole', 'x'.repeat(100_000)]) {
      const client = await connect(t, server);
      const asked = signals.length + 1;
      client.send(requestBytes('POST /', {}, body));
      await until(() => signals.length === asked, 'the handler is called');
      t.false(signals.at(-1).aborted);
      leave(client);
      await noticed(aborted(signals.at(-1)));
    }
  });

  test(`a handler that is pending learns of ${how} by its signal; its late stream is destroyed`, async (t) => {
    const [entered, left] = [deferred(), deferred()];
    const source = manual();
    const server = await serveGet(t, async ({ signal }) => {
      entered.resolve(signal);
      await aborted(signal);
      left.resolve(signal.reason);
      return stream(source);
    });
    const client = await connect(t, server);
    client.send(requestBytes('GET /'));
    const signal = await entered.promise;
    t.false(signal.aborted);
    leave(client);
    await noticed(closed(source));
    t.is((await left.promise).name, 'AbortError');
  });

  test(`a late stream is destroyed though nobody watches the signal: ${how}`, async (t) => {
    const gates = [];
    const source = counted(Number.POSITIVE_INFINITY);
    const server = await serve(t, {
      '/watched': { get: ({ signal }) => new Promise(() => gates[0].resolve(signal)) },
      '/': {
        get: async () => {
          gates[1].resolve();
          await gates[2].promise;
          return stream(source);
        },
      },
    });
    gates.push(deferred(), deferred(), deferred());
    const clients = [await connect(t, server), await connect(t, server)];
    clients[1].send(requestBytes('GET /'));
    await gates[1].promise;
    clients[0].send(requestBytes('GET /watched'));
    const signal = await gates[0].promise;
    // The first client leaves before the second: once the second is noticed, so is the first.
    leave(clients[1]);
    await turn();
    leave(clients[0]);
    await noticed(aborted(signal));
    gates[2].resolve();
    await noticed(closed(source));
    t.pass();
  });

  test(`the signal of a stream aborts at ${how}`, async (t) => {
    const given = deferred();
    const source = manual();
    const server = await serveGet(t, ({ signal }) => {
      given.resolve(signal);
      return stream(source, 'text/event-stream');
    });
    const client = await connect(t, server);
    client.send(requestBytes('GET /'));
    const signal = await given.promise;
    await client.head();
    t.false(signal.aborted);
    leave(client);
    await noticed(Promise.all([aborted(signal), closed(source)]));
  });

  test(`a signal first touched after ${how} has aborted`, async (t) => {
    const source = manual();
    let kept;
    const server = await serveGet(t, (req) => {
      kept = req;
      return stream(source);
    });
    const client = await connect(t, server);
    client.send(requestBytes('GET /'));
    await client.head();
    leave(client);
    await noticed(closed(source));
    t.true(kept.signal.aborted);
  });

  for (const [body, config, size] of [
    ['that has come whole', {}, 100_000],
    // A FIN arrives behind the body, so that one must have room in the system's buffers.
    ['that nobody reads', { streamBody: true }, how === 'FIN' ? 50_000 : 4 * 1024 * 1024],
  ]) {
    test(`a body ${body} does not hide ${how}; the late stream is destroyed`, async (t) => {
      const entered = deferred();
      const source = manual();
      const handler = async ({ signal }) => {
        entered.resolve(signal);
        await aborted(signal);
        return stream(source);
      };
      const server = await serve(t, { '/': { post: { handler, config } } });
      const client = await connect(t, server);
      client.send(requestBytes('POST /', {}, Buffer.alloc(size)));
      const signal = await entered.promise;
      for (let round = 0; round < 10; round += 1) await request(t, server, 'GET /other');
      t.false(signal.aborted);
      leave(client);
      await noticed(Promise.all([aborted(signal), closed(source)]));
    });
  }

  test(`a source whose declared length was sent, but which has not ended, is destroyed at ${how}`, async (t) => {
    const source = manual();
    const server = await serveGet(t, () => stream(source, 'a/b', { 'content-length': 4 }));
    const client = await connect(t, server);
    client.send(requestBytes('GET /'));
    source.push('four');
    t.is((await client.response()).text, 'four');
    leave(client);
    await noticed(closed(source));
    t.pass();
  });
}

/** Resolves when further requests are answered without `source` being read. */
async function quiet(t, server, source) {
  let before;
  do {
    before = source.produced;
    if (before > 64 * 1024 * 1024) throw new Error(`the source is read on and on: ${before} bytes`);
    for (let round = 0; round < 20; round += 1) await request(t, server, 'GET /other');
  } while (source.produced !== before);
}

test('a stalled client stops its source within a bound, and gets every byte later', async (t) => {
  const total = 40 * 1024 * 1024;
  const source = counted(total, 64 * 1024);
  const server = await serveGet(t, () => stream(source));
  const client = await connect(t, server);
  client.send(requestBytes('GET /'));
  await client.head();
  client.stall();
  await quiet(t, server, source);
  // The windows of both sockets and our own; far from all of it.
  t.true(source.produced < total / 2, String(source.produced));
  let length = 0;
  client.socket.on('data', (chunk) => {
    length += chunk.length;
  });
  client.resume();
  await closed(source);
  t.true(source.readableEnded);
  await client.through('0\r\n\r\n');
  t.true(length > total / 2);
});

test('the signal of an earlier request does not hear of a later leave', async (t) => {
  const signals = [];
  const source = manual();
  const server = await serve(t, {
    '/whole': {
      get: ({ signal }) => {
        signals.push(signal);
        return json({});
      },
    },
    '/stream': {
      get: ({ signal }) => {
        signals.push(signal);
        return stream(source);
      },
    },
  });
  const client = await connect(t, server);
  client.send(requestBytes('GET /whole'));
  await client.response();
  client.send(requestBytes('GET /stream'));
  await client.head();
  client.end();
  await closed(source);
  t.deepEqual(
    signals.map(({ aborted }) => aborted),
    [false, true],
  );
});

test('the signal of an answer that waits behind another aborts where its client leaves', async (t) => {
  const signals = [];
  const keep = (answer) => ({
    get: ({ signal }) => {
      signals.push(signal);
      return answer;
    },
  });
  const routes = { '/held': keep(new Promise(() => {})), '/whole': keep(json({})) };
  const server = await serve(t, routes);
  const alone = await request(t, server, 'GET /whole');
  t.is(alone.field('content-length'), '2');
  const client = await connect(t, server);
  client.send(requestBytes('GET /held'), requestBytes('GET /whole'));
  await until(() => signals.length === 3, 'both are asked');
  client.reset();
  await noticed(Promise.all(signals.slice(1).map((signal) => aborted(signal))));
  t.false(signals[0].aborted);
});

for (const when of ['before', 'after']) {
  test(`the signal of a stream that fails aborts, first touched ${when}`, async (t) => {
    const source = manual();
    let kept;
    const server = await serveGet(t, (req) => {
      kept = req;
      if (when === 'before') t.false(req.signal.aborted);
      source.push('some');
      return stream(source);
    });
    const client = await connect(t, server);
    client.send(requestBytes('GET /'));
    await client.through('some');
    source.destroy(new Error('on purpose'));
    await client.ended();
    await aborted(kept.signal);
    t.is(kept.signal.reason.name, 'AbortError');
  });
}

test('an async generator is returned from, and its finally runs', async (t) => {
  const cleaned = deferred();
  const server = await serveGet(t, ({ signal }) =>
    stream(
      Readable.from(
        (async function* () {
          try {
            yield 'first';
            await aborted(signal);
            yield 'never sent';
          } finally {
            cleaned.resolve();
          }
        })(),
      ),
    ),
  );
  const client = await connect(t, server);
  client.send(requestBytes('GET /'));
  await client.through('first');
  client.end();
  await cleaned.promise;
  t.pass();
});

test('a thousand that leave leave nothing behind', async (t) => {
  let open = 0;
  let opened = 0;
  const server = await serveGet(t, () => {
    const source = manual();
    open += 1;
    opened += 1;
    source.once('close', () => {
      open -= 1;
    });
    return stream(source, 'text/event-stream');
  });
  for (let round = 0; round < 10; round += 1) {
    const clients = await Promise.all(Array.from({ length: 100 }, () => connect(t, server)));
    for (const client of clients) client.send(requestBytes('GET /'));
    await Promise.all(clients.map((client) => client.head()));
    for (const [index, client] of clients.entries()) WAYS[index % 2][1](client);
  }
  while (open > 0) await turn();
  t.is(opened, 1000);
});

test('what the signal stopped is not logged; another failure after the client left is', async (t) => {
  const settled = deferred();
  const server = await serve(t, {
    '/stopped': {
      get: async ({ signal }) => {
        await delay(60_000, undefined, { signal }).finally(() => settled.resolve());
      },
    },
    '/failed': {
      get: async ({ signal }) => {
        await aborted(signal);
        throw new Error('after the client left');
      },
    },
    '/after': { get: () => text('after') },
  });
  for (const path of ['/stopped', '/failed']) {
    const client = await connect(t, server);
    client.send(requestBytes(`GET ${path}`));
    // Its answer tells that the one before has reached its handler.
    await request(t, server, 'GET /after');
    client.destroy();
  }
  await settled.promise;
  await until(() => errorsNaming('GET /failed').length === 1, 'the failure in the log');
  t.deepEqual(errorsNaming('GET /stopped'), []);
});
