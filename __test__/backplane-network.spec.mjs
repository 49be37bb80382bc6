// What is between a process and its Redis: idle connections that end, little of a network, large events.

import { connect } from 'node:net';
import test from 'ava';
import { startApp } from './helpers/backplane.mjs';
import { startCut } from './helpers/cut.mjs';
import { subscribe } from './helpers/event-source.mjs';
import { until } from './helpers/events.mjs';
import { startRedis } from './helpers/redis.mjs';

// There is no Redis for Windows.
const withRedis = process.platform === 'win32' ? test.skip : test;

withRedis(
  'Redis ends a connection that was idle: what is published then is not lost',
  async (t) => {
    const server = await startRedis(t);
    const app = await startApp(t, server);
    t.truthy((await app.publish(1)).id);
    await server.ask('CONFIG', 'SET', 'timeout', '1');
    const isWriting = async () => /cmd=exec/.test(await server.ask('CLIENT', 'LIST'));
    t.true(await isWriting());
    await until(async () => !(await isWriting()), 'it is ended');
    t.truthy((await app.publish(2)).id);
  },
);

withRedis('what needs longer than Redis has for an answer is sent once', async (t) => {
  const server = await startRedis(t);
  const { url } = await startCut(t, server.path, 1_000_000);
  const app = await startApp(t, { url, queue: 20 });
  const here = await subscribe(t, app);
  t.truthy((await app.publish(0)).id);
  const text = 'x'.repeat(250_000);
  const publishing = Array.from({ length: 10 }, (_, number) => app.publish({ number, text }));
  for (const published of publishing) t.truthy((await published).id);
  const got = (await here.data(11)).slice(1);
  t.deepEqual(
    got.map(({ number }) => number),
    Array.from({ length: 10 }, (_, number) => number),
  );
  t.regex(await server.ask('XLEN', 'wapix:channel:news'), /^:11\r/);
  t.is(app.stderr, '');
});

withRedis(
  'a process that writes to another Redis than it reads notices, and goes over',
  async (t) => {
    const [server, other] = [await startRedis(t), await startRedis(t)];
    const network = await startCut(t, server.path);
    const app = await startApp(t, network);
    const here = await subscribe(t, app);
    await app.publish(1);
    await here.data(1);
    // And back again: who has lost something once can lose something more.
    for (const [from, to] of [
      [server, other],
      [other, server],
    ]) {
      network.turnTo(to.path);
      const list = await from.ask('CLIENT', 'LIST');
      await from.ask('CLIENT', 'KILL', 'ID', /id=(\d+) .*cmd=exec/.exec(list)[1]);
      let after;
      await until(async () => {
        after = await app.publish(2);
        return after.id !== undefined;
      }, 'it is written');
      await here.until(({ events }) => events.at(-1).lastEventId === after.id, 'the reset');
      t.is(here.events.at(-1).type, 'reset');
      const { id } = await app.publish(3);
      await here.until(({ events }) => events.at(-1).lastEventId === id, 'the event after');
    }
    t.regex(app.stderr, /cannot be read .*: what was written is not in it/);
  },
);

withRedis(
  'a new client that comes before the stream has been read is told that it may have missed some',
  async (t) => {
    const server = await startRedis(t);
    const [network, other] = [await startCut(t, server.path), await startApp(t, server)];
    network.stop();
    const app = await startApp(t, network);
    const here = await subscribe(t, app);
    const { id } = await other.publish(1);
    network.goOn();
    await here.until(({ events }) => events.length > 0, 'the reset');
    const [{ type, lastEventId }] = here.events;
    t.deepEqual({ type, lastEventId }, { type: 'reset', lastEventId: id });
  },
);

withRedis('entries of somebody else, more than are read at a time, are passed over', async (t) => {
  const server = await startRedis(t);
  const key = 'wapix:channel:news';
  const add = "for _ = 1, 310 do redis.call('XADD', KEYS[1], '*', 'theirs', '1') end";
  await server.ask('EVAL', add, '1', key);
  await server.ask('XTRIM', key, 'MAXLEN', '300');
  const app = await startApp(t, server);
  const here = await subscribe(t, app);
  t.truthy((await app.publish(1)).id);
  t.deepEqual(await here.data(1), [1]);
});

withRedis('a process reads no more of a stream than it keeps', async (t) => {
  const server = await startRedis(t);
  const app = await startApp(t, server);
  const text = 'x'.repeat(50_000);
  const published = await Promise.all(
    Array.from({ length: 200 }, (_, number) => app.publish({ number, text })),
  );
  await app.stop();
  const sent = async () =>
    Number(/total_net_output_bytes:(\d+)/.exec(await server.ask('INFO', 'stats'))[1]);
  const before = await sent();
  const other = await startApp(t, server);
  const fresh = await subscribe(t, other);
  await fresh.until(({ lastEventId }) => lastEventId === published[199].id, 'the last');
  const back = await subscribe(t, other, '/', published[189].id);
  const got = await back.data(10);
  t.deepEqual([got[0].number, got[9].number], [190, 199]);
  const read = (await sent()) - before;
  t.true(read < 5_000_000, `${read} bytes`);
});

withRedis(
  'a slow client is sent the latest event, not only its id, when Redis has come back',
  async (t) => {
    const server = await startRedis(t);
    const network = await startCut(t, server.path);
    // It has room for two events.
    const where = { path: server.path.replace('socket', 'app') };
    const options = { slow: 'latest', queue: 64 * 1024 };
    const app = await startApp(t, { url: network.url, queue: 100, where, options });
    const client = connect(where.path);
    client.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
    let received = '';
    client.setEncoding('latin1').on('data', (data) => {
      received += data;
    });
    // Or a reset would be the latest, once the stream has been read.
    await until(() => received.includes('id: '), 'the stream has been read');
    client.pause();
    network.break();
    const text = 'x'.repeat(100_000);
    const publishing = Array.from({ length: 30 }, (_, number) => app.publish({ number, text }));
    await until(() => /cannot be written/.test(app.stderr), 'Redis is missed');
    network.goOn();
    for (const published of publishing) t.truthy((await published).id);
    client.resume();
    await until(() => received.includes('"number":29,'), 'the latest');
    client.destroy();
    t.pass();
  },
);
