// What is small leaves at once: it waits neither for an acknowledgement nor for more of its kind.

import { Readable } from 'node:stream';
import { setImmediate as turn, setTimeout as wait } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import test from 'ava';
import { json, stream, text } from 'wapix';
import { connect, request, requestBytes } from './helpers/client.mjs';
import { within } from './helpers/deadline.mjs';
import { deferred, once } from './helpers/events.mjs';
import { serve } from './helpers/server.mjs';
import { manual } from './helpers/source.mjs';

test('an event does not wait until the client has acknowledged the one before', async (t) => {
  const source = manual();
  const server = await serve(t, { '/': { get: () => stream(source, 'text/event-stream') } });
  const client = await connect(t, server);
  client.send(requestBytes('GET /'));
  await client.head();
  let together = 0;
  for (let round = 0; round < 60; round += 1) {
    // What is not read is acknowledged late. (Paused, a socket still reads what is small.)
    client.socket._handle.readStop();
    for (const event of [1, 2]) {
      source.push(`data: ${round} ${event}\n\n`);
      // A connection of its own, where there is nothing to be acknowledged.
      await request(t, server, 'GET /other');
    }
    client.socket._handle.readStart();
    await client.through(`data: ${round} 2\n\n`);
    if (client.reads.at(-1).includes(`data: ${round} 1\n\n`)) together += 1;
  }
  // Systems put acknowledgements off for 40 ms and more, and are busy at times.
  t.true(together > 40, `${together} of 60 times the second event was there`);
});

test('the headers of a silent stream overtake the answer of a second later', async (t) => {
  const server = await serve(t, {
    '/bytes': { get: () => stream(manual()) },
    '/events': { get: () => stream(manual(), 'text/event-stream') },
    '/later': { get: () => wait(1_000, text('later')) },
  });
  const ask = async (path) => (await connect(t, server)).send(requestBytes(`GET ${path}`));
  const silent = [await ask('/bytes'), await ask('/events')];
  await (await ask('/later')).response();
  await turn();
  for (const { bytes } of silent) t.true(bytes.includes('\r\n\r\n'));
});

test('answers do not wait for a slow handler of the same batch', async (t) => {
  const answered = new Int32Array(new SharedArrayBuffer(4));
  const server = await serve(t, {
    '/:id': {
      get: ({ params }) => {
        const until = performance.now() + 1;
        while (performance.now() < until);
        // It holds JavaScript up until somebody has been answered.
        if (params.id === '15') Atomics.wait(answered, 0, 0, 10_000);
        return json(Atomics.load(answered, 0));
      },
    },
  });
  const client = new Worker(
    `const { connect } = require('node:net');
    const { parentPort, workerData: { port, answered } } = require('node:worker_threads');
    const requests = Array.from({ length: 16 }, (_, id) => 'GET /' + id + ' HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n');
    let got = '';
    const socket = connect(port, '127.0.0.1', () => socket.write(requests.join('')));
    socket.setEncoding('latin1').on('data', (text) => {
      Atomics.store(answered, 0, 1);
      Atomics.notify(answered, 0);
      got += text;
      const answers = got.match(/\\r\\n\\r\\n[01]/g);
      if (answers?.length === 16) parentPort.postMessage(answers.at(-1).trim());
    });`,
    { eval: true, workerData: { port: server.address().port, answered } },
  );
  t.teardown(() => client.terminate());
  const [last] = await once(client, 'message');
  t.is(last, '1');
});

test('requests that come without a pause leave the event loop its turns', async (t) => {
  const count = 50_000;
  let turns = 0;
  const turnsAt = [];
  const server = await serve(t, {
    '/': {
      get: () => {
        turnsAt.push(turns);
        return text('');
      },
    },
  });
  const client = new Worker(
    `const { connect } = require('node:net');
    const { parentPort, workerData: { port, count } } = require('node:worker_threads');
    let answers = 0;
    let rest = '';
    const socket = connect(port, '127.0.0.1', () => socket.write('GET / HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n'.repeat(count)));
    socket.setEncoding('latin1').on('data', (text) => {
      const parts = (rest + text).split('\\r\\n\\r\\n');
      answers += parts.length - 1;
      rest = parts.at(-1);
      if (answers === count) parentPort.postMessage(answers);
    });`,
    { eval: true, workerData: { port: server.address().port, count } },
  );
  t.teardown(() => client.terminate());
  const answered = once(client, 'message');
  const next = () => {
    turns += 1;
    if (turnsAt.length < count) setImmediate(next);
  };
  next();
  t.deepEqual(await answered, [count]);
  let most = 0;
  for (let from = 0, to = 0; to < count; to += 1) {
    while (turnsAt[from] !== turnsAt[to]) from += 1;
    most = Math.max(most, to - from + 1);
  }
  t.true(most < 10_000, `${most} requests in one turn`);
});

/** Clients in a thread of their own, each of which asks for as much again as it has been answered. */
const BUSY = `
  const { connect } = require('node:net');
  const { workerData: { port, connections } } = require('node:worker_threads');
  const REQUEST = 'GET / HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n';
  for (let index = 0; index < connections; index += 1) {
    const socket = connect(port, '127.0.0.1', () => socket.write(REQUEST.repeat(8)));
    socket.setEncoding('latin1').on('data', (text) => {
      socket.write(REQUEST.repeat(text.split('\\r\\n\\r\\n').length - 1));
    });
  }
`;

const FIRINGS = 20;

for (const [load, connections, unit, most, route] of [
  [
    '64 connections keep asking',
    64,
    'requests',
    20_000,
    (work) => () => {
      work(1);
      return text('');
    },
  ],
  [
    '16 streams flow',
    16,
    'bytes',
    1 << 29,
    (work) => () => {
      const chunk = Buffer.alloc(65_536, 'x');
      const read = function () {
        work(chunk.length);
        this.push(chunk);
      };
      return stream(new Readable({ read }));
    },
  ],
]) {
  test.serial(`while ${load} without a pause, an interval fires as it should`, async (t) => {
    const amounts = [];
    let amount = 0;
    const { promise, resolve } = deferred();
    const work = (more) => {
      amount += more;
      if (amount > 8 * most) resolve();
    };
    const server = await serve(t, { '/': { get: route(work) } });
    const { port } = server.address();
    const clients = new Worker(BUSY, { eval: true, workerData: { port, connections } });
    t.teardown(() => clients.terminate());
    const interval = setInterval(() => {
      // Until the first of it nothing has been asked.
      if (amount > 0 && amounts.push(amount) === FIRINGS) resolve();
      amount = 0;
    }, 10);
    t.teardown(() => clearInterval(interval));
    await within(promise, `${FIRINGS} firings`);
    const greatest = Math.max(amount, ...amounts);
    t.log(`at most ${greatest} ${unit} between two of ${amounts.length} firings`);
    t.is(amounts.length, FIRINGS);
    t.true(greatest < most, `${greatest} ${unit} between two firings`);
  });
}
