// Channels, from outside: what subscribers get, whatever they and the others do.

import { setImmediate as turn } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import test from 'ava';
import { channel, createServer } from 'wapix';
import { CERT, KEY } from './helpers/certificate.mjs';
import { numbers, opener } from './helpers/channel.mjs';
import { connect, request, requestBytes } from './helpers/client.mjs';
import { subscribe } from './helpers/event-source.mjs';
import { once, until } from './helpers/events.mjs';
import { serve, serveGet } from './helpers/server.mjs';

const open = opener('test');

for (const ioThreads of [1, 3, 0]) {
  const on = ioThreads === 0 ? "in Node's event loop" : `on I/O threads: ${ioThreads}`;

  test(`every subscriber gets every event, once and in order, ${on}`, async (t) => {
    const news = open();
    const server = await serveGet(t, (req) => news.subscribe(req), { ioThreads });
    const sources = await Promise.all(numbers(20).map(() => subscribe(t, server)));
    await until(() => news.size === 20, 'all are subscribed');
    const ids = [];
    for (const number of numbers(500)) {
      ids.push(news.publish({ event: 'tick', data: number }));
      if (number % 7 === 0) await turn();
    }
    for (const source of sources) {
      t.deepEqual(await source.data(500), numbers(500));
      t.deepEqual(
        source.events.map(({ lastEventId }) => lastEventId),
        ids,
      );
      t.true(source.events.every(({ type }) => type === 'tick'));
    }
  });

  test(`large events and small ones come whole and in order, live and again, ${on}`, async (t) => {
    const news = open({ queue: 1 << 26, history: { bytes: 1 << 26 } });
    const server = await serveGet(t, (req) => news.subscribe(req), { ioThreads });
    const lengths = [1, 300_000, 2, 3, 3_000_000, 4, 262_144, 262_145, 5, 300_000, 300_000, 6];
    const [quick, slow] = [await subscribe(t, server), await subscribe(t, server)];
    await until(() => news.size === 2, 'both are there');
    slow.response.socket.pause();
    const { lastEventId } = quick;
    for (const length of lengths) news.publish({ data: 'x'.repeat(length) });
    const ofAll = ({ events }) => events.length === lengths.length;
    await quick.until(ofAll, 'all, for who reads');
    slow.response.socket.resume();
    const again = await subscribe(t, server, '/', lastEventId);
    for (const source of [quick, slow, again]) {
      await source.until(ofAll, 'all');
      t.deepEqual(
        source.events.map(({ data }) => data.length),
        lengths,
      );
    }
  });

  test(`topics: those asked for, and those of none, live and from the history, ${on}`, async (t) => {
    const news = open();
    const get = (req) => news.subscribe(req, { topics: req.params.topics.split(',') });
    const server = await serve(t, { '/:topics': { get } }, { ioThreads });
    const sources = [await subscribe(t, server, '/a'), await subscribe(t, server, '/b,c')];
    await until(() => news.size === 2, 'both are there');
    const topics = ['a', 'b', 'c', undefined, 'd', 'a'];
    const ids = topics.map((topic, data) => news.publish({ data, topic }));
    t.deepEqual(await sources[0].data(3), [0, 3, 5]);
    t.deepEqual(await sources[1].data(3), [1, 2, 3]);
    const again = await subscribe(t, server, '/c', ids[0]);
    t.deepEqual(await again.data(2), [2, 3]);
    // Though the last one was not for it, it need not be told of it again.
    await again.until(({ lastEventId }) => lastEventId === ids[5], 'the position');
  });

  for (const https of [undefined, { key: KEY, cert: CERT }]) {
    test(`who reads nothing for a while gets all of it in the end, ${https ? 'with TLS, ' : ''}${on}`, async (t) => {
      const news = open({ queue: 1 << 26 });
      const get = (req) => news.subscribe(req);
      const server = await serve(t, { '/': { get } }, { ioThreads, https });
      const client = await connect(t, server, { tls: https !== undefined });
      client.send(requestBytes('GET /'));
      await client.head();
      await until(() => news.size === 1, 'it is subscribed');
      const data = 'x'.repeat(10_000);
      for (const round of numbers(3)) {
        client.stall();
        // More than sockets hold.
        for (const _ of numbers(600)) {
          news.publish({ data });
          await turn();
        }
        // Not in one piece.
        news.publish({ data: data.repeat(100) });
        client.resume();
        const last = `data: round ${round}\n\n\r\n`;
        news.publish({ data: `round ${round}` });
        const hasAll = () => Buffer.concat(client.reads.slice(-2)).includes(last);
        await until(hasAll, `all of round ${round}`);
      }
      const [, content] = client.reads.join('').split(/\r\n\r\n(.*)/s, 2);
      // Chunks: what is written past the others is not written into them.
      let at = 0;
      while (at < content.length) {
        const size = Number.parseInt(content.slice(at, at + 8), 16);
        const end = content.indexOf('\r\n', at) + 2 + size;
        if (content.slice(end, end + 2) !== '\r\n') return t.fail(`a chunk at ${at}`);
        at = end + 2;
      }
      const numbered = content.matchAll(/^id: \S+-(\d+)$/gm);
      // The first is where it began.
      t.deepEqual(
        Array.from(numbered, ([, number]) => Number(number)),
        [0, ...numbers(1806)],
      );
    });
  }

  test(`HEAD subscribes nobody, and the connection goes on, ${on}`, async (t) => {
    const room = open();
    const server = await serveGet(t, (req) => room.subscribe(req), { ioThreads });
    const client = await connect(t, server);
    for (let count = 0; count < 2; count += 1) {
      client.send(requestBytes('HEAD /'));
      const response = await client.response('HEAD');
      t.is(response.field('content-type'), 'text/event-stream');
    }
    t.is(room.size, 0);
  });

  test(`silence is broken by comments, which are no events, ${on}`, async (t) => {
    const news = open({ heartbeat: 100 });
    const server = await serveGet(t, (req) => news.subscribe(req), { ioThreads });
    const source = await subscribe(t, server);
    await source.until(({ comments }) => comments >= 3, 'heartbeats');
    t.deepEqual(source.events, []);
  });

  test(`HEAD sends the headers of a subscription, and does not subscribe, ${on}`, async (t) => {
    const news = open();
    const get = (req) =>
      news.subscribe(req, { headers: { 'X-Accel-Buffering': 'yes', 'X-A': 'b' } });
    const server = await serveGet(t, get, { ioThreads });
    const { status, field } = await request(t, server, 'HEAD /');
    t.is(status, 200);
    t.is(field('content-type'), 'text/event-stream');
    t.is(field('cache-control'), 'no-cache');
    t.is(field('x-accel-buffering'), 'yes');
    t.is(field('x-a'), 'b');
    t.is(news.size, 0);
  });
}

