// Channels whose clients read slowly, from outside.

import { setImmediate as turn } from 'node:timers/promises';
import test from 'ava';
import { channel } from 'wapix';
import { subscribe } from './helpers/event-source.mjs';
import { until } from './helpers/events.mjs';
import { serveGet } from './helpers/server.mjs';

const numbers = (count) => Array.from({ length: count }, (_, index) => index + 1);

for (const ioThreads of [1, 3, 0]) {
  const on = ioThreads === 0 ? "in Node's event loop" : `on I/O threads: ${ioThreads}`;

  test(`nothing comes before what a slow client waits for, nor into it, ${on}`, async (t) => {
    const news = channel(`read slowly ${on}`, { queue: 1 << 26 });
    const server = await serveGet(t, (req) => news.subscribe(req), { ioThreads });
    const slow = await subscribe(t, server);
    await until(() => news.size === 1, 'it is subscribed');
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
}
