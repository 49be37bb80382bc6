// Channels of several processes: their events are in Redis.

import test from 'ava';
import { channel, redis } from 'wapix';
import { startApp } from './helpers/backplane.mjs';
import { REDIS } from './helpers/certificate.mjs';
import { subscribe } from './helpers/event-source.mjs';
import { until } from './helpers/events.mjs';
import { overTls, startRedis } from './helpers/redis.mjs';

// There is no Redis for Windows.
const withRedis = process.platform === 'win32' ? test.skip : test;

const start = (t, { url }, settings) => startApp(t, { url, ...settings });

/** A client that knows where it is in the stream. */
async function follow(t, app, lastEventId) {
  const source = await subscribe(t, app, '/', lastEventId);
  return source.until((source) => source.lastEventId !== '', 'an id');
}

withRedis(
  'every process gets every event in one order, and a client goes on at another',
  async (t) => {
    const server = await startRedis(t);
    const apps = [await start(t, server), await start(t, server)];
    const [here, there] = [await follow(t, apps[0]), await follow(t, apps[1])];
    const published = await Promise.all(
      Array.from({ length: 200 }, (_, number) => apps[number % 2].publish(number)),
    );
    const got = await here.data(200);
    t.deepEqual(await there.data(200), got);
    t.deepEqual(
      [...got].sort((a, b) => a - b),
      Array.from({ length: 200 }, (_, number) => number),
    );
    for (const { data, lastEventId } of here.events) t.is(published[data].id, lastEventId);
    const { lastEventId } = here.events[49];
    t.deepEqual(await (await follow(t, apps[1], lastEventId)).data(150), got.slice(50));

    // All of them end: what they published is still there.
    for (const app of apps) await app.stop();
    const again = await start(t, server);
    await follow(t, again);
    t.deepEqual(await (await follow(t, again, lastEventId)).data(150), got.slice(50));
  },
);

withRedis(
  'a process started later knows as much of the history as one that was there',
  async (t) => {
    const settings = { url: (await startRedis(t)).url, options: { history: { events: 2 } } };
    const app = await startApp(t, settings);
    const ids = [];
    for (const number of [0, 1, 2, 3]) ids.push((await app.publish(number)).id);
    const late = await startApp(t, settings);
    for (const at of [app, late]) {
      const fresh = await follow(t, at);
      await fresh.until(({ lastEventId }) => lastEventId === ids[3], 'all of it is known');
      t.deepEqual(await (await follow(t, at, ids[1])).data(2), [2, 3]);
      const [{ type }] = (await follow(t, at, ids[0])).events;
      t.is(type, 'reset');
    }
  },
);

withRedis(
  'without Redis: subscribers here go on, publishing says so, and later nothing is missing',
  async (t) => {
    const server = await startRedis(t);
    const [app, other] = [await start(t, server), await start(t, server)];
    const [here, there] = [await follow(t, app), await follow(t, other)];
    const before = await app.publish(1);
    await there.data(1);
    await server.kill();
    t.is((await app.publish(2)).error, 'WAPIX_BACKPLANE_UNAVAILABLE');
    t.deepEqual(await here.data(2), [1, 2]);
    t.is(here.lastEventId, before.id);
    await server.start();
    let after;
    await until(async () => {
      after = await other.publish(3);
      return after.id !== undefined;
    }, 'Redis is found again');
    await here.until(({ lastEventId }) => lastEventId === after.id, 'the event after');
    await there.until(({ lastEventId }) => lastEventId === after.id, 'the event after');
    const back = await follow(t, app, before.id);
    t.deepEqual(await back.data(1), [3]);
  },
);

withRedis('a Redis that does not answer is one that is not there', async (t) => {
  const server = await startRedis(t);
  const [app, other] = [await start(t, server), await start(t, server)];
  const [here, there] = [await follow(t, app), await follow(t, other)];
  await app.publish(1);
  await here.data(1);
  server.stall();
  t.is((await app.publish(2)).error, 'WAPIX_BACKPLANE_UNAVAILABLE');
  t.deepEqual(await here.data(2), [1, 2]);
  server.resume();
  let after;
  await until(async () => {
    after = await other.publish(3);
    return after.id !== undefined;
  }, 'Redis is found again');
  for (const source of [here, there]) {
    await source.until(({ lastEventId }) => lastEventId === after.id, 'the event after');
  }
});

