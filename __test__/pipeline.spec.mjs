// What a source does decides what its client sees. As `stream.pipeline` into a response of node:http
// has it, but for two things: a failure before the headers is 500 here, and a closed connection
// there; and a body that ends with its connection is told from one cut short, by a reset.

import { createServer as createNodeServer } from 'node:http';
import { Duplex, PassThrough, pipeline, Readable, Stream, Transform, Writable } from 'node:stream';
import test from 'ava';
import { stream } from 'wapix';
import { connect, request, requestBytes } from './helpers/client.mjs';
import { closed, once, until } from './helpers/events.mjs';
import { captureErrors } from './helpers/log.mjs';
import { serve, serveGet } from './helpers/server.mjs';
import { counted, manual, patterned } from './helpers/source.mjs';

captureErrors();

/** Serves the same with node:http. */
async function serveWithNode(t, make) {
  const server = createNodeServer((_, response) => pipeline(make(), response, () => {}));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.close();
    server.closeAllConnections();
  });
  return server;
}

/** How a response came out that was not whole: before its headers, or after `some` of it. */
const REFUSED = 'refused';
const CUT = 'cut after "some"';

const failure = () => new Error('the source broke');

/** A source of `some`, that does `then` once the client has it. */
function thenDo(later, then, source = manual()) {
  source.push('some');
  later(() => then(source));
  return source;
}

/** A source that does all of `then` before anybody reads it. */
function atOnce(then, options) {
  const source = manual(options);
  source.on('error', () => {});
  then(source);
  return source;
}

const endWith = (more) => (source) => {
  source.push(more);
  source.push(null);
};

/** A stream as they were before `destroy`: it only emits. */
function old(emit) {
  const source = Object.assign(new Stream(), { readable: true, pause() {}, resume() {} });
  setImmediate(() => emit(source));
  return source;
}

const characters = Buffer.from('é€🦀'.repeat(50));

/** What is pushed byte by byte, so that every character is split. */
function bytewise(encoding) {
  const source = manual({ highWaterMark: 1 << 16 }).setEncoding(encoding);
  for (const byte of characters) source.push(Buffer.from([byte]));
  source.push(null);
  return source;
}

async function* throwing(later) {
  yield 'some';
  await new Promise((resolve) => later(resolve));
  throw failure();
}

/** Where the pipeline of some Node.js versions leaves the client waiting. */
const WAITS_WITH_NODE = 'is destroyed with its end unread';

/** Name, outcome, and how to make the source. */
const SOURCES = [
  ['ends', 'some', () => Readable.from(['some'])],
  ['ends later', 'some more', (later) => thenDo(later, endWith(' more'))],
  ['fails at once', REFUSED, () => atOnce((source) => source.destroy(failure()))],
  ['fails later', CUT, (later) => thenDo(later, (source) => source.destroy(failure()))],
  [
    'emits an error only',
    CUT,
    (later) => thenDo(later, (source) => source.emit('error', failure())),
  ],
  ['is destroyed at once', REFUSED, () => atOnce((source) => source.destroy())],
  ['is destroyed later', CUT, (later) => thenDo(later, (source) => source.destroy())],
  [
    WAITS_WITH_NODE,
    REFUSED,
    () =>
      atOnce((source) => {
        endWith('some')(source);
        source.destroy();
      }),
  ],
  [
    'fails with its end unread',
    REFUSED,
    () =>
      atOnce((source) => {
        endWith('some')(source);
        source.destroy(failure());
      }),
  ],
  [
    'is destroyed where it ends, all being taken',
    'some more',
    (later) =>
      thenDo(later, (source) => {
        endWith(' more')(source);
        source.destroy();
      }),
  ],
  [
    'is destroyed once it has ended',
    'some more',
    (later) =>
      thenDo(later, (source) => {
        source.once('end', () => source.destroy());
        endWith(' more')(source);
      }),
  ],
  [
    'fails once it has ended',
    'some more',
    (later) =>
      thenDo(later, (source) => {
        source.once('end', () => source.destroy(failure()));
        endWith(' more')(source);
      }),
  ],
  [
    'pushes after its end',
    REFUSED,
    () =>
      atOnce((source) => {
        source.push(null);
        source.push('too late');
      }),
  ],
  [
    'pushes after its end, later',
    CUT,
    (later) =>
      thenDo(later, (source) => {
        source.push(null);
        source.push('too late');
      }),
  ],
  ['fails in its construction', REFUSED, () => manual({ construct: (done) => done(failure()) })],
  [
    'fails in its destruction, all being said',
    'some',
    () => atOnce(endWith('some'), { destroy: (_, done) => done(failure()) }),
  ],
  ['ends, autoDestroy off', 'some', () => atOnce(endWith('some'), { autoDestroy: false })],
  [
    'fails, autoDestroy off',
    CUT,
    (later) =>
      thenDo(later, (source) => source.emit('error', failure()), manual({ autoDestroy: false })),
  ],
  ['ends, emitClose off', 'some', () => atOnce(endWith('some'), { emitClose: false })],
  [
    'fails, emitClose off',
    CUT,
    (later) => thenDo(later, (source) => source.destroy(failure()), manual({ emitClose: false })),
  ],
  [
    'is of the old kind, and ends',
    'some more',
    () =>
      old((source) => {
        source.emit('data', Buffer.from('some'));
        source.emit('data', Buffer.from(' more'));
        source.emit('end');
      }),
  ],
  [
    'is of the old kind, and fails',
    CUT,
    (later) =>
      old((source) => {
        source.emit('data', Buffer.from('some'));
        later(() => source.emit('error', failure()));
      }),
  ],
  ['is a PassThrough', 'some more', () => Readable.from(['some', ' more']).pipe(new PassThrough())],
  [
    'is a PassThrough that was destroyed',
    CUT,
    (later) => thenDo(later, (source) => source.destroy(), new PassThrough()),
  ],
  [
    'is a Transform',
    'SOME MORE',
    () =>
      Readable.from(['some', ' more']).pipe(
        new Transform({ transform: (bytes, _, done) => done(null, String(bytes).toUpperCase()) }),
      ),
  ],
  [
    'is a Transform that fails',
    REFUSED,
    () =>
      Readable.from(['some']).pipe(new Transform({ transform: (_, __, done) => done(failure()) })),
  ],
  [
    'is a Transform that fails at its end',
    CUT,
    (later) =>
      thenDo(
        later,
        (source) => source.end(),
        new Transform({ transform() {}, flush: (done) => done(failure()) }),
      ),
  ],
  [
    'is a Duplex whose writable side never ends',
    'some',
    () => {
      const source = new Duplex({ read() {}, write() {} });
      endWith('some')(source);
      return source;
    },
  ],
  [
    'is a Duplex whose writable side ends first',
    'some more',
    (later) => {
      const source = new Duplex({ read() {}, write() {} });
      source.end();
      return thenDo(later, endWith(' more'), source);
    },
  ],
  ['has an encoding, and splits characters', String(characters), () => bytewise('utf8')],
  ['is Latin-1', characters.toString('latin1'), () => bytewise('latin1')],
  ['is hexadecimal', characters.toString('hex'), () => bytewise('hex')],
  ['is base64', characters.toString('base64'), () => bytewise('base64')],
  [
    'is of strings, Buffers and Uint8Arrays',
    'some more',
    () => Readable.from(['so', Buffer.from('me'), new Uint8Array([32]), 'more']),
  ],
  ['is an async generator that throws', CUT, (later) => throwing(later)],
  ['is an async generator that throws first', REFUSED, rejecting],
  ['is a generator', 'some more', () => ['some', ' more'].values()],
];

