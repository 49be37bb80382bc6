// The streaming guide: event streams.

import { connect as connectTcp, createServer as createTcp } from 'node:net';
import { runInNewContext } from 'node:vm';
import { EventSource } from 'undici';
import { within } from './helpers/deadline.mjs';
import { deferred, once } from './helpers/events.mjs';
import { listeners, runsEveryBlock, shows, showsAltered } from './helpers/guide-streaming.mjs';
import { FILES } from './helpers/guide-streaming-app.mjs';

shows(
  'a line of time every second, until the client leaves',
  ['src/routes/events/get.ts'],
  async (t, app) => {
    const client = await app.open('/events');
    const fields = new Map((await client.head()).fields);
    t.is(fields.get('content-type'), 'text/event-stream');
    t.is(fields.get('cache-control'), 'no-cache');
    for (let event = 0; event < 3; event += 1) {
      t.regex(await client.through('\n\n'), /data: 20\d\d-\d\d-\d\dT[\d:.]+Z\n\n$/);
    }
    client.end();
    await app.idle();
  },
);

const NEWS = ['src/news.ts', 'src/routes/news/get.ts', 'src/routes/news/post.ts'];

/** The next piece of news for `client`; heartbeats are passed over. */
function next(client) {
  const reading = (async () => {
    for (;;) {
      const event = await client.through('\n\n');
      const [, id, data] = /id: (\d+)\ndata: (.*)\n\n$/.exec(event) ?? [];
      if (id !== undefined) return { id, text: JSON.parse(data) };
    }
  })();
  return within(reading, 'a piece of news');
}

shows(
  'a page reads what a model answers, word by word',
  ['src/model.ts', 'src/routes/answers/post.ts', 'page/ask.js'],
  async (t, app) => {
    const page = {
      fetch: (path, options) => fetch(new URL(path, app.origin), options),
      TextDecoderStream,
    };
    const ask = runInNewContext(`${FILES['page/ask.js']}; ask`, page);
    const shown = [];
    await within(
      ask('why?', ({ token }) => shown.push(token)),
      'the whole answer',
    );
    t.deepEqual(shown, ['You ', 'asked: ', 'why? ']);
  },
);

shows('news reach who listens, and who comes back gets what was missed', NEWS, async (t, app) => {
  const publish = async (text) => t.is((await app.post('/news', { text })).status, 204);
  await publish('before anybody came');
  const one = await app.open('/news');
  const other = await app.open('/news', { 'last-event-id': 'nonsense' });
  await app.state(listeners(2));
  await publish('two\nlines');
  const first = await next(one);
  t.is(first.text, 'two\nlines');
  t.is((await next(other)).text, 'two\nlines');

  one.reset();
  other.end();
  await app.idle();
  for (const text of ['missed', 'missed, too']) await publish(text);

  const again = await app.open('/news', { 'last-event-id': first.id });
  t.is((await next(again)).text, 'missed');
  t.is((await next(again)).text, 'missed, too');
  await publish('live');
  t.is((await next(again)).text, 'live');

  const all = await app.open('/news', { 'last-event-id': '0' });
  t.is((await next(all)).text, 'before anybody came');
  t.is((await app.post('/news', { text: 7 })).status, 400);
});

shows('news: a quiet stream has a heartbeat, and is not to be buffered', NEWS, async (t, app) => {
  const client = await app.open('/news');
  const { fields } = await client.head();
  t.is(new Map(fields).get('x-accel-buffering'), 'no');
  for (let beat = 0; beat < 2; beat += 1) await client.through(': still here\n\n');
});

showsAltered('news: who reads too slowly is cut off, and nobody else', async (t, app) => {
  const slow = await app.open('/news');
  const other = await app.open('/news');
  await app.state(listeners(2));
  slow.stall();
  const text = 'x'.repeat(500_000);
  let sent = 0;
  do {
    t.is((await app.post('/news', { text })).status, 204);
    t.is((await next(other)).text, text);
    sent += text.length;
    t.true(sent < 100e6, 'what is sent must not pile up');
  } while ((await app.get('/state')).json.listeners === 2);
  await app.state(listeners(1));
  await app.logged(/GET \/news failed: Error: the client reads too slowly/);
  slow.resume();
  await slow.ended();
  t.not(slow.bytes.toString('latin1').slice(-5), '0\r\n\r\n', 'it must not look complete');
  await app.post('/news', { text: 'on it goes' });
  t.is((await next(other)).text, 'on it goes');
});

/** A way to `port` whose connections can be cut. */
async function cuttable(t, port) {
  const sockets = new Set();
  const proxy = createTcp((socket) => {
    const server = connectTcp(port, '127.0.0.1');
    for (const each of [socket, server]) sockets.add(each.on('error', () => {}));
    socket.pipe(server).pipe(socket);
  });
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  t.teardown(() => {
    cut();
    proxy.close();
  });
  await once(proxy.listen(0, '127.0.0.1'), 'listening');
  return { origin: `http://127.0.0.1:${proxy.address().port}`, cut };
}

shows(
  'the page shows all news once, connection lost or not',
  ['src/routes/get.ts', ...NEWS],
  async (t, app) => {
    const { origin, cut } = await cuttable(t, app.port);
    const html = await app.get('/');
    t.is(html.field('content-type'), 'text/html; charset=utf-8');
    const [, script] = /<script>([\s\S]*)<\/script>/.exec(html.text);

    // As much of a browser as the page needs.
    const shown = [];
    let changed = deferred();
    const list = {
      append({ textContent }) {
        shown.push(textContent);
        changed.resolve();
        changed = deferred();
      },
    };
    const sources = [];
    class PageSource extends EventSource {
      constructor(url) {
        super(new URL(url, origin));
        sources.push(this);
      }
    }
    const document = {
      createElement: () => ({}),
      querySelector: (name) => (html.text.includes(`<${name}>`) ? list : null),
    };
    const showing = async (texts) => {
      while (shown.length < texts.length) await within(changed.promise, `showing ${texts}`);
      t.deepEqual(shown, texts);
    };
    runInNewContext(script, { EventSource: PageSource, document });

    await app.state(listeners(1));
    await app.post('/news', { text: 'first' });
    await showing(['first']);
    cut();
    await app.idle();
    await app.post('/news', { text: '<missed>' });
    await app.state(listeners(1));
    await app.post('/news', { text: 'last' });
    await showing(['first', '<missed>', 'last']);
    for (const source of sources) source.close();
  },
);

runsEveryBlock('events');
