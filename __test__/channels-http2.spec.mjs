// Channels over HTTP/2: many subscribers of one connection.

import { setImmediate as turn } from 'node:timers/promises';
import test from 'ava';
import { channel } from 'wapix';
import { CERT, KEY } from './helpers/certificate.mjs';
import { within } from './helpers/deadline.mjs';
import { EventParser } from './helpers/event-source.mjs';
import { once, until } from './helpers/events.mjs';
import { session } from './helpers/http2.mjs';
import { serveGet, stop } from './helpers/server.mjs';

let names = 0;

/** A subscriber on a stream of `client`: what it has got. */
async function subscribe(client, lastEventId) {
  const id = lastEventId === undefined ? {} : { 'last-event-id': lastEventId };
  const stream = client.request({ ':path': '/', ...id });
  stream.on('error', () => {});
  const parser = new EventParser(lastEventId);
  await once(stream, 'response');
  stream.setEncoding('utf8').on('data', (text) => parser.push(text));
  return {
    stream,
    parser,
    got: () => parser.events.map(({ data }) => (data[0] === 'x' ? data : JSON.parse(data))),
  };
}

for (const ioThreads of [1, 0]) {
  for (const [over, scheme, options] of [
    ['cleartext', 'http', {}],
    ['TLS', 'https', { https: { key: KEY, cert: CERT } }],
  ]) {
    test(`subscribers of one connection over ${over} get what they missed, what comes, and are let go, ioThreads: ${ioThreads}`, async (t) => {
      const news = channel(`http2 ${names++}`);
      const server = await serveGet(t, (req) => news.subscribe(req), { ioThreads, ...options });
      const client = await session(t, server, scheme);
      const ids = [1, 2, 3].map((data) => news.publish({ data }));
      const fresh = await subscribe(client);
      const back = await subscribe(client, ids[0]);
      await until(() => news.size === 2, 'both are there');
      news.publish({ data: 4 });
      await until(() => fresh.got().length === 1 && back.got().length === 3, 'the event');
      t.deepEqual([fresh.got(), back.got()], [[4], [2, 3, 4]]);
      fresh.stream.close(8);
      await until(() => news.size === 1, 'one has left');
      news.publish({ data: 'x'.repeat(1_000_000) });
      news.publish({ data: 5 });
      await until(() => back.got().length === 5, 'the last event');
      t.is(back.got()[3].length, 1_000_000);
      t.is(fresh.got().length, 1);
    });
  }

  test(`a server that closes ends its subscribers' streams, who are told when to come back, ioThreads: ${ioThreads}`, async (t) => {
    const news = channel(`http2 ${names++}`, { retry: 500 });
    const server = await serveGet(t, (req) => news.subscribe(req), { ioThreads });
    const client = await session(t, server);
    const subscribers = await Promise.all([subscribe(client), subscribe(client)]);
    await until(() => news.size === 2, 'both are there');
    const id = news.publish({ data: 'last' });
    const ends = subscribers.map(({ stream }) => once(stream, 'end'));
    await stop(server);
    await Promise.all(ends);
    for (const { stream, parser } of subscribers) {
      t.is(stream.rstCode, 0);
      t.deepEqual(parser.events, [
        { type: 'message', data: 'last', lastEventId: id },
        { type: 'reconnect', data: '', lastEventId: id },
      ]);
    }
    t.deepEqual(subscribers.map(({ parser }) => parser.retry).sort(), [500, 750]);
    t.is(news.size, 0);
  });

  test(`a slow subscriber's stream is reset, and the others of its connection go on, ioThreads: ${ioThreads}`, async (t) => {
    const news = channel(`http2 ${names++}`, { queue: 64 * 1024 });
    const server = await serveGet(t, (req) => news.subscribe(req), { ioThreads });
    const client = await session(t, server);
    const [slow, quick] = [await subscribe(client), await subscribe(client)];
    await until(() => news.size === 2, 'both are there');
    slow.stream.pause();
    const reset = once(slow.stream, 'close');
    let published = 0;
    while (news.size === 2) {
      news.publish({ data: { number: published++, text: 'x'.repeat(10_000) } });
      await until(() => quick.got().length === published, 'it is with the quick one');
      await turn();
    }
    slow.stream.resume();
    await within(reset, 'the reset');
    t.not(slow.stream.rstCode, 0);
    news.publish({ data: { number: published++ } });
    await until(() => quick.got().length === published, 'all events');
    t.deepEqual(
      quick.got().map(({ number }) => number),
      Array.from({ length: published }, (_, number) => number),
    );
  });
}
