// Subscribers whose server closes: sent away, to come back elsewhere.

import test from 'ava';
import { numbers, opener } from './helpers/channel.mjs';
import { connect, requestBytes } from './helpers/client.mjs';
import { subscribe } from './helpers/event-source.mjs';
import { deferred, once, until } from './helpers/events.mjs';
import { serve, serveGet, stop } from './helpers/server.mjs';

const open = opener('closing');

for (const ioThreads of [1, 3, 0]) {
  const on = ioThreads === 0 ? "in Node's event loop" : `on I/O threads: ${ioThreads}`;

  test(`whose server closes leaves, once, before the server has closed, ${on}`, async (t) => {
    const room = open();
    const said = [];
    room.on('join', (req) => said.push(`join ${req.params.who}`));
    room.on('leave', (req) => said.push(`leave ${req.params.who}`));
    const routes = { '/:who': { get: (req) => room.subscribe(req) } };
    const server = await serve(t, routes, { ioThreads });
    const other = await serve(t, routes, { ioThreads });
    await Promise.all(['/ada', '/bob'].map((path) => subscribe(t, server, path)));
    const cleo = await subscribe(t, other, '/cleo');
    await until(() => said.length === 3, 'all have joined');
    await stop(server);
    t.deepEqual(said.slice(3).sort(), ['leave ada', 'leave bob']);
    t.is(room.size, 1);
    cleo.leave();
    await until(() => said.length === 6, 'the last leaves');
    t.is(said[5], 'leave cleo');
    t.is(room.size, 0);
  });

  test(`a server that closes sends its subscribers away, to come back one by one, ${on}`, async (t) => {
    const news = open({ retry: 500 });
    const server = await serveGet(t, (req) => news.subscribe(req), { ioThreads });
    const other = await serveGet(t, (req) => news.subscribe(req), { ioThreads });
    const stays = await subscribe(t, other);
    const sources = await Promise.all(numbers(10).map(() => subscribe(t, server)));
    await until(() => news.size === 11, 'all are there');
    const opening = sources.map(({ retry }) => retry);
    t.true(opening.every((retry) => retry >= 500 && retry <= 1000));
    t.true(new Set(opening).size > 5, 'not all at once');
    news.publish({ data: 'last' });
    const before = performance.now();
    await stop(server);
    t.true(performance.now() - before < 5000, 'nobody waited for the deadline');
    for (const source of sources) {
      await source.until(({ ending }) => ending, 'the end');
      t.is(source.ending, 'end');
      t.deepEqual(
        source.events.map(({ type, data }) => `${type} ${data}`),
        ['message last', 'reconnect '],
      );
      // It can come back to another server with what it has.
      t.is(source.lastEventId, source.events[0].lastEventId);
    }
    const retries = sources.map(({ retry }) => retry).sort((a, b) => a - b);
    if (ioThreads > 1) {
      // Those of each thread at places of their own.
      t.is(new Set(retries).size, 10);
      t.true(retries[0] >= 500 && retries[9] < 1000);
    } else {
      t.deepEqual(
        retries,
        numbers(10).map((place) => 500 + (place - 1) * 50),
      );
    }
    t.is(news.size, 1);
    news.publish({ data: 'more' });
    await stays.until(({ events }) => events.length === 2, 'the other server goes on');
  });

  test(`who is sent away while events come goes on at another server, without a gap, ${on}`, async (t) => {
    const news = open({ history: { events: 1e6, bytes: 1e8 } });
    const [server, other] = [
      await serveGet(t, (req) => news.subscribe(req), { ioThreads }),
      await serveGet(t, (req) => news.subscribe(req), { ioThreads }),
    ];
    const sources = await Promise.all(numbers(8).map(() => subscribe(t, server)));
    await until(() => news.size === 8, 'all are there');
    let published = 0;
    const publish = () => news.publish({ data: published++ });
    let isClosed = false;
    server.close(() => {
      isClosed = true;
    });
    await until(() => publish() && isClosed && published > 50, 'it closes');
    for (const source of sources) {
      await source.until(({ ending }) => ending, 'the end');
      t.is(source.events.pop().type, 'reconnect');
      const back = await subscribe(t, other, '/', source.lastEventId);
      publish();
      const got = source.events.map(({ data }) => Number(data));
      t.deepEqual([...got, ...(await back.data(published - got.length))], numbers(published, 0));
    }
  });

  test(`who is sent away at once has not joined, ${on}`, async (t) => {
    const room = open();
    const said = [];
    for (const event of ['join', 'leave']) room.on(event, () => said.push(event));
    const [came, goOn] = [deferred(), deferred()];
    const get = async (req) => {
      came.resolve();
      await goOn.promise;
      return room.subscribe(req);
    };
    const server = await serveGet(t, get, { ioThreads });
    const client = await connect(t, server);
    client.send(requestBytes('GET /'));
    await came.promise;
    const closing = once(server, 'close');
    server.close();
    goOn.resolve();
    await client.through('event: reconnect');
    await closing;
    t.deepEqual(said, []);
  });
}
