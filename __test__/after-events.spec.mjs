// The connection of an event stream, which lets go of what it needs for requests while events come: it goes
// on when they end.

import { once } from 'node:events';
import { createReadStream, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { stream, text } from 'wapix';
import { connect, requestBytes } from './helpers/client.mjs';
import { closed } from './helpers/events.mjs';
import { captureErrors } from './helpers/log.mjs';
import { serve } from './helpers/server.mjs';
import { manual } from './helpers/source.mjs';

captureErrors();

/** A server with an event stream, which ends when its source does, and `/whole`. */
async function serveEvents(t, headers) {
  const sources = [];
  const events = () => {
    const source = manual();
    sources.push(source);
    return stream(source, 'text/event-stream', headers);
  };
  const server = await serve(t, {
    '/events': { get: events, post: events },
    '/whole': { get: () => text('whole') },
  });
  return { server, sources };
}

/** Sends the head's event, waits for it, and so until the end. */
async function take(t, client, source) {
  for (const event of ['data: 1\n\n', 'data: 22\n\n', `data: ${'3'.repeat(2000)}\n\n`]) {
    source.push(event);
    await client.through(`${event.length.toString(16)}\r\n${event}\r\n`);
  }
  source.push(null);
  t.is(await client.through('\r\n\r\n'), '0\r\n\r\n');
}

const REQUESTS = {
  GET: ['GET /events', {}],
  'GET with a large head': ['GET /events', { 'X-Large': 'x'.repeat(8000) }],
  'GET that names the connection': ['GET /events', { Connection: 'keep-alive, x' }],
  'POST with a body': ['POST /events', { 'Content-Type': 'application/json' }, '{"a":1}'],
  'POST in chunks': ['POST /events', { 'Transfer-Encoding': 'chunked' }],
};
for (const [what, [line, headers, body]] of Object.entries(REQUESTS)) {
  test(`another request is answered after the events of a ${what}`, async (t) => {
    const { server, sources } = await serveEvents(t);
    const client = await connect(t, server);
    for (let time = 0; time < 3; time += 1) {
      client.send(requestBytes(line, headers, body));
      if (what.endsWith('chunks')) client.send('1\r\n7\r\n0\r\n\r\n');
      const { status, fields } = await client.head();
      t.is(status, 200);
      t.false(fields.some(([name]) => name === 'connection'));
      await take(t, client, sources[time]);
      await closed(sources[time]);
      client.send(requestBytes('GET /whole'));
      t.is((await client.response()).text, 'whole');
    }
  });
}

test('requests that came amid the events, or with theirs, are answered behind them', async (t) => {
  const { server, sources } = await serveEvents(t);
  const client = await connect(t, server);
  const [events, whole] = [requestBytes('GET /events'), requestBytes('GET /whole')];
  client.send(Buffer.concat([whole, events, whole, events]));
  t.is((await client.response()).text, 'whole');
  await client.head();
  client.send(whole);
  await take(t, client, sources[0]);
  t.is((await client.response()).text, 'whole');
  await client.head();
  await take(t, client, sources[1]);
  t.is((await client.response()).text, 'whole');
});

test('a client that asked for it, or was told so, has the connection closed behind them', async (t) => {
  for (const [asked, told] of [[{ Connection: 'close' }], [{}, { Connection: 'close' }]]) {
    const { server, sources } = await serveEvents(t, told);
    const client = await connect(t, server);
    client.send(requestBytes('GET /events', asked));
    const { fields } = await client.head();
    t.deepEqual(
      fields.find(([name]) => name === 'connection'),
      ['connection', 'close'],
    );
    await take(t, client, sources[0]);
    t.is(await client.ended(), 'end');
  }
});

test('events that fail do not look complete, and those whose client leaves are destroyed', async (t) => {
  const { server, sources } = await serveEvents(t);
  const client = await connect(t, server);
  client.send(requestBytes('GET /events'));
  await client.head();
  sources[0].push('data: 1\n\n');
  await client.through('data: 1\n\n\r\n');
  sources[0].destroy();
  await client.ended();
  t.is(client.bytes.toString(), '');

  const other = await connect(t, server);
  other.send(requestBytes('GET /events'));
  await other.head();
  sources[1].push('data: 1\n\n');
  await other.through('data: 1\n\n\r\n');
  other.end();
  await closed(sources[1]);
});

test('events in a file are all sent', async (t) => {
  const file = join(mkdtempSync(join(tmpdir(), 'wapix-')), 'events');
  const events = Array.from({ length: 50_000 }, (_, id) => `id: ${id}\ndata: event\n\n`).join('');
  writeFileSync(file, events);
  const server = await serve(t, {
    '/at-once': { get: () => stream(createReadStream(file), 'text/event-stream') },
    '/open': {
      get: async () => {
        const source = createReadStream(file);
        await once(source, 'open');
        return stream(source, 'text/event-stream');
      },
    },
  });
  const client = await connect(t, server);
  for (const path of ['/at-once', '/open', '/at-once']) {
    client.send(requestBytes(`GET ${path}`));
    t.is((await client.response()).text, events);
  }
});

test('events that a client does not take wait, and none is lost', async (t) => {
  const { server, sources } = await serveEvents(t);
  const client = await connect(t, server);
  client.send(requestBytes('GET /events'));
  await client.head();
  client.stall();
  let sent = '';
  for (let id = 0; sources[0].readableLength < 64 * 1024; id += 1) {
    const event = `data: ${String(id).repeat(100)}\n\n`;
    sent += event;
    sources[0].push(event);
    if (id % 100 === 0) await new Promise(setImmediate);
  }
  sources[0].push(null);
  client.resume();
  client.send(requestBytes('GET /whole'));
  let received = '';
  while (received.length < sent.length) {
    const size = Number.parseInt(await client.through('\r\n'), 16);
    const chunk = await client.through('\n\n\r\n');
    t.is(chunk.length, size + 2);
    received += chunk.slice(0, -2);
  }
  t.true(received === sent);
  t.is(await client.through('\r\n\r\n'), '0\r\n\r\n');
  t.is((await client.response()).text, 'whole');
});
