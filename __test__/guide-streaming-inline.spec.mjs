// The streaming guide: what it says in the midst of a sentence, run as it is printed there.

import { createReadStream, readFileSync } from 'node:fs';
import { get } from 'node:http';
import { pipeline, Readable } from 'node:stream';
import { constants, createGunzip, createGzip } from 'node:zlib';
import test from 'ava';
import { stream } from 'wapix';
import { connect, request, requestBytes } from './helpers/client.mjs';
import { noticed } from './helpers/deadline.mjs';
import { once, until } from './helpers/events.mjs';
import { someFiles } from './helpers/files.mjs';
import { originOf, serve, serveGet } from './helpers/server.mjs';
import { manual } from './helpers/source.mjs';

const GUIDE = readFileSync(new URL('../docs/guide/streaming.md', import.meta.url), 'utf8');

/** What the guide prints as `source`, as a function of these names. */
function printed(source, ...names) {
  if (!GUIDE.includes(`\`${source}\``)) throw new Error(`the guide has no ${source}`);
  return new Function(...names, `return (${source.replace('(…)', '()')});`);
}

const gzipOfEvents = printed(
  'createGzip({ flush: constants.Z_SYNC_FLUSH })',
  'createGzip',
  'constants',
);

test('a gzip of your own sends each event', async (t) => {
  const source = manual();
  const server = await serveGet(t, () => {
    const gzip = gzipOfEvents(createGzip, constants);
    pipeline(source, gzip, () => {});
    return stream(gzip, 'text/event-stream', { 'Content-Encoding': 'gzip' });
  });
  const [response] = await once(get(originOf(server)), 'response');
  let got = '';
  const unzipped = response.pipe(createGunzip()).setEncoding('utf8');
  unzipped.on('data', (text) => {
    got += text;
  });
  let sent = '';
  for (let number = 0; number < 5; number += 1) {
    const event = `data: ${number}\n\n`;
    source.push(event);
    sent += event;
    await until(() => got.length >= sent.length, `event ${number}, alone`);
    t.is(got, sent);
  }
  const ended = once(unzipped, 'end');
  source.push(null);
  await ended;
  t.is(got, sent);
});

const ofSend = printed(
  '{ ...stream(file, undefined, headers), status: statusCode }',
  'stream',
  'file',
  'headers',
  'statusCode',
);
const { path, content } = someFiles(test);

test('what @fastify/send resolves to is answered with its status and its headers', async (t) => {
  const size = content.length;
  /** In the form of that library. */
  const sent = {
    '/part': () => ({
      statusCode: 206,
      headers: {
        'Accept-Ranges': 'bytes',
        'Content-Type': 'text/plain; charset=utf-8',
        'Content-Range': `bytes 100-299/${size}`,
        'Content-Length': 200,
      },
      stream: createReadStream(path, { start: 100, end: 299 }),
    }),
    '/whole': () => ({
      statusCode: 200,
      headers: { 'Content-Type': 'text/plain; charset=utf-8', 'Content-Length': size },
      stream: createReadStream(path),
    }),
    '/known': () => ({
      statusCode: 304,
      headers: { ETag: 'W/"1"' },
      stream: Readable.from([]),
    }),
    '/beyond': () => ({
      statusCode: 416,
      headers: {
        'Content-Range': `bytes */${size}`,
        'Content-Type': 'text/html',
        'Content-Length': 6,
      },
      stream: Readable.from(['beyond']),
    }),
  };
  const routes = Object.entries(sent).map(([target, send]) => {
    const answer = async () => {
      const { statusCode, headers, stream: file } = await send();
      return ofSend(stream, file, headers, statusCode);
    };
    return [target, { get: answer }];
  });
  const server = await serve(t, Object.fromEntries(routes));
  const client = await connect(t, server);
  for (const [target, status, body, fields] of [
    [
      '/part',
      206,
      content.subarray(100, 300),
      {
        'content-range': `bytes 100-299/${size}`,
        'content-length': '200',
        'accept-ranges': 'bytes',
      },
    ],
    ['/whole', 200, content, { 'content-length': String(size) }],
    ['/known', 304, Buffer.alloc(0), { etag: 'W/"1"', 'content-length': undefined }],
    ['/beyond', 416, Buffer.from('beyond'), { 'content-range': `bytes */${size}` }],
  ]) {
    client.send(requestBytes(`GET ${target}`));
    const response = await client.response();
    t.is(response.status, status);
    t.true(response.complete && response.body.equals(body), target);
    for (const [name, value] of Object.entries(fields)) t.is(response.field(name), value, target);
  }
  client.send(requestBytes('HEAD /part'));
  const head = await client.response('HEAD');
  t.deepEqual([head.status, head.field('content-length')], [206, '200']);
});

const streamOfText = printed(
  "stream(answerTo(…), 'text/plain; charset=utf-8')",
  'stream',
  'answerTo',
);

/** As the AI SDK's `toTextStreamResponse()` makes it. */
function responseOfText(tokens) {
  const headers = { 'content-type': 'text/plain; charset=utf-8' };
  const content = ReadableStream.from(tokens).pipeThrough(new TextEncoderStream());
  return new Response(content, { status: 200, headers });
}

for (const [what, answer] of [
  ['the Response that a library makes of its text', responseOfText],
  ['a stream of nothing but the text', (tokens) => streamOfText(stream, () => tokens)],
]) {
  test(`${what}: word by word, and its model stops when the reader leaves`, async (t) => {
    const words = manual({ objectMode: true });
    let isStopped = false;
    async function* tokens() {
      try {
        yield* words;
      } finally {
        isStopped = true;
      }
    }
    const server = await serveGet(t, () => answer(tokens()));
    const client = await connect(t, server);
    client.send(requestBytes('GET /'));
    const head = await client.head();
    t.is(head.status, 200);
    t.is(new Map(head.fields).get('content-type'), 'text/plain; charset=utf-8');
    for (const word of ['You ', 'asked: ', 'why? ']) {
      words.push(word);
      await client.through(word);
    }
    client.reset();
    // It may have begun to wait for the next one: that ends with it.
    const stopping = until(() => {
      words.push('more');
      return isStopped;
    }, 'the model stopped');
    await noticed(stopping);
  });

  test(`${what}: whole`, async (t) => {
    const server = await serveGet(t, () => answer(Readable.from(['You ', 'asked: ', 'où?'])));
    const { text, complete } = await request(t, server, 'GET /');
    t.deepEqual([text, complete], ['You asked: où?', true]);
  });
}
