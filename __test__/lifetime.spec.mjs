import { AsyncLocalStorage } from 'node:async_hooks';
import { setImmediate as turn } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import test from 'ava';
import { createServer, json, text } from 'wapix';
import { connect, request, requestBytes } from './helpers/client.mjs';
import { within } from './helpers/deadline.mjs';
import { deferred, once, until } from './helpers/events.mjs';
import { captureErrors } from './helpers/log.mjs';
import { runProgram, start } from './helpers/program.mjs';
import { serve, serveGet } from './helpers/server.mjs';

captureErrors();

const CLUSTER = fileURLToPath(new URL('fixtures/cluster.mjs', import.meta.url));

/** Runs `source` in a worker that knows `wapix` and tells its server's port. */
async function work(t, source) {
  const worker = new Worker(source, { eval: true });
  t.teardown(() => worker.terminate());
  const [port] = await once(worker, 'message');
  return { worker, where: { host: '127.0.0.1', port } };
}

const WORKER = `
  const { parentPort } = require('node:worker_threads');
  const { Readable } = require('node:stream');
  const { createServer, stream, text } = require('wapix');
  const server = createServer({
    '/': { get: () => text('from a worker') },
    '/stream': { get: () => stream(new Readable({ read() { this.push(Buffer.alloc(65536)); } })) },
    '/events': { get: () => stream(new Readable({ read() {} }), 'text/event-stream') },
    '/never': { get: () => new Promise(() => {}) },
  });
  server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port));
  parentPort.on('message', () => server.close(() => parentPort.close()));
`;

const none = { address: () => null };

test('a server in a worker serves, and its worker ends after close', async (t) => {
  const { worker, where } = await work(t, WORKER);
  const client = await connect(t, none, where);
  client.send(requestBytes('GET /'));
  t.is((await client.response()).text, 'from a worker');
  worker.postMessage('close');
  const [code] = await once(worker, 'exit');
  t.is(code, 0);
});

test('worker.terminate() with live streams: connections end, the port is free', async (t) => {
  const { worker, where } = await work(t, WORKER);
  const clients = [];
  for (const path of ['/stream', '/events', '/never', '/stream', '/events']) {
    const client = await connect(t, none, where);
    client.send(requestBytes(`GET ${path}`));
    if (path !== '/never') await client.head();
    if (path === '/stream') client.stall();
    clients.push(client);
  }
  await worker.terminate();
  for (const client of clients) {
    client.resume();
    t.truthy(await client.ended());
  }
  const next = await serve(t, { '/': { get: () => text('next') } }, {}, where);
  t.is((await request(t, next, 'GET /')).text, 'next');
});

test('loaded only in workers, a hundred times, two at a time: no crash, nothing left', async (t) => {
  t.timeout(120_000);
  const program = runProgram(
    t,
    `
    import { once } from 'node:events';
    import { existsSync, readdirSync } from 'node:fs';
    import { Agent, get } from 'node:http';
    import { text } from 'node:stream/consumers';
    import { Worker } from 'node:worker_threads';
    const agent = new Agent();
    async function load(ends) {
      const worker = new Worker(${JSON.stringify(WORKER)}, { eval: true, execArgv: [] });
      const [port] = await once(worker, 'message');
      const [response] = await once(get({ host: '127.0.0.1', port, agent }), 'response');
      if (await text(response) !== 'from a worker') throw new Error('no answer');
      if (ends) { worker.postMessage('close'); await once(worker, 'exit'); }
      else await worker.terminate();
    }
    const count = (directory) => existsSync(directory) ? readdirSync(directory).length : 0;
    const left = () => [count('/dev/fd'), count('/proc/self/task')];
    let before;
    for (let round = 0; round < 50; round += 1) {
      await Promise.all([load(true), load(false)]);
      // By then the process has all that it keeps for workers to come.
      if (round === 4) before = left();
    }
    // A thread is gone a moment after its end has been told, and may still have been there before.
    const more = () => left().some((count, at) => count > before[at]);
    while (more()) await new Promise((resolve) => setTimeout(resolve, 10));
    console.log('done');
    `,
  );
  const { code, signal } = await within(program.exited, 'a hundred loads', 100_000);
  t.deepEqual([code, signal], [0, null], program.stderr);
  t.is(program.stdout, 'done\n');
});

const onLinux = process.platform === 'linux' ? test : test.skip;

