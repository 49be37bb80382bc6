// As in disconnect.spec.mjs, for sources of every kind: how each hears that its client has left. One after the
// other, where that is to be within a second: an endless source computes as long as it is asked for more.

import { spawn } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import test from 'ava';
import { sse, stream } from 'wapix';
import { connect, request, requestBytes } from './helpers/client.mjs';
import { noticed } from './helpers/deadline.mjs';
import { aborted, closed, deferred, levelled, once } from './helpers/events.mjs';
import { captureErrors, errorsNaming } from './helpers/log.mjs';
import { runProgram } from './helpers/program.mjs';
import { serve } from './helpers/server.mjs';
import { manual } from './helpers/source.mjs';

captureErrors();

const WAYS = [
  ['FIN', (client) => client.end()],
  ['RST', (client) => client.reset()],
];

const web = (cancel) => new ReadableStream({ cancel });

/** An async iterable that is no generator. */
const iterable = (value, next, end) => ({
  [Symbol.asyncIterator]: () => ({
    next: async () => {
      next();
      return { done: false, value };
    },
    return: async () => {
      end();
      return { done: true };
    },
  }),
});

async function* events(gone) {
  try {
    for (;;) yield { data: 'an event' };
  } finally {
    gone();
  }
}

/** What a handler returns too late, which is to call `gone`. */
const LATE = {
  'a web stream is cancelled': (gone) => stream(web(gone)),
  'the body of a Response is cancelled': (gone) => new Response(web(gone)),
  'a file is closed': (gone) => stream(createReadStream(process.execPath).once('close', gone)),
  'a file that is open is closed': async (gone) => {
    const file = createReadStream(process.execPath).once('close', gone);
    await once(file, 'open');
    return stream(file);
  },
  'the output of a child process is closed, which may kill it': (gone, t) => {
    const child = spawn(process.execPath, ['--eval', 'setInterval(() => {}, 1000)']);
    t.teardown(() => child.kill('SIGKILL'));
    child.once('exit', gone);
    child.stdout.once('close', () => child.kill());
    return stream(child.stdout);
  },
  'an async iterable is returned from': (gone) => stream(iterable('', () => {}, gone)),
  "the finally of events' generator runs where it has begun": async (gone) => {
    const begun = events(gone);
    await begun.next();
    return sse(begun);
  },
  'a source that has failed fails nobody': (gone) =>
    stream(manual().once('close', gone).destroy(new Error('it has failed'))),
  'events that have failed fail nobody': (gone) =>
    sse(manual().once('close', gone).destroy(new Error('it has failed'))),
  'a web stream that has failed fails nobody': (gone) => {
    gone();
    return stream(new ReadableStream({ start: (it) => it.error(new Error('it has failed')) }));
  },
  'a source that has ended is left alone': async (gone) => {
    const ended = Readable.from([]).resume();
    await closed(ended);
    gone();
    return stream(ended);
  },
};

for (const [how, leave] of WAYS) {
  for (const [what, make] of Object.entries(LATE)) {
    test.serial(`returned after ${how}, ${what}`, async (t) => {
      const [entered, gone] = [deferred(), deferred()];
      const path = `/${how}-${Object.keys(LATE).indexOf(what)}`;
      const get = async ({ signal }) => {
        entered.resolve();
        await aborted(signal);
        return make(gone.resolve, t);
      };
      const server = await serve(t, { [path]: { get } });
      const client = await connect(t, server);
      client.send(requestBytes(`GET ${path}`));
      await entered.promise;
      leave(client);
      await noticed(gone.promise);
      await request(t, server, 'GET /other');
      t.deepEqual(errorsNaming(`GET ${path} `), []);
    });
  }
}

const CHUNK = Buffer.alloc(64 * 1024);

/** Sources without an end, by how they hear that nobody wants more. */
const ENDLESS = {
  'the finally of a generator': function* (made, gone) {
    try {
      for (;;) {
        made();
        yield CHUNK;
      }
    } finally {
      gone();
    }
  },
  'the finally of an async generator': async function* (made, gone) {
    try {
      for (;;) {
        made();
        yield CHUNK;
      }
    } finally {
      gone();
    }
  },
  'the return of an async iterable': (made, gone) => iterable(CHUNK, made, gone),
  'the cancel of a web stream': (made, cancel) =>
    new ReadableStream({
      pull(controller) {
        made();
        controller.enqueue(CHUNK);
      },
      cancel,
    }),
};

