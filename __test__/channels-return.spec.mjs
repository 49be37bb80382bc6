// Subscribers that come back: what they have missed.

import { setImmediate as turn } from 'node:timers/promises';
import test from 'ava';
import { numbers, opener } from './helpers/channel.mjs';
import { subscribe } from './helpers/event-source.mjs';
import { until } from './helpers/events.mjs';
import { serve, serveGet } from './helpers/server.mjs';

const open = opener('returning');

for (const ioThreads of [1, 3, 0]) {
  const on = ioThreads === 0 ? "in Node's event loop" : `on I/O threads: ${ioThreads}`;

  test(`who comes back again and again misses nothing and gets nothing twice, ${on}`, async (t) => {
    const news = open({ history: { events: 10_000, bytes: 1 << 24 } });
    const server = await serveGet(t, (req) => news.subscribe(req), { ioThreads });
    const COUNT = 2000;
    const clients = numbers(8).map(async (client) => {
      const got = [];
      let lastEventId;
      for (let round = 1; got.length < COUNT; round += 1) {
        const source = await subscribe(t, server, '/', lastEventId);
        const most = 1 + ((round * client * 37) % 150);
        const enough = ({ events }) => events.length >= most || got.length + events.length >= COUNT;
        await source.until(enough, `${most} events`);
        // What is on its way is lost: nobody has seen it.
        source.leave();
        got.push(
          ...source.events.map(({ type, data }) => (type === 'message' ? Number(data) : type)),
        );
        ({ lastEventId } = source);
      }
      return got;
    });
    await until(() => news.size === 8, 'all are subscribed');
    for (const number of numbers(COUNT)) {
      news.publish({ data: number });
      if (number % 3 === 0) await turn();
    }
    for (const got of await Promise.all(clients)) t.deepEqual(got, numbers(COUNT));
    await until(() => news.size === 0, 'all have left');
  });

  test(`who has missed thousands of events gets them while others are published, ${on}`, async (t) => {
    const news = open({ history: { events: 20_000, bytes: 1 << 24 } });
    const get = (req) => news.subscribe(req, req.query.topic && { topics: [req.query.topic] });
    const server = await serveGet(t, get, { ioThreads });
    const publish = (number) => news.publish({ data: number, topic: ['a', 'b'][number % 2] });
    const [, first] = numbers(8000, 0).map(publish);
    const coming = numbers(6).map((place) =>
      subscribe(t, server, place % 2 === 0 ? '/' : '/?topic=a', first),
    );
    const COUNT = 12_000;
    for (const number of numbers(COUNT - 8000, 8000)) {
      publish(number);
      if (number % 8 === 0) await turn();
    }
    const all = numbers(COUNT - 2, 2);
    for (const [place, source] of (await Promise.all(coming)).entries()) {
      const wanted = place % 2 === 1 ? all : all.filter((number) => number % 2 === 0);
      t.deepEqual(await source.data(wanted.length), wanted);
      t.is(source.events.length, wanted.length);
    }
  });

  test(`who left before the first event gets all of them when it comes back, ${on}`, async (t) => {
    const news = open();
    const server = await serveGet(t, (req) => news.subscribe(req), { ioThreads });
    const first = await subscribe(t, server);
    await first.until(({ lastEventId }) => lastEventId !== '', 'an id');
    first.leave();
    await until(() => news.size === 0, 'it left');
    news.publish({ data: 1 });
    news.publish({ data: 2 });
    const second = await subscribe(t, server, '/', first.lastEventId);
    t.deepEqual(await second.data(2), [1, 2]);
    const fresh = await subscribe(t, server);
    await until(() => news.size === 2, 'both are there');
    news.publish({ data: 3 });
    t.deepEqual(await second.data(3), [1, 2, 3]);
    t.deepEqual(await fresh.data(1), [3]);
  });

  test(`a client past the history is told so, and goes on from there, ${on}`, async (t) => {
    const few = open({ history: { events: 3 } });
    const small = open({ history: { bytes: 100 } });
    const routes = { '/few': { get: (req) => few.subscribe(req) } };
    routes['/small'] = { get: (req) => small.subscribe(req) };
    const server = await serve(t, routes, { ioThreads });
    // "id: 0123456789ab-1\ndata: 1\n\n" is of 28 bytes: of them, three are within 100.
    for (const [path, news] of Object.entries({ '/few': few, '/small': small })) {
      const ids = numbers(6).map((data) => news.publish({ data }));
      const within = await subscribe(t, server, path, ids[2]);
      t.deepEqual(await within.data(3), [4, 5, 6], path);
      for (const id of [ids[1], 'what', `${ids[5].split('-')[0]}-7`, 'ffffffffffff-3']) {
        const past = await subscribe(t, server, path, id);
        await past.until(({ events }) => events.length > 0, 'reset');
        t.deepEqual(
          past.events,
          [{ type: 'reset', data: '', lastEventId: ids[5] }],
          `${path} ${id}`,
        );
        past.leave();
      }
      const next = await subscribe(t, server, path, ids[0]);
      await until(() => news.size === 2, 'subscribed');
      news.publish({ data: 7 });
      await next.until(({ events }) => events.length === 2, 'the next');
      t.is(next.events[1].data, '7');
    }
  });
}
