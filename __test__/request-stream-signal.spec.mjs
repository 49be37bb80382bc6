// A body that has been read to its end: the end of it is not the end of its request.

import test from 'ava';
import { text } from 'wapix';
import { CHUNKED, chunk, servePost } from './helpers/body.mjs';
import { CERT, KEY } from './helpers/certificate.mjs';
import { connect, requestBytes } from './helpers/client.mjs';
import { noticed } from './helpers/deadline.mjs';
import { aborted, deferred } from './helpers/events.mjs';
import { session } from './helpers/http2.mjs';
import { PLAIN_WAYS, TLS_WAYS, visit } from './helpers/leaving.mjs';

const TLS = { https: { key: KEY, cert: CERT } };
const BODY = Buffer.alloc(100_000, 'x');

/** Serves a handler that reads its body, and then answers when it is told to. */
async function serveReader(t, options) {
  const [read, told] = [deferred(), deferred()];
  const handler = async ({ body, signal }) => {
    let length = 0;
    for await (const { length: more } of body) length += more;
    read.resolve({ length, signal, body });
    await told.promise;
    return text('done');
  };
  const server = await servePost(t, handler, {}, options);
  return { server, read: read.promise, answer: () => told.resolve() };
}

/** Sends the body over HTTP/1.1, in chunks or not. */
const byHttp1 = (tls, inChunks) => async (t, server) => {
  const visitor = await visit(t, server, tls);
  const bytes = inChunks
    ? [requestBytes('POST /', CHUNKED), ...chunk(BODY), '0\r\n\r\n']
    : [requestBytes('POST /', {}, BODY)];
  visitor.client.send(...bytes);
  return { ...visitor, answered: async () => (await visitor.client.response()).text };
};

const byHttp2 = (scheme) => async (t, server) => {
  const client = await session(t, server, scheme);
  const sent = client.request({ ':method': 'POST', ':path': '/' });
  sent.on('error', () => {});
  sent.end(BODY);
  const answered = async () => {
    let received = '';
    for await (const data of sent.setEncoding('utf8')) received += data;
    return received;
  };
  return { client, sent, answered };
};

const HTTP2_WAYS = [
  ['a reset of the stream', ({ sent }) => sent.close(8)],
  ['the end of the connection', ({ client }) => client.destroy()],
];

for (const [how, options, send, ways] of [
  ['HTTP/1.1', {}, byHttp1(false, false), PLAIN_WAYS],
  ['HTTP/1.1 in chunks', {}, byHttp1(false, true), PLAIN_WAYS],
  ['HTTP/1.1 and TLS', TLS, byHttp1(true, false), TLS_WAYS],
  ['HTTP/1.1 in chunks and TLS', TLS, byHttp1(true, true), TLS_WAYS],
  ['HTTP/2', {}, byHttp2('http'), HTTP2_WAYS],
  ['HTTP/2 and TLS', TLS, byHttp2('https'), HTTP2_WAYS],
]) {
  /** Sends a body that is read to its end, and has other requests answered meanwhile. */
  const readWhole = async (t) => {
    const served = await serveReader(t, options);
    const visitor = await send(t, served.server);
    const { length, signal, body } = await served.read;
    t.is(length, BODY.length);
    t.true(body.readableEnded);
    const other = await connect(t, served.server, { tls: options === TLS });
    const others = async () => {
      for (let round = 0; round < 10; round += 1) {
        await other.send(requestBytes('GET /other')).response();
      }
    };
    await others();
    t.false(signal.aborted, 'the request has not ended with its body');
    return { ...served, visitor, signal, others };
  };

  for (const [leaving, leave] of ways) {
    test(`a body that has ended does not hide that its client left: ${how}, ${leaving}`, async (t) => {
      const { visitor, signal } = await readWhole(t);
      leave(visitor);
      await noticed(aborted(signal));
      t.is(signal.reason.name, 'AbortError');
    });

    test(`the signal of a body that was read and answered never aborts: ${how}, ${leaving}`, async (t) => {
      const { visitor, signal, others, answer } = await readWhole(t);
      answer();
      t.is(await visitor.answered(), 'done');
      leave(visitor);
      await others();
      t.false(signal.aborted);
    });
  }
}
