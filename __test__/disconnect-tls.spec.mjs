// As in disconnect.spec.mjs, but for connections with TLS, which a client leaves in one way more.

import { connect as connectSocket, createServer as createRelay } from 'node:net';
import test from 'ava';
import { stream, text } from 'wapix';
import { CERT, KEY } from './helpers/certificate.mjs';
import { connect, requestBytes } from './helpers/client.mjs';
import { noticed, within } from './helpers/deadline.mjs';
import { aborted, closed, deferred, levelled, once } from './helpers/events.mjs';
import { TLS_WAYS, visit } from './helpers/leaving.mjs';
import { captureErrors, errorsNaming } from './helpers/log.mjs';
import { serve } from './helpers/server.mjs';
import { counted, manual } from './helpers/source.mjs';

captureErrors();

const https = { key: KEY, cert: CERT };

/** Serves with TLS what `answer(signal)` gives at `path`, asks for it, and takes its signal. */
async function ask(t, path, answer) {
  const given = deferred();
  const get = ({ signal }) => {
    given.resolve(signal);
    return answer(signal);
  };
  const server = await serve(t, { [path]: { get } }, { https });
  const visitor = await visit(t, server, true);
  visitor.client.send(requestBytes(`GET ${path}`));
  return { server, ...visitor, signal: await given.promise };
}

/** Leaves, which is to destroy `source` and to abort the signal, neither of which has happened. */
async function leaves(t, leave, asked, source) {
  t.false(source.destroyed);
  t.false(asked.signal.aborted);
  leave(asked);
  await noticed(Promise.all([closed(source), aborted(asked.signal)]));
}

for (const [how, leave] of TLS_WAYS) {
  const name = how.replaceAll(' ', '-');

  test(`a silent stream is destroyed at ${how}, and its signal aborts`, async (t) => {
    const source = manual();
    const asked = await ask(t, `/silent-${name}`, () => stream(source));
    await asked.client.head();
    await leaves(t, leave, asked, source);
    t.is(source.errored, null, 'leaving is no error of the source');
    t.deepEqual(errorsNaming(`/silent-${name} `), [], 'an ordinary leave is not logged');
  });

  test(`a stream in mid-flow is destroyed at ${how}, and its signal aborts`, async (t) => {
    const source = manual();
    const asked = await ask(t, '/', () => stream(source));
    source.push('some');
    await asked.client.through('some');
    await leaves(t, leave, asked, source);
    t.false(source.readableEnded);
  });

  test(`a stream whose client stalled is destroyed at ${how}, and its signal aborts`, async (t) => {
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
    await leaves(t, leave, asked, source);
    t.false(source.readableEnded);
  });

  test(`a handler that is pending learns of ${how} by its signal; its late stream is destroyed`, async (t) => {
    const source = manual();
    const asked = await ask(t, '/', async (signal) => {
      await aborted(signal);
      return stream(source);
    });
    await leaves(t, leave, asked, source);
    t.is(asked.signal.reason.name, 'AbortError');
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