test('a worker thread publishes to the same channel, and its end takes its subscribers along', async (t) => {
  const news = channel('of all threads');
  const server = await serveGet(t, (req) => news.subscribe(req));
  const worker = new Worker(
    `const { channel, createServer } = require('wapix');
     const { parentPort } = require('node:worker_threads');
     const news = channel('of all threads');
     const server = createServer({ '/': { get: (req) => news.subscribe(req) } });
     server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address()));
     parentPort.on('message', (data) => news.publish({ data }));`,
    { eval: true },
  );
  t.teardown(() => worker.terminate());
  const [address] = await once(worker, 'message');
  const here = await subscribe(t, server);
  const there = await subscribe(t, { address: () => address });
  await until(() => news.size === 2, 'both are there');
  worker.postMessage(1);
  t.deepEqual([await here.data(1), await there.data(1)], [[1], [1]]);
  news.publish({ data: 2 });
  t.deepEqual(
    [await here.data(2), await there.data(2)],
    [
      [1, 2],
      [1, 2],
    ],
  );
  t.is(here.lastEventId, there.lastEventId);
  await worker.terminate();
  await until(() => news.size === 1, 'the others have left');
  await there.until(({ ending }) => ending, 'the end');
  t.not(there.ending, 'end');
});

test('a server that is not asked to close lets the process end', async (t) => {
  const news = open();
  const server = createServer({ '/': { get: (req) => news.subscribe(req) } });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const source = await subscribe(t, server);
  server.close({ deadline: 0 });
  await once(server, 'close');
  await source.until(({ ending }) => ending, 'the end');
  t.is(news.size, 0);
});
