// What Node.js itself makes Readables of, as anybody would stream it.

import { spawn } from 'node:child_process';
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { createServer as createNodeServer, get } from 'node:http';
import { connect as connectSocket } from 'node:net';
import { PassThrough, pipeline } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { createBrotliCompress, createGunzip, createGzip, gunzipSync } from 'node:zlib';
import test from 'ava';
import { stream } from 'wapix';
import { connect, request, requestBytes } from './helpers/client.mjs';
import { within } from './helpers/deadline.mjs';
import { closed, deferred, levelled, once, until } from './helpers/events.mjs';
import { captureErrors, errorsNaming } from './helpers/log.mjs';
import { originOf, serve, serveGet } from './helpers/server.mjs';
import { counted, manual, patterned } from './helpers/source.mjs';

captureErrors();

const MEBIBYTE = 1 << 20;
const ignore = () => {};

const WAYS = [
  ['FIN', (client) => client.end()],
  ['RST', (client) => client.reset()],
];

test('gzip of a Readable is whole, and says so', async (t) => {
  const server = await serveGet(t, () =>
    stream(counted(MEBIBYTE).pipe(createGzip()), 'a/b', { 'Content-Encoding': 'gzip' }),
  );
  const { body, complete } = await request(t, server, 'GET /');
  t.true(complete);
  t.true(gunzipSync(body).equals(patterned(0, MEBIBYTE)));
  // A client of the platform's own decodes it.
  const decoded = await (await fetch(originOf(server))).arrayBuffer();
  t.true(Buffer.from(decoded).equals(patterned(0, MEBIBYTE)));
});

test('events through gzip come one by one, where each is flushed', async (t) => {
  const gzip = createGzip();
  const server = await serveGet(t, () =>
    stream(gzip, 'text/event-stream', { 'Content-Encoding': 'gzip' }),
  );
  const sent = get(originOf(server));
  const [response] = await once(sent, 'response');
  const events = response.pipe(createGunzip()).setEncoding('utf8');
  for (let event = 0; event < 20; event += 1) {
    gzip.write(`data: ${event}\n\n`);
    gzip.flush();
    t.deepEqual(await once(events, 'data'), [`data: ${event}\n\n`]);
  }
  gzip.end();
  await closed(events);
  t.true(response.complete);
});

for (const [name, make] of [
  ['gzip', createGzip],
  ['brotli', createBrotliCompress],
]) {
  test(`a source that fails behind ${name}: incomplete, though ${name} has not failed by itself`, async (t) => {
    const path = `/behind-${name}`;
    const source = manual();
    const target = make();
    const server = await serve(t, {
      [path]: { get: () => stream(pipeline(source, target, ignore)) },
    });
    const client = await connect(t, server);
    client.send(requestBytes(`GET ${path}`));
    source.push('some');
    await client.head();
    source.destroy(new Error('behind it'));
    t.is(await client.ended(), 'end');
    t.false(client.bytes.includes('0\r\n\r\n'));
    t.regex(errorsNaming(`GET ${path} `)[0], /behind it/);
  });
}

const script = (source) => [process.execPath, ['--eval', source]];

test('what a child process prints is whole, and the child ends', async (t) => {
  const exits = [];
  const server = await serveGet(t, () => {
    const [command, args] = script(
      'for (let line = 0; line < 50_000; line += 1) console.log(line)',
    );
    const child = spawn(command, args);
    exits.push(once(child, 'exit'));
    return stream(child.stdout, 'text/plain');
  });
  const { text, complete } = await request(t, server, 'GET /');
  t.true(complete);
  t.is(text, Array.from({ length: 50_000 }, (_, line) => `${line}\n`).join(''));
  t.deepEqual(await exits[0], [0, null]);
});

for (const [how, leave] of WAYS) {
  test(`a child process is killed at ${how}, where its output's close says so`, async (t) => {
    const [command, args] = script("console.log('ready'); setInterval(() => {}, 1000)");
    const child = spawn(command, args);
    t.teardown(() => child.kill('SIGKILL'));
    const exit = once(child, 'exit');
    const server = await serveGet(t, () => {
      child.stdout.once('close', () => child.kill());
      return stream(child.stdout, 'text/plain');
    });
    const client = await connect(t, server);
    client.send(requestBytes('GET /'));
    await client.through('ready');
    leave(client);
    t.deepEqual(await exit, [null, 'SIGTERM']);
  });
}

/** A server of Node's own, which answers with `listener`. */
async function origin(t, listener) {
  const server = createNodeServer(listener);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.close();
    server.closeAllConnections();
  });
  return originOf(server);
}

/** A handler that passes on what the server at `from` answers. */
const proxy = (from) => async () => {
  const [answer] = await once(get(from, { agent: false }), 'response');
  return stream(answer, answer.headers['content-type']);
};

test('an IncomingMessage is passed on, whole', async (t) => {
  const total = 3 * MEBIBYTE;
  const from = await origin(t, (_, response) => {
    response.setHeader('Content-Type', 'a/b');
    counted(total).pipe(response);
  });
  const server = await serveGet(t, proxy(from));
  const { body, complete, field } = await request(t, server, 'GET /');
  t.true(complete);
  t.is(field('content-type'), 'a/b');
  t.true(body.equals(patterned(0, total)));
});

