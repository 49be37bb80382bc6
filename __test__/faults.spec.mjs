// Faults under load: whatever breaks, each client's sequence of event ids is complete and in order.

import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { startApp } from './helpers/backplane.mjs';
import { startCut } from './helpers/cut.mjs';
import { returning, subscribe } from './helpers/event-source.mjs';
import { until } from './helpers/events.mjs';
import { needing } from './helpers/installed.mjs';
import { startNginx } from './helpers/nginx.mjs';
import { startRedis } from './helpers/redis.mjs';
import { lastingPort } from './helpers/server.mjs';

const UNAVAILABLE = 'WAPIX_BACKPLANE_UNAVAILABLE';
// There is no Redis for Windows; elsewhere `startRedis` says how to install it.
const withRedis = process.platform === 'win32' ? test.skip : test;
const withNginx = process.platform === 'win32' ? test.skip : needing(test, 'nginx');

/** More than any of these tests publishes. */
const ALL = { history: { events: 100_000, bytes: 1 << 26 } };
/** How often each process publishes, in milliseconds. */
const PACE = 5;

const at = (app) => {
  const { address: host, port } = app.address();
  return { host, port };
};
// Some are hexadecimal; read like this, decimal ones keep their order.
const partsOf = (id) => id.split('-').map((part) => BigInt(`0x${part}`));
function byId(one, other) {
  const [[time, number], [otherTime, otherNumber]] = [partsOf(one), partsOf(other)];
  return Number(time - otherTime || number - otherNumber);
}

/** Has each of `apps` (which may change) publish numbers, and keeps what became of them. */
function load(t, apps) {
  const acknowledged = new Map();
  const refused = [];
  const all = new Set();
  let last = 0;
  const publish = async (app) => {
    last += 1;
    const data = last;
    const { id, error } = await app.publish(data);
    if (id === undefined) refused.push({ app, data, error });
    else acknowledged.set(id, { app, data });
  };
  const timer = setInterval(() => {
    for (const app of apps.filter(({ isRunning }) => isRunning)) {
      const publishing = publish(app).finally(() => all.delete(publishing));
      all.add(publishing);
    }
  }, PACE);
  t.teardown(() => clearInterval(timer));
  const of = (app) => [...acknowledged.values()].filter((event) => event.app === app).length;
  return {
    acknowledged,
    refused,
    refusedOf: (app) => refused.filter((event) => event.app === app),
    /** Resolves when `count` more events of `app`, or of all, were acknowledged. */
    more(count, app) {
      const now = () => (app === undefined ? acknowledged.size : of(app));
      const enough = now() + count;
      return until(() => now() >= enough, `${count} more events`);
    },
    /** Publishes a last one; resolves to its id. */
    async stop() {
      clearInterval(timer);
      await Promise.all(all);
      await publish(apps.find(({ isRunning }) => isRunning));
      return [...acknowledged.keys()].at(-1);
    },
  };
}

/** What is wrong with the ids that a client got: of the events that were acknowledged, all and each once. */
function account({ events, refused }, acknowledged) {
  const got = events
    .filter(({ lastEventId, data }) => `${acknowledged.get(lastEventId)?.data}` === data)
    .map(({ lastEventId }) => lastEventId);
  const distinct = new Set(got);
  return {
    missing: [...acknowledged.keys()].filter((id) => !distinct.has(id)),
    repeated: got.length - distinct.size,
    misplaced: got.filter((id, index) => index > 0 && byId(got[index - 1], id) >= 0),
    resets: events.filter(({ type }) => type === 'reset').length,
    refused,
  };
}
const RIGHT = { missing: [], repeated: 0, misplaced: [], resets: 0, refused: undefined };

/** Waits until all `sources` are at the `last` id, and counts what they got. */
async function allComplete(t, sources, last, { acknowledged }) {
  const isThere = ({ lastEventId, refused }) => lastEventId === last || refused !== undefined;
  await until(() => sources.every(isThere), 'all clients are at the last event');
  for (const source of sources) t.deepEqual(account(source, acknowledged), RIGHT);
  t.log(`${sources.length} clients, each with all ${acknowledged.size} events`);
}

const connectionsOf = (sources) => sources.reduce((sum, { connections }) => sum + connections, 0);

