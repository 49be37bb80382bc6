// As in disconnect.spec.mjs, but for connections with TLS, which a client leaves in one way more.

import { connect as connectSocket, createServer as createRelay } from 'node:net';
import test from 'ava';
import { stream, text } from 'wapix';
import { CERT, KEY } from './helpers/certificate.mjs';
import { connect, requestBytes } from './helpers/client.mjs';
import { within } from './helpers/deadline.mjs';
import { aborted, closed, deferred, levelled, once } from './helpers/events.mjs';
import { captureErrors, errorsNaming } from './helpers/log.mjs';
import { serve } from './helpers/server.mjs';
import { counted, manual } from './helpers/source.mjs';

captureErrors();

const https = { key: KEY, cert: CERT };

/** How a client leaves, by its TLS connection or by the socket below. */
const WAYS = [
  ['close_notify and FIN', ({ client }) => client.end()],
  ['FIN alone', ({ socket }) => socket.end()],
  ['RST', ({ socket }) => socket.resetAndDestroy()],
];

/** Serves `get` with TLS at `path`, and asks for it. */
async function ask(t, path, get) {
  const server = await serve(t, { [path]: { get } }, { https });
  const { port } = server.address();
  const socket = connectSocket({ host: '127.0.0.1', port, allowHalfOpen: true });
  socket.on('error', () => {});
  t.teardown(() => socket.destroy());
  await once(socket, 'connect');
  const client = await connect(t, server, { tls: true, socket });
  client.send(requestBytes(`GET ${path}`));
  return { server, socket, client };
}

for (const [how, leave] of WAYS) {
  const name = how.replaceAll(' ', '-');

  test(`a silent stream is destroyed at ${how}, and its signal aborts`, async (t) => {
    const source = manual();
    const given = deferred();
    const asked = await ask(t, `/silent-${name}`, ({ signal }) => {
      given.resolve(signal);
      return stream(source);
    });
    const signal = await given.promise;
    await asked.client.head();
    t.false(signal.aborted);
    leave(asked);
    await within(Promise.all([closed(source), aborted(signal)]), 'noticed in a second', 1_000);
    t.is(source.errored, null, 'leaving is no error of the source');
    t.deepEqual(errorsNaming(`/silent-${name} `), [], 'an ordinary leave is not logged');
  });

  test(`a stream in mid-flow is destroyed at ${how}`, async (t) => {
    const source = manual();
    const asked = await ask(t, '/', () => stream(source));
    source.push('some');
    await asked.client.through('some');
    leave(asked);
    await closed(source);
    t.false(source.readableEnded);
  });

  test(`a stream whose client stalled is destroyed at ${how}`, async (t) => {
    const source = counted(Number.POSITIVE_INFINITY);
    const asked = await ask(t, '/', () => stream(source));
    await asked.client.head();
    asked.client.stall();
    const other = await connect(t, asked.server, { tls: true });
    const answer = () => other.send(requestBytes('GET /other')).response();
    await within(
      levelled(() => source.produced, answer),
      'the source is left alone',
    );
    leave(asked);
    await closed(source);
    t.false(source.readableEnded);
  });

  test(`a handler that is pending learns of ${how}; its late stream is destroyed`, async (t) => {
    const entered = deferred();
    const source = manual();
    const asked = await ask(t, '/', async ({ signal }) => {
      entered.resolve(signal);
      await aborted(signal);
      return stream(source);
    });
    const signal = await entered.promise;
    t.false(signal.aborted);
    leave(asked);
    await closed(source);
    t.is(signal.reason.name, 'AbortError');
  });

  test(`a second request that waits does not hide ${how}`, async (t) => {
    const source = manual();
    const asked = await ask(t, '/', () => stream(source, 'text/event-stream'));
    asked.client.send(requestBytes('GET /'));
    await asked.client.head();
    leave(asked);
    await closed(source);
    t.pass();
  });
}

const ALERT = 21;
const CONTENT = 23;

/** The types of the TLS records in `bytes` (RFC 5246, 6.2.1). */
function recordTypes(bytes) {
  const types = [];
  for (let at = 0; at + 5 <= bytes.length; at += 5 + bytes.readUInt16BE(at + 3)) {
    types.push(bytes[at]);
  }
  return types;
}

/** A client of `server`, and the types of the records that it is sent: those in between see them. */
async function watched(t, server) {
  const chunks = [];
  const relay = createRelay((client) => {
    const socket = connectSocket(server.address().port, '127.0.0.1');
    client.pipe(socket).on('data', (chunk) => chunks.push(chunk));
    socket.on('error', () => client.destroy());
    socket.pipe(client);
  }).listen(0);
  t.teardown(() => relay.close());
  await once(relay, 'listening');
  // The alerts of TLS 1.3 look like content.
  const options = { tls: true, port: relay.address().port, maxVersion: 'TLSv1.2' };
  const client = await connect(t, server, options);
  return { client, types: () => recordTypes(Buffer.concat(chunks)) };
}

for (const [which, line] of [
  ['that was never used', undefined],
  ['that has had its answer', 'GET /'],
]) {
  test(`a connection ${which} is closed with close_notify after a while`, async (t) => {
    const get = () => text('hello');
    const server = await serve(t, { '/': { get } }, { https, keepAliveTimeout: 300 });
    const { client, types } = await watched(t, server);
    if (line !== undefined) t.is((await client.send(requestBytes(line)).response()).text, 'hello');
    await client.ended();
    t.is(types().at(-1), ALERT);
  });
}

for (const [what, finish, last] of [
  ['fails ends without close_notify', (source) => source.destroy(new Error('it broke')), CONTENT],
  ['ends ends with close_notify', (source) => source.push(null), ALERT],
]) {
  test(`HTTP/1.0: a response whose source ${what}`, async (t) => {
    const source = manual();
    source.push('part');
    const server = await serve(t, { '/': { get: () => stream(source) } }, { https });
    const { client, types } = await watched(t, server);
    client.send('GET / HTTP/1.0\r\n\r\n');
    await client.through('part');
    finish(source);
    await client.ended();
    t.is(types().at(-1), last);
  });
}
