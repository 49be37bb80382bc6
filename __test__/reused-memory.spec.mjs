// Chunks whose memory is written to again: by their source, or by another thread.

import { get } from 'node:http';
import { Agent, get as getSecurely } from 'node:https';
import { buffer } from 'node:stream/consumers';
import { Worker } from 'node:worker_threads';
import test from 'ava';
import { stream } from 'wapix';
import { CERT, KEY } from './helpers/certificate.mjs';
import { within } from './helpers/deadline.mjs';
import { once, until } from './helpers/events.mjs';
import { session } from './helpers/http2.mjs';
import { originOf, serve, serveGet } from './helpers/server.mjs';
import { manual } from './helpers/source.mjs';

const TLS = { https: { key: KEY, cert: CERT } };
const agent = new Agent({ rejectUnauthorized: false });

/** The content at `path`; rejects where it is not whole. */
async function overHttp1(_, server, path, ask = get, scheme = 'http', options = {}) {
  const [response] = await once(ask(originOf(server, scheme) + path, options), 'response');
  return buffer(response);
}

const overTls = (t, server, path) => overHttp1(t, server, path, getSecurely, 'https', { agent });

const overHttp2 = (scheme) => async (t, server, path) => {
  const sent = (await session(t, server, scheme)).request({ ':path': path });
  const content = await buffer(sent);
  if (sent.rstCode !== 0) throw new Error(`reset: ${sent.rstCode}`);
  return content;
};

const TRANSPORTS = [
  ['HTTP/1.1', overHttp1, {}],
  ['HTTP/1.1 and TLS', overTls, TLS],
  ['HTTP/2', overHttp2('http'), {}],
  ['HTTP/2 and TLS', overHttp2('https'), TLS],
];
const own = (size) => Buffer.alloc(size);
/** In the midst of it. */
const shared = (size) => new Uint8Array(new SharedArrayBuffer(size + 16), 8, size);
const ROUNDS = 60;

for (const [how, take, options] of TRANSPORTS) {
  for (const [whose, allocate] of [
    ['its memory', own],
    ['shared memory', shared],
  ]) {
    for (const size of [100, 5_000, 20_000, 100_000]) {
      test(`a source may reuse ${whose}, ${size} bytes, once a chunk was taken: ${how}`, async (t) => {
        const chunk = allocate(size);
        const source = manual({ objectMode: true });
        const server = await serveGet(t, () => stream(source), options);
        const pending = within(take(t, server, '/'), 'the content');
        for (let index = 0; index < ROUNDS; index += 1) {
          chunk.fill(index);
          source.push(chunk);
          // Taken at once where the stream flows: then the next round writes in the same turn.
          if (source.readableLength > 0) await until(() => source.readableLength === 0, 'taking');
        }
        source.push(null);
        const content = await pending;
        t.is(content.length, ROUNDS * size);
        const wrong = Array.from({ length: ROUNDS }, (_, index) => index).filter((index) => {
          const part = content.subarray(index * size, (index + 1) * size);
          return !part.equals(Buffer.alloc(size, index));
        });
        t.deepEqual(wrong, []);
      });
    }
  }
}

/** Has another thread write to `memory`, over and over, until the test has ended; resolves once it does. */
async function writtenTo(t, memory) {
  const worker = new Worker(
    `const { parentPort, workerData } = require('node:worker_threads');
     const bytes = new Uint8Array(workerData);
     parentPort.postMessage('begun');
     for (let round = 0; ; round += 1) bytes.fill(round);`,
    { eval: true, workerData: memory },
  );
  t.teardown(() => worker.terminate());
  await once(worker, 'message');
}

test('chunks that another thread goes on writing to have their length, and the server lives', async (t) => {
  const sizes = [100, 20_000, 100_000];
  const memory = new SharedArrayBuffer(Math.max(...sizes) + 16);
  await writtenTo(t, memory);
  async function* chunks() {
    for (let count = 0; count < 10; count += 1) {
      for (const size of sizes) {
        yield 'begin';
        yield new Uint8Array(memory, 8, size);
        yield 'end';
      }
    }
  }
  for (const [how, take, options] of TRANSPORTS) {
    const server = await serve(t, { '/': { get: () => stream(chunks()) } }, options);
    // The second time on a server that has sent such before.
    for (let time = 0; time < 2; time += 1) {
      const content = await within(take(t, server, '/'), 'the content');
      let at = 0;
      for (let count = 0; count < 10; count += 1) {
        for (const size of sizes) {
          t.is(content.toString('latin1', at, at + 5), 'begin', how);
          at += 5 + size;
          t.is(content.toString('latin1', at, at + 3), 'end', how);
          at += 3;
        }
      }
      t.is(content.length, at, how);
    }
  }
});
