// A request that has been answered: its signal never aborts, whatever becomes of its connection.

import { Readable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import test from 'ava';
import { json, noContent, stream, text } from 'wapix';
import { CERT, KEY } from './helpers/certificate.mjs';
import { connect } from './helpers/client.mjs';
import { once } from './helpers/events.mjs';
import { session } from './helpers/http2.mjs';
import { captureErrors } from './helpers/log.mjs';
import { serve } from './helpers/server.mjs';

captureErrors();

const ANSWERS = {
  json: () => json({ a: 1 }),
  none: () => noContent(),
  large: () => text('x'.repeat(1_000_000)),
  empty: () => text(''),
  stream: () => stream(Readable.from(['a', 'b'])),
  'no-chunk': () => stream(Readable.from([])),
  declared: () => stream(Readable.from(['ab']), 'a/b', { 'content-length': 2 }),
  // All that was promised, of a source that does not end.
  open: () => {
    const source = new Readable({ read() {} });
    source.push('ab');
    return stream(source, 'a/b', { 'content-length': 2 });
  },
  failed: () => undefined,
  later: async () => {
    await turn();
    return json({});
  },
  length: () => text('ab', { 'content-length': 2 }),
};
const NAMES = Object.keys(ANSWERS);
const METHODS = ['GET', 'HEAD', 'POST'];
const TLS = { https: { key: KEY, cert: CERT } };

/** Asks over HTTP/1.1, then HTTP/1.0, which ends the connection. */
const byHttp1 = (tls) => async (t, server, method, name) => {
  const client = await connect(t, server, { tls });
  for (const version of ['1.1', '1.0']) {
    const connection = version === '1.0' ? 'Connection: close\r\n' : '';
    const body = method === 'POST' ? 'Content-Length: 2\r\n\r\nxx' : '\r\n';
    client.send(`${method} /${name} HTTP/${version}\r\nHost: a\r\n${connection}${body}`);
    await client.response(method);
  }
  client.destroy();
};

/** Asks twice on one connection, which then ends. */
const byHttp2 = (scheme) => async (t, server, method, name) => {
  const client = await session(t, server, scheme);
  for (let time = 0; time < 2; time += 1) {
    const sent = client.request({ ':method': method, ':path': `/${name}` });
    sent.resume().end(method === 'POST' ? 'xx' : undefined);
    await once(sent, 'close');
  }
  client.destroy();
};

for (const [how, options, ask] of [
  ['HTTP/1', {}, byHttp1(false)],
  ['HTTP/1 and TLS', TLS, byHttp1(true)],
  ['HTTP/2', {}, byHttp2('http')],
  ['HTTP/2 and TLS', TLS, byHttp2('https')],
]) {
  test(`success never aborts a signal: ${how}`, async (t) => {
    const signals = [];
    const routes = NAMES.map((name) => {
      const answer = ({ signal }) => {
        signals.push([name, signal]);
        return ANSWERS[name]();
      };
      return [`/${name}`, { get: answer, post: answer }];
    });
    const server = await serve(t, Object.fromEntries(routes), options);
    for (const method of METHODS) {
      for (const name of NAMES) await ask(t, server, method, name);
    }
    // What the ends of the connections had to say has come before these.
    for (let round = 0; round < 20; round += 1) {
      const other = await connect(t, server, { tls: options === TLS });
      await other.send('GET /other HTTP/1.1\r\nHost: a\r\n\r\n').response();
      other.destroy();
    }
    t.is(signals.length, NAMES.length * METHODS.length * 2);
    const aborted = signals.filter(([, signal]) => signal.aborted).map(([name]) => name);
    t.deepEqual(aborted, []);
  });
}
