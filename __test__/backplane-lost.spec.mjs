// A Redis that has lost its stream: nobody waits in silence for what will not come.

import test from 'ava';
import { startApp } from './helpers/backplane.mjs';
import { subscribe } from './helpers/event-source.mjs';
import { until } from './helpers/events.mjs';
import { startRedis } from './helpers/redis.mjs';

// There is no Redis for Windows.
const withRedis = process.platform === 'win32' ? test.skip : test;

const KEY = 'wapix:channel:news';
/** An id that a Redis whose clock was right would give in the year 2286. */
const LATER = '9999999999999-0';

async function follow(t, app, lastEventId) {
  const source = await subscribe(t, app, '/', lastEventId);
  return source.until((source) => source.lastEventId !== '', 'an id');
}

/** Publishes until Redis is there again. */
async function publish(app, data) {
  let published;
  await until(async () => {
    published = await app.publish(data);
    return published.id !== undefined;
  }, 'Redis is found');
  return published.id;
}

withRedis(
  'Redis begins anew with its clock set back: everybody is told, and goes on',
  async (t) => {
    const server = await startRedis(t);
    const app = await startApp(t, server);
    const here = await follow(t, app);
    await server.ask('XADD', KEY, LATER, 'e', '"data: 1\\n"');
    await here.data(1);
    const late = await subscribe(t, app, '/', LATER);
    await until(async () => (await app.ask('size')) === 2, 'it is subscribed');
    await server.kill();
    await server.forget();
    await server.start();
    await here.until(({ events }) => events.length === 2, 'reset');
    t.is(here.events[1].type, 'reset');
    const id = await publish(app, 2);
    await here.until(({ events }) => events.length === 3, 'the event after');
    t.deepEqual(here.events[2], { type: 'message', data: '2', lastEventId: id });

    await late.until(({ events }) => events.length === 2, 'the event after the reset');
    t.deepEqual(late.events, here.events.slice(1));

    // Who was not there at the time, at a process that has heard of it and at one that has not.
    const other = await startApp(t, server);
    await follow(t, other);
    const returning = [app, other].flatMap((at) =>
      [LATER, '18446744073709551615-18446744073709551615'].map(async (lost) => {
        const back = await subscribe(t, at, '/', lost);
        await back.until(({ events }) => events.length === 1, 'reset');
        t.deepEqual(back.events, [{ type: 'reset', data: '', lastEventId: id }]);
      }),
    );
    await Promise.all(returning);
  },
);

withRedis('who comes back to a process that is behind is not reset', async (t) => {
  const server = await startRedis(t);
  const app = await startApp(t, server);
  const here = await follow(t, app);
  const first = await publish(app, 1);
  const [time] = first.split('-');
  const ahead = `${Number(time) + 60_000}-0`;
  const back = await subscribe(t, app, '/', ahead);
  await server.ask('XADD', KEY, `${Number(time) + 59_999}-0`, 'e', '"data: 2\\n"');
  await server.ask('XADD', KEY, ahead, 'e', '"data: 3\\n"');
  await here.data(3);
  const last = await publish(app, 4);
  await back.until(({ lastEventId }) => lastEventId === last, 'the event after');
  t.deepEqual(await back.data(1), [4]);
});

withRedis('Redis loses what had waited for it: it is not sent again and again', async (t) => {
  const server = await startRedis(t);
  const app = await startApp(t, { url: server.url, queue: 3 });
  const here = await follow(t, app);
  await publish(app, 0);
  await server.kill();
  const waiting = app.publish(1);
  await here.data(2);
  // It takes the event, and loses it before it can be read.
  await server.start('--user', 'default', 'on', 'nopass', '~*', '&*', '+@all', '-xread', '-xrange');
  t.truthy((await waiting).id);
  await server.ask('DEL', KEY);
  await server.ask('ACL', 'SETUSER', 'default', '+xread', '+xrange');
  await here.until(({ events }) => events.at(-1).type === 'reset', 'reset');
  const { lastEventId } = here;
  await publish(app, 2);
  await here.until(({ events }) => events.at(-1).data === '2', 'the event after');
  const back = await subscribe(t, app, '/', lastEventId);
  await publish(app, 3);
  t.deepEqual(await back.data(2), [2, 3]);
});

withRedis('what Redis has no memory for is refused, and sent once', async (t) => {
  const server = await startRedis(t);
  // All of them may wait for this process, which is busy with publishing them.
  const app = await startApp(t, { url: server.url, options: { queue: 16 * 1024 * 1024 } });
  const here = await follow(t, app);
  await server.ask('CONFIG', 'SET', 'maxmemory', '4mb');
  const text = 'x'.repeat(20_000);
  const published = await Promise.all(
    Array.from({ length: 400 }, (_, number) => app.publish({ number, text })),
  );
  const ids = published.map(({ id }) => id).filter((id) => id !== undefined);
  t.true(ids.length < 400);
  const { message } = published.find(({ id }) => id === undefined);
  t.regex(message, /only: OOM command not allowed when used memory > 'maxmemory'\.$/);
  await server.ask('CONFIG', 'SET', 'maxmemory', '0');
  ids.push(await publish(app, { number: 400 }));
  await here.until(({ lastEventId }) => lastEventId === ids.at(-1), 'the last');
  t.is(Number(/:(\d+)/.exec(await server.ask('XLEN', KEY))[1]), ids.length);
  const got = here.events.map(({ data }) => JSON.parse(data).number);
  const once = got.filter((number) => number < 400);
  t.is(once.length, 400);
  t.is(new Set(once).size, 400);
  await until(() => app.stderr.includes('Redis can be written again'), 'the log says so');
  t.regex(app.stderr, /Redis cannot be written \(wapix:channel:news\): OOM command/);
});