onLinux(
  'workers of a cluster share a port, one that dies has a successor, and all end',
  async (t) => {
    const program = start(t, process.execPath, [CLUSTER]);
    const [, port] = await program.printed(/port (\d+)/);
    const seen = new Set();
    const answered = async (count) => {
      const headers = { connection: 'close' };
      while (seen.size < count) {
        seen.add(await (await fetch(`http://127.0.0.1:${port}`, { headers })).text());
      }
    };
    await within(answered(2), 'answers of both');
    process.kill(Number([...seen][0]), 'SIGKILL');
    await program.printed(/ended \d+ SIGKILL/);
    await within(answered(3), 'an answer of a successor');
    program.child.kill('SIGTERM');
    t.deepEqual(await program.exit(), { code: 0, signal: null }, program.stderr);
    t.is(program.stdout.match(/ended \d+ 0$/gm).length, 2, program.stdout);
  },
);

test('process.exit() in a handler ends the process with its code', async (t) => {
  const program = runProgram(
    t,
    `
    import { createServer } from 'wapix';
    const server = createServer({ '/': { get: () => process.exit(4) } });
    server.listen(0, '127.0.0.1', () => {
      fetch('http://127.0.0.1:' + server.address().port).catch(() => {});
    });
    `,
  );
  t.deepEqual(await program.exit(), { code: 4, signal: null }, program.stderr);
});

test("an exception thrown after the answer is the process's own affair: it lives where it is caught", async (t) => {
  const program = runProgram(
    t,
    `
    import { createServer, text } from 'wapix';
    process.on('uncaughtException', ({ message }) => console.log('caught', message));
    process.on('unhandledRejection', ({ message }) => console.log('unhandled', message));
    const server = createServer({
      '/timer': { get: () => { setTimeout(() => { throw new Error('timer'); }); return text('sent'); } },
      '/tick': { get: () => { process.nextTick(() => { throw new Error('tick'); }); return text('sent'); } },
      '/micro': { get: () => { queueMicrotask(() => { throw new Error('micro'); }); return text('sent'); } },
      '/promise': { get: () => { Promise.reject(new Error('promise')); return text('sent'); } },
    });
    server.listen(0, '127.0.0.1', () => console.log('port', server.address().port));
    `,
  );
  const [, port] = await program.printed(/port (\d+)/);
  for (const name of ['timer', 'tick', 'micro', 'promise', 'timer']) {
    const response = await fetch(`http://127.0.0.1:${port}/${name}`);
    t.is(await response.text(), 'sent', name);
    await program.printed(new RegExp(`(caught|unhandled) ${name}`));
  }
  t.is(program.stderr, '');
});

test("an uncaught exception in a handler's timer ends the process as ever, with its stack", async (t) => {
  const program = runProgram(
    t,
    `
    import { createServer, text } from 'wapix';
    const server = createServer({
      '/': { get: () => { setImmediate(() => { throw new Error('nobody catches'); }); return text(''); } },
    });
    server.listen(0, '127.0.0.1', () => console.log('port', server.address().port));
    `,
  );
  const [, port] = await program.printed(/port (\d+)/);
  await fetch(`http://127.0.0.1:${port}`).catch(() => {});
  const { code } = await program.exit();
  t.is(code, 1);
  t.regex(program.stderr, /nobody catches[\s\S]*\n\s+at /);
});

for (const [name, enter] of [
  ['run', (storage, store, next) => storage.run(store, next)],
  [
    'enterWith',
    (storage, store, next) => {
      storage.enterWith(store);
      return next();
    },
  ],
]) {
  test(`AsyncLocalStorage: what a handler enters with ${name} is its own, across awaits`, async (t) => {
    const storage = new AsyncLocalStorage();
    const before = [];
    const server = await serve(t, {
      '/:id': {
        get: ({ params }) => {
          before.push(storage.getStore());
          return enter(storage, params.id, async () => {
            for (let turns = Number(params.id) % 4; turns >= 0; turns -= 1) await turn();
            return json([params.id, storage.getStore()]);
          });
        },
      },
    });
    const clients = await Promise.all(Array.from({ length: 64 }, () => connect(t, server)));
    for (let round = 0; round < 3; round += 1) {
      for (const [index, client] of clients.entries()) client.send(requestBytes(`GET /${index}`));
      for (const [index, client] of clients.entries()) {
        t.deepEqual((await client.response()).json, [String(index), String(index)]);
      }
    }
    t.is(before.length, 192);
    t.true(
      before.every((store) => store === undefined),
      'nothing is inherited',
    );
    t.is(storage.getStore(), undefined);
  });
}

