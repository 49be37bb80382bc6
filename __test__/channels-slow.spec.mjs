// Channels whose clients read slowly, from outside.

import { setImmediate as turn } from 'node:timers/promises';
import test from 'ava';
import { numbers, opener } from './helpers/channel.mjs';
import { connect, requestBytes } from './helpers/client.mjs';
import { within } from './helpers/deadline.mjs';
import { subscribe } from './helpers/event-source.mjs';
import { until } from './helpers/events.mjs';
import { serveGet } from './helpers/server.mjs';

const open = opener('slow');

for (const ioThreads of [1, 3, 0]) {
  const on = ioThreads === 0 ? "in Node's event loop" : `on I/O threads: ${ioThreads}`;

  test(`nothing comes before what a slow client waits for, nor into it, nor does another wait, ${on}`, async (t) => {
    const news = open({ queue: 1 << 26 });
    const server = await serveGet(t, (req) => news.subscribe(req), { ioThreads });
    const slow = await subscribe(t, server);
    const quick = await subscribe(t, server);
    await until(() => news.size === 2, 'both are subscribed');
    let published = 0;
    const publish = (text) => {
      published += 1;
      news.publish({ data: { number: published, text } });
    };
    const large = 'x'.repeat(10_000);
    for (const round of numbers(5)) {
      slow.response.socket.pause();
      // More than sockets hold.
      for (const _ of numbers(1200)) {
        publish(large);
        await turn();
      }
      const waiting = published;
      await quick.until(({ events }) => events.length === waiting, 'all of it, for the other');
      t.true(slow.events.length < waiting);
      t.is(news.size, 2);
      slow.response.socket.resume();
      // Small ones, for which there is room wherever the client has read a little.
      const readOn = () => {
        publish('');
        return slow.events.length >= waiting || slow.ending !== undefined;
      };
      await until(readOn, `what waited in round ${round}`);
    }
    await slow.until(({ events, ending }) => events.length >= published || ending, 'all of it');
    t.is(slow.ending, undefined);
    const got = slow.events.map(({ data }) => JSON.parse(data));
    t.deepEqual(
      got.map(({ number }) => number),
      numbers(published),
    );
    t.true(got.every(({ text }) => text === '' || text === large));
  });

  test(`one event may be larger than the queue, ${on}`, async (t) => {
    const news = open({ queue: 1000 });
    const server = await serveGet(t, (req) => news.subscribe(req), { ioThreads });
    const source = await subscribe(t, server);
    await until(() => news.size === 1, 'subscribed');
    const text = 'x'.repeat(1_000_000);
    for (let count = 1; count <= 3; count += 1) {
      news.publish({ data: text });
      await source.until(({ events }) => events.length === count, 'the event');
      t.true(source.events.at(-1).data === text);
    }
  });

  test(`a slow subscriber is disconnected, delays nobody, and gets all of it later, ${on}`, async (t) => {
    const news = open({ queue: 64 * 1024, history: { events: 1e6, bytes: 1e9 } });
    const server = await serveGet(t, (req) => news.subscribe(req), { ioThreads });
    const slow = await connect(t, server);
    slow.send(requestBytes('GET /'));
    await slow.head();
    slow.stall();
    const quick = await subscribe(t, server);
    await until(() => news.size === 2, 'both are there');
    const data = 'x'.repeat(10_000);
    let sent = 0;
    const publishing = (async () => {
      while (news.size === 2) {
        sent += 1;
        news.publish({ data: { number: sent, data } });
        await quick.until(({ events }) => events.length >= sent, `event ${sent}`);
      }
    })();
    await within(publishing, 'the slow one leaves', 30_000);
    t.is(news.size, 1);
    t.true(sent * data.length > 64 * 1024);
    slow.resume();
    t.regex(await slow.ended(), /end|ECONNRESET/);
    const text = slow.bytes.toString('latin1');
    t.false(text.endsWith('0\r\n\r\n'));
    const ids = [...text.matchAll(/^id: (\S+)$/gm)].map(([, id]) => id);
    // The last may be cut off.
    const again = await subscribe(t, server, '/', ids.at(-2));
    const first = Number(ids.at(-2).split('-')[1]) + 1;
    const got = await again.data(sent - first + 1);
    t.deepEqual(
      got.map(({ number }) => number),
      numbers(sent - first + 1, first),
    );
  });

  test(`of what waits for a slow subscriber the newest is kept, ${on}`, async (t) => {
    const prices = open({ queue: 64 * 1024, slow: 'latest', history: { events: 0 } });
    const server = await serveGet(t, (req) => prices.subscribe(req), { ioThreads });
    const slow = await subscribe(t, server);
    const quick = await subscribe(t, server);
    await until(() => prices.size === 2, 'both are there');
    slow.response.socket.pause();
    const data = 'x'.repeat(10_000);
    const COUNT = 1500;
    for (const number of numbers(COUNT)) {
      prices.publish({ data: { number, data } });
      await quick.until(({ events }) => events.length >= number, `event ${number}`);
    }
    t.is(prices.size, 2);
    slow.response.socket.resume();
    await slow.until(
      ({ events }) => events.at(-1)?.data.includes(`"number":${COUNT},`),
      'the newest',
    );
    const got = slow.events.map(({ data }) => JSON.parse(data).number);
    t.true(got.length < COUNT, `${got.length}`);
    t.deepEqual(
      got,
      [...new Set(got)].sort((a, b) => a - b),
    );
    t.is(slow.ending, undefined);
  });
}

// On Windows there is no event loop to serve in: what is published is written meanwhile.
const inLoop = process.platform === 'win32' ? test.skip : test;

inLoop(
  'of more than may wait for everybody nothing is lost in silence: subscribers are reset, and go on',
  async (t) => {
    const news = open({ queue: 32 << 20 });
    const server = await serveGet(t, (req) => news.subscribe(req), { ioThreads: 0 });
    const source = await subscribe(t, server);
    await until(() => news.size === 1, 'it is subscribed');
    news.publish({ data: { number: -1 } });
    await source.data(1);
    const text = 'x'.repeat(1 << 20);
    // All in one turn of the event loop, in which nothing is written: 64 MiB may wait.
    const ids = numbers(80, 0).map((number) => news.publish({ data: { number, text } }));
    await source.until(({ lastEventId, ending }) => lastEventId === ids[79] || ending, 'the last');
    const [, reset, ...after] = source.events;
    t.is(reset.type, 'reset');
    const first = ids.indexOf(reset.lastEventId) + 1;
    t.true(first >= 60 && first <= 64, `${first}`);
    t.deepEqual(
      after.map(({ data }) => JSON.parse(data).number),
      numbers(80 - first, first),
    );
    t.is(news.size, 1);
  },
);
