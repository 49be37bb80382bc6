// Streams in which nothing happens for longer than a connection may be idle.

import test from 'ava';
import { sse, stream } from 'wapix';
import { CERT, KEY } from './helpers/certificate.mjs';
import { opener } from './helpers/channel.mjs';
import { connect, requestBytes } from './helpers/client.mjs';
import { once, until } from './helpers/events.mjs';
import { session } from './helpers/http2.mjs';
import { serve } from './helpers/server.mjs';
import { manual } from './helpers/source.mjs';

const open = opener('silent streams');
const TLS = { https: { key: KEY, cert: CERT } };

/** How a client asks for `path` on a connection of its own, and how one that is idle is closed. */
const http1 = (tls) => ({
  async ask(t, server, path) {
    const client = await connect(t, server, { tls });
    client.send(requestBytes(`GET ${path}`));
    await client.head();
    return { has: (text) => client.bytes.includes(text), over: () => client.ending };
  },
  async idle(t, server) {
    await (await connect(t, server, { tls })).ended();
  },
});

const http2 = (scheme) => ({
  async ask(t, server, path) {
    const client = await session(t, server, scheme);
    const sent = client.request({ ':path': path });
    sent.on('error', () => {});
    await once(sent, 'response');
    let got = '';
    sent.setEncoding('utf8').on('data', (text) => {
      got += text;
    });
    return { has: (text) => got.includes(text), over: () => sent.closed || client.closed };
  },
  async idle(t, server) {
    await once(await session(t, server, scheme), 'close');
  },
});

for (const [how, { ask, idle }, options] of [
  ['HTTP/1.1', http1(false), {}],
  ['HTTP/1.1 and TLS', http1(true), TLS],
  ['HTTP/2', http2('http'), {}],
  ['HTTP/2 and TLS', http2('https'), TLS],
]) {
  test(`a silent stream is not idle, and gets what comes at last: ${how}`, async (t) => {
    const [plain, events, objects] = [manual(), manual(), manual({ objectMode: true })];
    const news = open({ heartbeat: 0 });
    const server = await serve(
      t,
      {
        '/stream': { get: () => stream(plain) },
        '/events': { get: () => stream(events, 'text/event-stream') },
        '/sse': { get: () => sse(objects, { heartbeat: 0 }) },
        '/channel': { get: (req) => news.subscribe(req) },
      },
      { keepAliveTimeout: 500, ...options },
    );
    const paths = ['/stream', '/events', '/sse', '/channel'];
    const clients = await Promise.all(paths.map((path) => ask(t, server, path)));
    // One after the other: far longer than one may be idle.
    for (let count = 0; count < 3; count += 1) await idle(t, server);
    for (const [index, client] of clients.entries()) t.falsy(client.over(), paths[index]);
    plain.push('data: at last\n\n');
    events.push('data: at last\n\n');
    objects.push({ data: 'at last' });
    news.publish({ data: 'at last' });
    for (const [index, client] of clients.entries()) {
      await until(() => client.has('data: at last\n\n'), `the event on ${paths[index]}`);
    }
  });
}