test('AsyncLocalStorage: a server made within a context does not hand it to its handlers', async (t) => {
  const storage = new AsyncLocalStorage();
  const server = await storage.run('start-up', () =>
    serveGet(t, () => json([storage.getStore() ?? null])),
  );
  for (let round = 0; round < 2; round += 1) {
    t.deepEqual((await request(t, server, 'GET /')).json, [null]);
  }
});

test('AsyncLocalStorage: a request of inject does not have the context of the first', async (t) => {
  const storage = new AsyncLocalStorage();
  const server = createServer({ '/': { get: () => json([storage.getStore() ?? null]) } });
  for (const name of ['first', 'second']) {
    const response = await storage.run(name, () => server.inject('/'));
    t.deepEqual(await response.json(), [null]);
  }
});

test('a burst does not starve timers', async (t) => {
  const REQUESTS = 2_000;
  let handled = 0;
  const seenByTimer = [];
  const server = await serveGet(t, () => {
    handled += 1;
    // A thread that is busy: the queue grows while it runs.
    for (const end = performance.now() + 0.2; performance.now() < end; );
    return text('');
  });
  const program = runProgram(
    t,
    `
    import { connect } from 'node:net';
    const one = 'GET / HTTP/1.1\\r\\nHost: test\\r\\n\\r\\n';
    for (let client = 0; client < 200; client += 1) {
      const socket = connect(${server.address().port}, '127.0.0.1');
      socket.write(one.repeat(${REQUESTS / 200}));
      socket.resume();
    }
    `,
  );
  const timer = setInterval(() => seenByTimer.push(handled), 1);
  t.teardown(() => clearInterval(timer));
  await until(() => handled === REQUESTS, 'the burst was handled');
  program.child.kill('SIGKILL');
  await program.exit();
  const between = new Set(seenByTimer.filter((count) => count > 0 && count < REQUESTS));
  t.true(between.size >= 5, `the timer fired between ${between.size} batches`);
});

test('a blocked JavaScript thread blocks no I/O, and answers all that came meanwhile', async (t) => {
  const { worker, where } = await work(
    t,
    `
    const { parentPort } = require('node:worker_threads');
    const { createServer, text } = require('wapix');
    let handled = 0;
    const server = createServer({
      '/': { get: () => text(String(++handled)) },
      '/block': { get: () => {
        const gate = new Int32Array(new SharedArrayBuffer(4));
        parentPort.postMessage(gate);
        Atomics.wait(gate, 0, 0);
        return text('released');
      } },
    }, { ioThreads: 1 });
    server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port));
    `,
  );
  const [first, ...clients] = await Promise.all(
    Array.from({ length: 101 }, () => connect(t, none, where)),
  );
  first.send(requestBytes('GET /block'));
  const [gate] = await once(worker, 'message');
  for (const client of clients) client.send(requestBytes('GET /'));
  // Not routed: Rust answers by itself, and accepts, reads and writes as ever.
  for (let round = 0; round < 20; round += 1) {
    const other = await connect(t, none, where);
    other.send(requestBytes('GET /other'));
    t.is((await other.response()).status, 404);
  }
  t.true(clients.every((client) => client.bytes.length === 0));
  Atomics.store(gate, 0, 1);
  Atomics.notify(gate, 0);
  t.is((await first.response()).text, 'released');
  const answers = await Promise.all(clients.map((client) => client.response()));
  t.is(new Set(answers.map(({ text }) => text)).size, 100);
});

test('handlers that never settle hold nothing up', async (t) => {
  const entered = deferred();
  let count = 0;
  const server = await serve(t, {
    '/never': {
      get: () => {
        count += 1;
        if (count === 100) entered.resolve();
        return new Promise(() => {});
      },
    },
    '/': { get: () => text('alive') },
  });
  const clients = await Promise.all(Array.from({ length: 100 }, () => connect(t, server)));
  for (const client of clients) client.send(requestBytes('GET /never'));
  await entered.promise;
  t.is((await request(t, server, 'GET /')).text, 'alive');
  for (const client of clients) client.reset();
  t.is((await request(t, server, 'GET /')).text, 'alive');
});