test('an IncomingMessage that was cut off looks incomplete here, too', async (t) => {
  const gate = deferred();
  const from = await origin(t, (_, response) => {
    response.write('some');
    gate.promise.then(() => response.destroy());
  });
  const server = await serve(t, { '/cut-off': { get: proxy(from) } });
  const client = await connect(t, server);
  client.send(requestBytes('GET /cut-off'));
  await client.through('some\r\n');
  gate.resolve();
  t.is(await client.ended(), 'end');
  t.is(client.bytes.length, 0);
  t.is(errorsNaming('GET /cut-off ').length, 1);
});

for (const [how, leave] of WAYS) {
  test(`an IncomingMessage: whom it comes from hears of ${how}`, async (t) => {
    const left = deferred();
    const from = await origin(t, (_, response) => {
      response.once('close', () => left.resolve(response.writableFinished));
      response.write('some');
    });
    const server = await serveGet(t, proxy(from));
    const client = await connect(t, server);
    client.send(requestBytes('GET /'));
    await client.through('some');
    leave(client);
    t.false(await within(left.promise, 'the origin heard'));
  });
}

test('a socket can be streamed, though its other side stays open', async (t) => {
  const server = await serveGet(t, () => {
    const socket = connectSocket(Number(new URL(from).port), '127.0.0.1');
    socket.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
    return stream(socket, 'message/http');
  });
  const from = await origin(t, (_, response) => response.end('from afar'));
  const { text, complete } = await request(t, server, 'GET /');
  t.true(complete);
  t.regex(text, /^HTTP\/1\.1 200 OK\r\n[\s\S]*\r\n\r\nfrom afar$/);
});

test('a cipher encrypts what passes, to the last block', async (t) => {
  const [key, iv] = [randomBytes(32), randomBytes(16)];
  const server = await serveGet(t, () =>
    stream(counted(MEBIBYTE + 7, 9_999).pipe(createCipheriv('aes-256-cbc', key, iv))),
  );
  const { body, complete } = await request(t, server, 'GET /');
  t.true(complete);
  const decipher = createDecipheriv('aes-256-cbc', key, iv);
  t.true(
    Buffer.concat([decipher.update(body), decipher.final()]).equals(patterned(0, MEBIBYTE + 7)),
  );
});

/** Writes entries as an archiver does: a header, the content, padding; waits where it is told to. */
async function pack(pass, entries, progress) {
  for (const entry of entries) {
    for (const part of [`${entry.length}\n`, entry, Buffer.alloc(-entry.length & 511)]) {
      if (pass.destroyed) return;
      progress.written += part.length;
      if (pass.write(part)) continue;
      // Only one of these comes: no deadline may be left behind for the other.
      await new Promise((resolve) => {
        const goOn = () => resolve(pass.off('drain', goOn).off('close', goOn));
        pass.on('drain', goOn).on('close', goOn);
      });
    }
  }
  pass.end();
}

test('an archive written into a PassThrough waits for its client, and is whole', async (t) => {
  const entries = Array.from({ length: 400 }, (_, index) => patterned(index, 100_001));
  const progress = { written: 0 };
  const pass = new PassThrough();
  let packed;
  const server = await serveGet(t, () => {
    packed = pack(pass, entries, progress);
    return stream(pass, 'application/x-archive');
  });
  const [response] = await once(get(originOf(server)), 'response');
  await within(
    levelled(
      () => progress.written,
      () => request(t, server, 'GET /other'),
    ),
    'the archiver waits',
  );
  t.true(progress.written < 400 * 100_001);
  const expected = entries.flatMap((entry) => [
    `${entry.length}\n`,
    entry,
    Buffer.alloc(-entry.length & 511),
  ]);
  t.true((await buffer(response)).equals(Buffer.concat(expected.map((part) => Buffer.from(part)))));
  t.true(response.complete);
  await packed;
});

for (const [how, leave] of WAYS) {
  test(`an archiver that waits for room stops at ${how}`, async (t) => {
    const entries = Array.from({ length: 400 }, () => patterned(0, 100_001));
    const progress = { written: 0 };
    const pass = new PassThrough();
    let packed;
    const server = await serveGet(t, () => {
      packed = pack(pass, entries, progress);
      return stream(pass);
    });
    const client = await connect(t, server);
    client.send(requestBytes('GET /'));
    await client.head();
    client.stall();
    await until(() => pass.writableNeedDrain, 'the archiver waits');
    leave(client);
    await closed(pass);
    await packed;
    t.true(progress.written < 400 * 100_001);
  });
}

test('a chain of Transforms is destroyed from its end to its source', async (t) => {
  const source = manual();
  const links = [new PassThrough(), createGzip(), new PassThrough()];
  const failed = deferred();
  const server = await serveGet(t, () => stream(pipeline([source, ...links], failed.resolve)));
  const client = await connect(t, server);
  client.send(requestBytes('GET /'));
  source.push('some');
  await client.head();
  client.end();
  t.is((await failed.promise).code, 'ERR_STREAM_PREMATURE_CLOSE');
  await Promise.all([source, ...links].map((each) => closed(each)));
});