withNginx('instances behind nginx are killed and started again under load', async (t) => {
  const redis = await startRedis(t);
  const start = (port) =>
    startApp(t, { url: redis.url, options: ALL, where: { port, host: '127.0.0.1' } });
  const ports = [lastingPort(), lastingPort(), lastingPort()];
  const apps = await Promise.all(ports.map(start));
  const root = mkdtempSync(join(tmpdir(), 'wapix-nginx-'));
  t.teardown(() => rmSync(root, { recursive: true }));
  const proxy = lastingPort();
  const servers = ports.map((port) => `server 127.0.0.1:${port} max_fails=0;`).join(' ');
  const config = `upstream wapix { ${servers} }
    server {
      listen 127.0.0.1:${proxy};
      location / {
        proxy_pass http://wapix;
        proxy_http_version 1.1;
        proxy_set_header Connection '';
        proxy_buffering off;
      }
    }`;
  await startNginx(t, root, config, proxy);

  const sources = await returning(t, { host: '127.0.0.1', port: proxy }, 60);
  const events = load(t, apps);
  await events.more(300);
  for (const place of [0, 1]) {
    const size = await apps[place].ask('size');
    t.true(size > 0, 'it has clients');
    const before = connectionsOf(sources);
    await apps[place].stop();
    await until(() => connectionsOf(sources) === before + size, 'its clients have come back');
    await events.more(300);
    apps[place] = await start(ports[place]);
    await events.more(300, apps[place]);
  }
  await allComplete(t, sources, await events.stop(), events);
  t.deepEqual(
    events.refused.filter(({ error }) => error !== 'killed'),
    [],
  );
});

withRedis('Redis is killed and started again under load', async (t) => {
  const redis = await startRedis(t);
  const start = () => startApp(t, { url: redis.url, options: ALL });
  const apps = [await start(), await start(), await start()];
  const sources = (await Promise.all(apps.map((app) => returning(t, at(app), 10)))).flat();
  const events = load(t, apps);
  await events.more(300);
  await redis.kill();
  await until(() => apps.every((app) => events.refusedOf(app).length > 0), 'all say so');
  await redis.start();
  for (const app of apps) await events.more(100, app);
  await allComplete(t, sources, await events.stop(), events);
  t.true(events.refused.every(({ error }) => error === UNAVAILABLE));
});

withRedis('a network that is cut in silence, until both sides have noticed', async (t) => {
  const redis = await startRedis(t);
  const cut = await startCut(t, redis.path);
  const far = await startApp(t, { url: cut.url, options: ALL });
  const near = await startApp(t, { url: redis.url, options: ALL });
  const there = await returning(t, at(far), 20);
  const here = await returning(t, at(near), 20);
  const events = load(t, [near, far]);
  await events.more(100, far);
  cut.stop();
  await until(() => far.stderr.includes('cannot be read'), 'reading fails');
  await until(() => events.refusedOf(far).length > 0, 'publishing fails');
  await events.more(100, near);
  const refused = events.refusedOf(far);
  cut.goOn();
  await until(() => far.stderr.includes('can be read again'), 'Redis is found again');
  await events.more(100, far);
  await allComplete(t, [...here, ...there], await events.stop(), events);
  // Meanwhile, what was refused came to the clients there.
  for (const { events } of there) {
    const got = new Set(events.map(({ data }) => data));
    t.deepEqual(
      refused.filter(({ data }) => !got.has(`${data}`)),
      [],
    );
  }
  t.true(events.refused.every(({ app, error }) => app === far && error === UNAVAILABLE));
  t.is(connectionsOf([...here, ...there]), 40, 'nobody had to come back');
});

withRedis('a network that breaks, while events may wait', async (t) => {
  const redis = await startRedis(t);
  const cut = await startCut(t, redis.path);
  const far = await startApp(t, { url: cut.url, queue: 100_000, options: ALL });
  const near = await startApp(t, { url: redis.url, queue: 100_000, options: ALL });
  const there = await returning(t, at(far), 20);
  const here = await returning(t, at(near), 20);
  const events = load(t, [near, far]);
  await events.more(100, far);
  cut.break();
  await until(() => far.stderr.includes('cannot be read'), 'reading fails');
  await events.more(200, near);
  cut.goOn();
  await events.more(100, far);
  const last = await events.stop();
  t.deepEqual(events.refused, []);
  await allComplete(t, here, last, events);
  // Those there had some of them before their ids.
  await until(() => there.every(({ lastEventId }) => lastEventId === last), 'all are at the last');
  const published = [...events.acknowledged.values()];
  for (const source of there) {
    const got = new Set(source.events.map(({ data }) => data));
    t.deepEqual(
      published.filter(({ data }) => !got.has(`${data}`)),
      [],
    );
  }
});

withRedis('a burst longer than the history reaches who is there', async (t) => {
  const redis = await startRedis(t);
  const start = () => startApp(t, { url: redis.url, options: { history: { events: 10 } } });
  const [app, other] = [await start(), await start()];
  const sources = [...(await returning(t, at(app), 2)), ...(await returning(t, at(other), 2))];
  const published = await Promise.all(Array.from({ length: 900 }, (_, data) => app.publish(data)));
  const acknowledged = new Map(published.map(({ id }, data) => [id, { data }]));
  await allComplete(t, sources, published.at(-1).id, { acknowledged });
});