async function* rejecting() {
  yield await Promise.reject(failure());
}

/** What the client of `server` sees; with what is to be done once it has `some`. */
async function outcome(t, server, version, steps) {
  const client = await connect(t, server);
  client.send(`GET / HTTP/${version}\r\nHost: test\r\n\r\n`);
  if (steps !== undefined) {
    await until(() => client.bytes.includes('some'), 'some of the response');
    for (const step of steps.splice(0)) step();
  }
  const response = await client.response().catch((error) => {
    if (client.ending === undefined) throw error;
  });
  client.destroy();
  if (response?.status !== 200) return { seen: REFUSED, status: response?.status };
  const whole = version === '1.0' ? client.ending === 'end' : response.complete;
  return { seen: whole ? response.text : `cut after ${JSON.stringify(response.text)}` };
}

for (const [name, expected, make] of SOURCES) {
  test(`a source that ${name}`, async (t) => {
    const steps = make.length > 0 ? [] : undefined;
    const later = (step) => steps.push(step);
    if (name !== WAITS_WITH_NODE) {
      const node = await serveWithNode(t, () => make(later));
      t.is((await outcome(t, node, '1.1', steps)).seen, expected, 'with node:http');
    }
    const server = await serveGet(t, () => stream(make(later)));
    for (const version of ['1.1', '1.0']) {
      let is = await outcome(t, server, version, steps);
      // The headers wait no longer than 10 ms, and may leave before a failure in another turn.
      for (
        let round = 1;
        round < 5 && expected === REFUSED && is.seen === 'cut after ""';
        round += 1
      ) {
        is = await outcome(t, server, version, steps);
      }
      t.is(is.seen, expected, `HTTP/${version}`);
      if (expected === REFUSED) t.is(is.status, 500);
    }
  });
}

test('a source that never ends: the response goes on until the client leaves', async (t) => {
  const source = manual();
  const server = await serve(t, {
    '/': { get: () => stream(source) },
    '/other': { get: () => stream(Readable.from(['other'])) },
  });
  const client = await connect(t, server);
  client.send(requestBytes('GET /'));
  await client.head();
  for (let event = 0; event < 20; event += 1) {
    source.push(`${event};`);
    await client.through(`${event};\r\n`);
    t.is((await request(t, server, 'GET /other')).text, 'other');
  }
  t.is(client.ending, undefined);
  t.false(source.destroyed);
  client.end();
  await closed(source);
});

test('a source that is piped elsewhere has all its bytes there and here', async (t) => {
  const total = 4 * 1024 * 1024;
  const kept = [];
  const server = await serveGet(t, () => {
    const source = counted(total);
    // Slower than the client: it is the pipe that holds the source back.
    source.pipe(
      new Writable({
        highWaterMark: 1,
        write(chunk, _, done) {
          kept.push(chunk);
          setImmediate(done);
        },
      }),
    );
    return stream(source);
  });
  const { body, complete } = await request(t, server, 'GET /');
  const expected = patterned(0, total);
  t.true(complete);
  t.true(body.equals(expected));
  await until(() => kept.length * 16 * 1024 >= total, 'all bytes in the pipe');
  t.true(Buffer.concat(kept).equals(expected));
});
