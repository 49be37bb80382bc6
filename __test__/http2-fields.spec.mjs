// Fields that speak of a connection have no meaning over HTTP/2 (RFC 9113, 8.2.2).

import { connect as connectHttp2 } from 'node:http2';
import { text as textOf } from 'node:stream/consumers';
import test from 'ava';
import { json, stream, text } from 'wapix';
import { connect } from './helpers/client.mjs';
import { once } from './helpers/events.mjs';
import { captureErrors } from './helpers/log.mjs';
import { originOf, serve } from './helpers/server.mjs';
import { counted } from './helpers/source.mjs';

captureErrors();

const OF_A_CONNECTION = {
  Connection: 'close, X-Private',
  'Keep-Alive': 'timeout=5',
  'Proxy-Connection': 'keep-alive',
  Upgrade: 'websocket',
  'X-Private': 'of this connection',
  'X-Public': 'of this response',
};

async function answer(t, get) {
  const server = await serve(t, { '/': { get } });
  const client = connectHttp2(originOf(server));
  t.teardown(() => client.destroy());
  const sent = client.request({ ':path': '/' });
  const [head] = await once(sent, 'response');
  return { head, text: await textOf(sent) };
}

for (const [name, get] of [
  ['an answer', () => json({ whole: true }, OF_A_CONNECTION)],
  ['a stream', () => stream(counted(1_000), 'a/b', OF_A_CONNECTION)],
]) {
  test(`${name} has none of them, nor those that Connection names`, async (t) => {
    const { head } = await answer(t, get);
    t.is(head[':status'], 200);
    t.is(head['x-public'], 'of this response');
    const sent = Object.keys(head);
    for (const field of Object.keys(OF_A_CONNECTION)) {
      if (field !== 'X-Public') t.false(sent.includes(field.toLowerCase()), field);
    }
    t.false(sent.includes('transfer-encoding'));
  });
}

test('an answer that would split over HTTP/1.1 is 500 here, too', async (t) => {
  const { head } = await answer(t, () => json({}, { 'x-a': 'a\r\nset-cookie: b' }));
  t.is(head[':status'], 500);
  t.is(head['set-cookie'], undefined);
});

const [HEADERS, RST_STREAM] = [1, 3];
const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0';

/** A field, literal and not indexed (RFC 7541, 6.2.2). */
const literal = (name, value) =>
  `\0${String.fromCharCode(name.length)}${name}${String.fromCharCode(value.length)}${value}`;

/** GET / of a host named x, with `field` as well, on stream 1. */
function headersFrame(field) {
  const block = `\x82\x86\x84\x41\x01x${literal(...field)}`;
  return `\0\0${String.fromCharCode(block.length)}\x01\x05\0\0\0\x01${block}`;
}

/** The types of the frames of stream 1 in `bytes`. */
function framesOf(bytes) {
  const types = [];
  for (let at = 0; at + 9 <= bytes.length; at += 9 + bytes.readUIntBE(at, 3)) {
    if (bytes.readUInt32BE(at + 5) === 1) types.push(bytes[at + 3]);
  }
  return types;
}

for (const field of [
  ['connection', 'close'],
  ['keep-alive', 'timeout=5'],
  ['proxy-connection', 'keep-alive'],
  ['transfer-encoding', 'chunked'],
  ['upgrade', 'websocket'],
  ['te', 'gzip'],
  ['X-Upper', '1'],
  ['x-a', 'a\r\nx-b: b'],
  ['x-a', 'a\0b'],
]) {
  test(`a request with ${JSON.stringify(field.join(': '))} is malformed, and refused`, async (t) => {
    const ran = [];
    const get = ({ url }) => {
      ran.push(url);
      return text('ran');
    };
    const server = await serve(t, { '/': { get } }, { keepAliveTimeout: 200 });
    const client = await connect(t, server);
    client.send(PREFACE, headersFrame(field));
    // As a connection without a request.
    await client.ended();
    t.deepEqual(framesOf(client.bytes).includes(HEADERS), false);
    t.deepEqual(ran, []);
    // A decoder that cannot go on ends the connection, with every stream of it.
    t.true([RST_STREAM, undefined].includes(framesOf(client.bytes)[0]));
  });
}