withRedis('events that wait for Redis are sent once here, and later everywhere', async (t) => {
  const server = await startRedis(t);
  const [app, other] = [await start(t, server, { queue: 3 }), await start(t, server, { queue: 3 })];
  const [here, there] = [await follow(t, app), await follow(t, other)];
  await server.kill();
  const publishing = [1, 2, 3, 4, 5].map((data) => app.publish(data));
  t.deepEqual(await here.data(5), [1, 2, 3, 4, 5]);
  for (const refused of publishing.slice(3)) {
    t.is((await refused).error, 'WAPIX_BACKPLANE_UNAVAILABLE');
  }
  await server.start();
  const ids = (await Promise.all(publishing.slice(0, 3))).map(({ id }) => id);
  t.deepEqual(await there.data(3), [1, 2, 3]);
  await here.until(({ lastEventId }) => lastEventId === ids[2], 'the id of the last');
  t.is(here.events.length, 5);
  t.deepEqual(
    there.events.map(({ lastEventId }) => lastEventId),
    ids,
  );
});

withRedis('a client that comes back while events wait for Redis gets them', async (t) => {
  const server = await startRedis(t);
  const app = await start(t, server, { queue: 3 });
  const here = await follow(t, app);
  const before = await app.publish(0);
  await here.data(1);
  await server.kill();
  const publishing = [1, 2].map((data) => app.publish(data));
  await here.data(3);
  const back = await subscribe(t, app, '/', before.id);
  const fresh = await subscribe(t, app);
  await server.start();
  const [, { id }] = await Promise.all(publishing);
  for (const source of [here, back, fresh]) {
    await source.until(({ lastEventId }) => lastEventId === id, 'the id of the last');
  }
  t.deepEqual(await back.data(2), [1, 2]);
  t.is(here.events.length, 3);
  t.is(fresh.events.length, 0);
  const later = await app.publish(3);
  const again = await subscribe(t, app, '/', id);
  await again.until(({ lastEventId }) => lastEventId === later.id, 'the event after');
  t.deepEqual(await again.data(1), [3]);
});

withRedis('a process that has never reached Redis has its clients come again', async (t) => {
  const server = await startRedis(t);
  const first = await start(t, server);
  await follow(t, first);
  const { id } = await first.publish(1);
  await first.publish(2);
  await server.kill();
  const app = await start(t, server);
  const early = await subscribe(t, app, '/', id);
  await early.until(({ ending }) => ending, 'the end');
  t.deepEqual(
    early.events.map(({ type }) => type),
    ['reconnect'],
  );
  const fresh = await subscribe(t, app);
  await server.start();
  await fresh.until(({ lastEventId }) => lastEventId !== '', 'Redis is found');
  t.deepEqual(await (await follow(t, app, id)).data(1), [2]);
});

withRedis('an entry that is no event is passed over, once', async (t) => {
  const server = await startRedis(t);
  const app = await start(t, server);
  const source = await follow(t, app);
  await app.publish(1);
  await source.data(1);
  const readings = async () =>
    Number(/cmdstat_xread:calls=(\d+)/.exec(await server.ask('INFO', 'commandstats'))[1]);
  await server.ask('XADD', 'wapix:channel:news', '*', 'somebody', 'else');
  const before = await readings();
  for (let round = 0; round < 50; round += 1) await server.ask('PING');
  const made = (await readings()) - before;
  t.true(made < 10, `${made} readings`);
  await app.publish(2);
  t.deepEqual(await source.data(2), [1, 2]);
});

test('an address that is none is refused where it is written', (t) => {
  for (const options of [
    { url: 'http://a' },
    { url: 'localhost:6379' },
    { url: '' },
    { url: 7 },
    { url: 'redis://a', queue: -1 },
    { url: 'redis://a', queu: 1 },
  ]) {
    t.throws(() => redis(options), { code: 'WAPIX_INVALID_OPTION' }, JSON.stringify(options));
  }
  for (const none of [undefined, null, 'redis://a']) {
    t.throws(() => redis(none), { code: 'WAPIX_INVALID_OPTION' });
  }
  const backplane = { url: 'http://a', queue: 0 };
  t.throws(() => channel('no address', { backplane }), { code: 'WAPIX_INVALID_OPTION' });
});

withRedis('over TLS, where the certificate is one that the system trusts', async (t) => {
  const url = await overTls(t, await startRedis(t));
  const app = await startApp(t, { url }, { SSL_CERT_FILE: REDIS.authorityFile });
  const client = await follow(t, app);
  const { id } = await app.publish(1);
  t.deepEqual(await client.data(1), [1]);
  t.is(client.lastEventId, id);

  const other = await startApp(t, { url });
  t.is((await other.publish(2)).error, 'WAPIX_BACKPLANE_UNAVAILABLE');
  await until(() => /certificate/.test(other.stderr), 'the log says why');
});