withRedis(
  'who comes back past what the stream keeps is reset, and so is who was cut off',
  async (t) => {
    const redis = await startRedis(t);
    const cut = await startCut(t, redis.path);
    const options = { history: { events: 10 } };
    const app = await startApp(t, { url: redis.url, options });
    const far = await startApp(t, { url: cut.url, options });
    const [source] = await returning(t, at(far), 1);
    // Another is cut off before the first event.
    const early = await startCut(t, redis.path);
    const fresh = await startApp(t, { url: early.url, options });
    const [empty] = await returning(t, at(fresh), 1);
    early.stop();
    const first = await app.publish('first');
    await until(() => source.lastEventId === first.id, 'the first');
    cut.stop();
    const ids = [];
    for (let number = 0; number < 5000; number += 1) ids.push(app.publish(number));
    const last = (await Promise.all(ids)).at(-1).id;
    const started = await startApp(t, { url: redis.url, options });
    for (const server of [app, started]) {
      const back = await subscribe(t, server, '/', first.id);
      await back.until(({ lastEventId }) => lastEventId === last, 'the last');
      t.deepEqual(back.events, [{ type: 'reset', data: '', lastEventId: last }]);
    }
    t.is(empty.lastEventId, '0-0');
    cut.goOn();
    early.goOn();
    for (const { events } of [source, empty]) {
      await until(() => events.at(-1)?.lastEventId === last, 'the last');
      t.deepEqual(
        events.map(({ type }) => type).filter((type) => type !== 'message'),
        ['reset'],
      );
    }
    const next = await app.publish('next');
    await until(() => source.lastEventId === next.id, 'the next');
    t.deepEqual(source.events.at(-1), { type: 'message', data: 'next', lastEventId: next.id });
  },
);

// On a Unix socket, the system holds little for who does not read.
const onUnixSocket = process.platform === 'win32' ? test.skip : test;

onUnixSocket('1,000 that do not read hold up nobody, and miss nothing', async (t) => {
  const [SLOW, FAST, QUEUE] = [1000, 5, 64 * 1024];
  const root = mkdtempSync(join(tmpdir(), 'wapix-slow-'));
  t.teardown(() => rmSync(root, { recursive: true }));
  const path = join(root, 'socket');
  const app = await startApp(t, { where: { path }, options: { ...ALL, queue: QUEUE } });
  // The number, and not what makes it large.
  const keep = (event) => ({ ...event, data: `${Number.parseInt(event.data, 10)}` });
  const slow = await returning(t, { socketPath: path }, SLOW, keep);
  const fast = await returning(t, { socketPath: path }, FAST, keep);
  t.is(await app.ask('size'), SLOW + FAST);
  for (const source of slow) source.stall();

  const before = await app.ask('memory');
  const filler = 'x'.repeat(8000);
  const acknowledged = new Map();
  let most = before;
  let last;
  const publish = async (data) => {
    const { id } = await app.publish(`${data} ${filler}`);
    acknowledged.set(id, { data });
    await until(() => fast.every(({ lastEventId }) => lastEventId === id), `event ${data}`);
    most = Math.max(most, await app.ask('memory'));
    last = id;
  };
  // As long as one of them is there, and for as many again.
  let count = 0;
  while ((await app.ask('size')) > FAST) await publish(++count);
  for (let more = count; more > 0; more -= 1) await publish(++count);
  t.is(connectionsOf(fast), FAST);
  t.is(connectionsOf(slow), SLOW);
  const bytes = count * filler.length;
  const bound = SLOW * QUEUE + bytes;
  t.true(most - before < bound, `${most - before} bytes more, of ${bound}`);
  t.log(`${(most - before) >> 20} MiB for ${SLOW} slow clients and ${count} events`);

  for (const source of slow) source.resume();
  await allComplete(t, [...slow, ...fast], last, { acknowledged });
  t.is(connectionsOf(slow), 2 * SLOW, 'each was disconnected, and came back');
});

onUnixSocket('of an event larger than a queue there is one, for all who do not read', async (t) => {
  const [COUNT, LENGTH] = [40, 4_000_000];
  const root = mkdtempSync(join(tmpdir(), 'wapix-large-'));
  t.teardown(() => rmSync(root, { recursive: true }));
  const path = join(root, 'socket');
  const app = await startApp(t, { where: { path } });
  const follow = () => {
    const client = { socket: connect(path), length: 0, last: '' };
    t.teardown(() => client.socket.destroy());
    client.socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
    client.socket.setEncoding('latin1').on('data', (text) => {
      client.length += text.length;
      client.last = (client.last + text).slice(-100);
    });
    return client;
  };
  const slow = Array.from({ length: COUNT }, follow);
  const fast = follow();
  await until(async () => (await app.ask('size')) === COUNT + 1, 'all are subscribed');
  for (const { socket } of slow) socket.pause();
  const before = await app.ask('memory');
  await app.publish('x'.repeat(LENGTH));
  // All have been given the event before this one.
  await app.publish('last');
  const hasAll = ({ length, last }) => length > LENGTH && last.includes('data: last\n\n');
  await until(() => hasAll(fast), 'both events');
  const more = (await app.ask('memory')) - before;
  t.true(more < (COUNT * LENGTH) / 2, `${more} bytes more`);
  for (const { socket } of slow) socket.resume();
  await until(() => slow.every(hasAll), 'both events, for all');
});
