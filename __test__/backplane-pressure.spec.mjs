// Publishing faster than Redis takes it, and asking for a Redis that is away.

import test from 'ava';
import { startApp } from './helpers/backplane.mjs';
import { startCut } from './helpers/cut.mjs';
import { subscribe } from './helpers/event-source.mjs';
import { until } from './helpers/events.mjs';
import { startRedis } from './helpers/redis.mjs';

// There is no Redis for Windows.
const withRedis = process.platform === 'win32' ? test.skip : test;

const numbers = (count, first = 0) => Array.from({ length: count }, (_, index) => first + index);
const TOO_MUCH =
  /^WAPIX_BACKPLANE_UNAVAILABLE: channel "news": .* this process only: 100,000 events, or 64 MiB, are on their way/;

/** How many bytes may be on their way. */
const MOST = 64 << 20;

/** Publishes once there is room again. */
async function publish(app) {
  await until(async () => (await app.publish('last')).id !== undefined, 'Redis is found');
}

withRedis('an ordinary burst is taken', async (t) => {
  const app = await startApp(t, await startRedis(t));
  const lengths = numbers(10_000).map(() => 10);
  t.deepEqual(await app.ask('burst', lengths), [['acknowledged', numbers(10_000)]]);
});

withRedis('what is published faster than Redis takes it is refused at once', async (t) => {
  const server = await startRedis(t);
  const network = await startCut(t, server.path);
  const app = await startApp(t, network);
  const here = await subscribe(t, app);
  network.stop();
  const burst = app.ask('burst', [MOST / 2, MOST / 2 - 100, 100, 10]);
  // As whatever Redis does not take, it came to who is here.
  t.deepEqual(
    (await here.until(({ events }) => events.length === 1)).events.map(({ data }) => data.length),
    [100],
  );
  here.leave();
  const [[tooMuch, refused], [unanswered, within], ...others] = await burst;
  t.regex(tooMuch, TOO_MUCH);
  t.deepEqual(refused, [2]);
  t.regex(unanswered, /^WAPIX_BACKPLANE_UNAVAILABLE/);
  t.notRegex(unanswered, TOO_MUCH);
  t.deepEqual(within, [0, 1, 3]);
  t.deepEqual(others, []);
  network.goOn();
  await publish(app);
});

withRedis('a queue that was asked for is not cut short', async (t) => {
  const server = await startRedis(t);
  const network = await startCut(t, server.path);
  const app = await startApp(t, { ...network, queue: 3 });
  network.stop();
  const burst = app.ask('burst', [10, 10, MOST, 10]);
  await until(() => /cannot be written/.test(app.stderr), 'Redis is missed');
  network.goOn();
  const [[tooMuch, refused], taken, ...others] = await burst;
  t.regex(tooMuch, TOO_MUCH);
  t.deepEqual(refused, [3]);
  t.deepEqual(taken, ['acknowledged', [0, 1, 2]]);
  t.deepEqual(others, []);
});

withRedis('a Redis that is away is asked for ever more seldom, and found again', async (t) => {
  const server = await startRedis(t);
  const network = await startCut(t, server.path);
  network.break();
  const app = await startApp(t, { ...network, options: { heartbeat: 100 } });
  const here = await subscribe(t, app);
  // From now on writing asks for it, as reading does.
  t.is((await app.publish(1)).error, 'WAPIX_BACKPLANE_UNAVAILABLE');
  const [before, { comments }] = [network.attempts(), here];
  await here.until((source) => source.comments >= comments + 20, '20 heartbeats');
  const attempts = network.attempts() - before;
  // Each as often as there are heartbeats, where it was after a tenth of a second each time.
  t.true(attempts >= 2 && attempts <= 20, `${attempts}`);
  network.goOn();
  await publish(app);
});

withRedis('a history longer than Redis can count is one without an end', async (t) => {
  const app = await startApp(t, {
    ...(await startRedis(t)),
    options: { history: { events: 1e19 } },
  });
  t.truthy((await app.publish(1)).id);
});