for (const [how, leave] of WAYS) {
  for (const [what, make] of Object.entries(ENDLESS)) {
    for (const stalls of [false, true]) {
      const whose = stalls ? 'a client that has stalled' : 'a client that reads';
      test.serial(`${what} runs at ${how} of ${whose}`, async (t) => {
        const gone = deferred();
        let count = 0;
        const made = () => {
          count += 1;
        };
        const server = await serve(t, { '/': { get: () => stream(make(made, gone.resolve)) } });
        const client = await connect(t, server);
        client.send(requestBytes('GET /'));
        await client.head();
        if (stalls) {
          client.stall();
          await levelled(
            () => count,
            () => request(t, server, 'GET /other'),
          );
        }
        leave(client);
        await noticed(gone.promise);
        t.pass();
      });
    }
  }
}

/** Serves sources whose clean-up fails, and prints when it does. */
const FAILING = `
  import { once } from 'node:events';
  import { Readable } from 'node:stream';
  import { createServer, sse, stream, text } from 'wapix';

  const fail = () => {
    console.log('cleaned');
    throw new Error('the clean-up fails');
  };
  const chunk = Buffer.alloc(64 * 1024);
  const web = (cancel) => new ReadableStream({ start: (it) => it.enqueue('some'), cancel });
  const iterable = (end) => ({
    [Symbol.asyncIterator]: () => ({
      next: async () => ({ done: false, value: chunk }),
      return: end,
    }),
  });
  function* generator() {
    try { for (;;) yield chunk; } finally { fail(); }
  }
  async function* asyncGenerator(value) {
    try { for (;;) yield value; } finally { fail(); }
  }
  const RESULTS = {
    'cancel-throws': () => stream(web(fail)),
    'cancel-rejects': () => stream(web(async () => fail())),
    'cancel-of-a-response': () => new Response(web(fail)),
    'return-throws': () => stream(iterable(fail)),
    'return-rejects': () => stream(iterable(async () => fail())),
    'return-of-nothing': () => stream(iterable(() => console.log('cleaned'))),
    'destroy-throws': () => stream(new Readable({ read() {}, destroy: fail })),
    'destroy-fails': () => stream(new Readable({
      read() {},
      destroy(_, callback) {
        console.log('cleaned');
        callback(new Error('the clean-up fails'));
      },
    })),
    'generator': () => stream(generator()),
    'async-generator': () => stream(asyncGenerator(chunk)),
    'events': () => sse(asyncGenerator({ data: 'an event' })),
  };
  const server = createServer({
    '/:result': { get: ({ params }) => RESULTS[params.result]() },
    '/late/:result': {
      get: async ({ params, signal }) => {
        console.log('entered');
        await once(signal, 'abort');
        return RESULTS[params.result]();
      },
    },
    '/close': { get: () => (server.close(), text('closed')) },
  });
  server.listen(0, '127.0.0.1', () => console.log(
    'port', server.address().port, Object.keys(RESULTS).join(),
  ));
`;

test('a clean-up that fails when the client has left is no concern of anybody', async (t) => {
  const program = runProgram(t, FAILING);
  const [, port, names] = await program.printed(/port (\d+) (.+)\n/);
  const server = { address: () => ({ address: '127.0.0.1', port: Number(port) }) };
  let [entered, cleaned] = [0, 0];
  const times = (word, count) => program.printed(new RegExp(`(${word}[^]*){${count}}`));
  for (const [index, name] of names.split(',').entries()) {
    const leave = WAYS[index % 2][1];
    const client = await connect(t, server);
    client.send(requestBytes(`GET /${name}`));
    await client.head();
    leave(client);
    cleaned += 1;
    await times('cleaned', cleaned);

    const late = await connect(t, server);
    late.send(requestBytes(`GET /late/${name}`));
    entered += 1;
    await times('entered', entered);
    leave(late);
    // A generator that has not begun has no finally to run.
    if (!/generator|events/.test(name)) cleaned += 1;
    await times('cleaned', cleaned);
  }
  t.is((await request(t, server, 'GET /close')).text, 'closed');
  t.deepEqual(await program.exit(), { code: 0, signal: null }, program.stderr);
  t.is(program.stderr, '');
});

test('a source that has closed has no listener left but one for errors', async (t) => {
  const ends = {
    whole: (source) => source.push(null),
    failed: (source) => source.destroy(new Error('it fails')),
    FIN: (_, client) => client.end(),
    RST: (_, client) => client.reset(),
  };
  const sources = Object.fromEntries(Object.keys(ends).map((name) => [name, manual()]));
  const server = await serve(t, { '/:end': { get: ({ params }) => stream(sources[params.end]) } });
  for (const [name, end] of Object.entries(ends)) {
    const source = sources[name];
    const client = await connect(t, server);
    client.send(requestBytes(`GET /${name}`));
    source.push('some');
    await client.through('some');
    const over = deferred();
    source.once('close', over.resolve);
    end(source, client);
    await noticed(over.promise);
    t.deepEqual(source.eventNames(), ['error'], name);
  }
});
