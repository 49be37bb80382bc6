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

/** Publishes once there is room again. */
async function publish(app) {
  await until(async () => (await app.publish('last')).id !== undefined, 'Redis is found');
}

withRedis('an ordinary burst is taken; of one without end, as many events as may be', async (t) => {
  const server = await startRedis(t);
  const network = await startCut(t, server.path);
  const app = await startApp(t, network);
  t.deepEqual(await app.ask('burst', { count: 10_000, bytes: 10 }), [
    ['acknowledged', numbers(10_000)],
  ]);
  const here = await subscribe(t, app);
  network.stop();
  const [[tooMuch, refused], [unanswered, within], ...others] = await app.ask('burst', {
    count: 100_010,
    bytes: 10,
  });
  t.regex(tooMuch, TOO_MUCH);
  t.deepEqual(refused, numbers(10, 100_000));
  t.regex(unanswered, /^WAPIX_BACKPLANE_UNAVAILABLE/);
  t.notRegex(unanswered, TOO_MUCH);
  t.deepEqual(within, numbers(100_000));
  t.deepEqual(others, []);
  // As whatever Redis does not take, those that were one too many came to who is here.
  await here.until(({ events }) => events.length === 100_010, 'all of them');
  network.goOn();
  await publish(app);
});

withRedis('and as many bytes; a queue that was asked for is not cut short', async (t) => {
  const server = await startRedis(t);
  const network = await startCut(t, server.path);
  const [app, queueing] = [await startApp(t, network), await startApp(t, { ...network, queue: 6 })];
  network.stop();
  const burst = { count: 8, bytes: 20 << 20 };
  const queued = queueing.ask('burst', burst);
  const [[tooMuch, refused], [unanswered, within]] = await app.ask('burst', burst);
  t.regex(tooMuch, TOO_MUCH);
  t.deepEqual(refused, numbers(5, 3));
  t.notRegex(unanswered, TOO_MUCH);
  t.deepEqual(within, numbers(3));
  await until(() => /cannot be written/.test(queueing.stderr), 'Redis is missed');
  network.goOn();
  const [[atOnce, more], taken, ...others] = await queued;
  t.regex(atOnce, TOO_MUCH);
  t.deepEqual(more, numbers(2, 6));
  t.deepEqual(taken, ['acknowledged', numbers(6)]);
  t.deepEqual(others, []);
  await publish(app);
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
