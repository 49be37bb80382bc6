// One server's connections on several threads, and one JavaScript thread that answers all of them.

import { createHash } from 'node:crypto';
import { get } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import test from 'ava';
import { channel, json, stream, text } from 'wapix';
import { CERT, KEY } from './helpers/certificate.mjs';
import { connect, request, requestBytes } from './helpers/client.mjs';
import { subscribe } from './helpers/event-source.mjs';
import { closed, deferred, levelled, once, until } from './helpers/events.mjs';
import { session } from './helpers/http2.mjs';
import { runProgram } from './helpers/program.mjs';
import { originOf, serve, serveGet } from './helpers/server.mjs';
import { counted, manual, patterned } from './helpers/source.mjs';

const THREADS = { ioThreads: 3 };
const onLinux = process.platform === 'linux' ? test : test.skip;
const posix = process.platform === 'win32' ? test.skip : test;

const connections = (t, server, count) =>
  Promise.all(Array.from({ length: count }, () => connect(t, server)));

onLinux(
  'connections are spread evenly: each is served by a thread, and all threads serve',
  async (t) => {
    const program = runProgram(
      t,
      `
    import { readdirSync, readFileSync } from 'node:fs';
    import { createServer, json } from 'wapix';
    const status = (id) => readFileSync('/proc/self/task/' + id + '/status', 'utf8');
    // How often each has waited for something to do.
    const waits = () => readdirSync('/proc/self/task').map(status)
      .filter((text) => text.startsWith('Name:\\twapix-io-'))
      .map((text) => Number(/^voluntary_ctxt_switches:\\t(\\d+)/m.exec(text)[1]));
    const server = createServer({ '/': { get: () => json(waits()) } }, { ioThreads: 3 });
    server.listen(0, '127.0.0.1', () => console.log('port', server.address().port));
    `,
    );
    const [, port] = await program.printed(/port (\d+)/);
    const served = [];
    const clients = [];
    for (let index = 0; index < 6; index += 1) {
      const client = await connect(t, { address: () => null }, { host: '127.0.0.1', port });
      clients.push(client);
      const ask = async () => (await client.send(requestBytes('GET /')).response()).json;
      const before = await ask();
      for (let round = 0; round < 100; round += 1) await ask();
      const after = await ask();
      const grown = after.map((count, thread) => count - before[thread]);
      served.push(grown.indexOf(Math.max(...grown)));
    }
    t.deepEqual(served.slice(0, 3).sort(), [0, 1, 2]);
    t.deepEqual(served.slice(3).sort(), [0, 1, 2]);
  },
);

test('each client gets the answers to its own requests, kept alive or not', async (t) => {
  const server = await serve(
    t,
    {
      '/:id': {
        get: async ({ params }) => {
          for (let turns = params.id.length % 3; turns >= 0; turns -= 1) await turn();
          return text(params.id);
        },
        post: ({ params, body }) => json({ id: params.id, body }),
      },
    },
    THREADS,
  );
  const clients = await connections(t, server, 60);
  for (let round = 0; round < 5; round += 1) {
    const id = (index) => 'x'.repeat(index % 4) + index * 100 + round;
    for (const [index, client] of clients.entries()) {
      client.send(requestBytes(`GET /${id(index)}`));
    }
    for (const [index, client] of clients.entries()) {
      t.is((await client.response()).text, id(index));
    }
  }
  for (let index = 0; index < 12; index += 1) {
    const body = JSON.stringify('b'.repeat(index * 10_000));
    const headers = { connection: 'close', 'content-type': 'application/json' };
    const answer = await request(t, server, `POST /${index}`, headers, body);
    t.deepEqual(answer.json, { id: String(index), body: JSON.parse(body) });
  }
});

test('who does not read holds up its own stream, and who leaves ends its own', async (t) => {
  const LENGTH = 16 << 20;
  const sources = [];
  const server = await serveGet(
    t,
    () => {
      const source = counted(LENGTH);
      sources.push(source);
      return stream(source);
    },
    { ...THREADS, https: { key: KEY, cert: CERT } },
  );
  const responses = [];
  for (let index = 0; index < 6; index += 1) {
    const asked = get(originOf(server, 'https'), { agent: false, rejectUnauthorized: false });
    const [response] = await once(asked, 'response');
    responses.push(response);
  }
  const produced = () => sources.reduce((sum, source) => sum + source.produced, 0);
  await levelled(produced, turn);
  t.true(sources.every((source) => source.produced < LENGTH));
  const [leaving, ...staying] = responses;
  leaving.destroy();
  await closed(sources[0], 'the source of who left is destroyed');
  const expected = createHash('sha256').update(patterned(0, LENGTH)).digest('hex');
  for (const response of staying) {
    const hash = createHash('sha256');
    for await (const chunk of response) hash.update(chunk);
    t.is(hash.digest('hex'), expected);
  }
});

test('HTTP/2: many requests over few connections', async (t) => {
  const server = await serve(
    t,
    { '/:id': { get: ({ params }) => turn().then(() => text(params.id)) } },
    THREADS,
  );
  const sessions = await Promise.all(Array.from({ length: 5 }, () => session(t, server)));
  const answers = sessions.flatMap((client, index) =>
    Array.from({ length: 40 }, async (_, number) => {
      const sent = client.request({ ':path': `/${index}-${number}` }).setEncoding('utf8');
      let content = '';
      for await (const part of sent) content += part;
      t.is(content, `${index}-${number}`);
    }),
  );
  await Promise.all(answers);
});

posix('a Unix socket', async (t) => {
  const path = join(tmpdir(), `wapix-threads-${process.pid}.sock`);
  const server = await serve(t, { '/': { get: () => text('here') } }, THREADS, { path });
  const clients = await connections(t, server, 6);
  for (const client of clients) client.send(requestBytes('GET /'));
  for (const client of clients) t.is((await client.response()).text, 'here');
});

test('limits are those of the server, whatever thread they are reached on', async (t) => {
  const entered = deferred();
  const answer = deferred();
  let count = 0;
  const server = await serveGet(
    t,
    () => {
      count += 1;
      if (count === 4) entered.resolve();
      return answer.promise;
    },
    { ...THREADS, maxConnections: 5, maxConcurrentRequests: 4 },
  );
  const clients = await connections(t, server, 5);
  for (const client of clients.slice(0, 4)) client.send(requestBytes('GET /'));
  await entered.promise;
  t.is((await clients[4].send(requestBytes('GET /')).response()).status, 503);
  const tooMany = await connect(t, server);
  t.truthy(await tooMany.ended());
  answer.resolve(text('let go'));
  for (const client of clients.slice(0, 4)) t.is((await client.response()).text, 'let go');
});

test('a channel reaches the subscribers of all threads, who are sent away when the server closes', async (t) => {
  const news = channel('many I/O threads');
  const server = await serveGet(t, (req) => news.subscribe(req), THREADS);
  const sources = await Promise.all(Array.from({ length: 9 }, () => subscribe(t, server)));
  await until(() => news.size === 9, 'all are subscribed');
  const expected = Array.from({ length: 300 }, (_, index) => index);
  for (const data of expected) {
    news.publish({ data });
    if (data % 5 === 0) await turn();
  }
  for (const source of sources) t.deepEqual(await source.data(300), expected);
  server.close();
  await once(server, 'close');
  for (const source of sources) t.is((await source.until(({ ending }) => ending)).ending, 'end');
  t.is(news.size, 0);
});

test('close lets streams and requests of all threads come to their end, and is told once', async (t) => {
  const sources = [];
  const waiting = [];
  const server = await serve(
    t,
    {
      '/stream': {
        get: () => {
          const source = manual();
          sources.push(source);
          return stream(source);
        },
      },
      '/wait': {
        get: () => {
          const answer = deferred();
          waiting.push(answer);
          return answer.promise;
        },
      },
    },
    THREADS,
  );
  const clients = await connections(t, server, 12);
  const idle = await connections(t, server, 3);
  for (const client of idle)
    t.is((await client.send(requestBytes('GET /no')).response()).status, 404);
  for (const [index, client] of clients.entries()) {
    client.send(requestBytes(index % 2 === 0 ? 'GET /stream' : 'GET /wait'));
  }
  await until(() => sources.length === 6 && waiting.length === 6, 'all have been asked');
  let told = 0;
  server.close(() => {
    told += 1;
  });
  for (const client of idle) t.is(await client.ended(), 'end');
  t.is(told, 0);
  for (const source of sources) {
    source.push('the last');
    source.push(null);
  }
  for (const answer of waiting) answer.resolve(text('the last'));
  for (const client of clients) {
    const { text, complete } = await client.response();
    t.deepEqual([text, complete], ['the last', true]);
    t.is(await client.ended(), 'end');
  }
  await until(() => told > 0, 'the server has closed');
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.is((await request(t, server, 'GET /other')).status, 404);
  t.is(told, 1);
});

test('at the deadline all threads cut off what is left', async (t) => {
  const sources = [];
  const server = await serveGet(
    t,
    () => {
      const source = manual();
      sources.push(source);
      return stream(source, 'text/event-stream');
    },
    THREADS,
  );
  const clients = await connections(t, server, 9);
  for (const client of clients) await client.send(requestBytes('GET /')).head();
  server.close({ deadline: 10 });
  await once(server, 'close');
  for (const client of clients) t.truthy(await client.ended());
  for (const source of sources) await closed(source);
});

const LEFT = `
  import { once } from 'node:events';
  import { existsSync, readdirSync } from 'node:fs';
  const count = (directory) => existsSync(directory) ? readdirSync(directory).length : 0;
  const left = () => [count('/dev/fd'), count('/proc/self/task')];
  // A thread is gone a moment after its end has been told, and may still have been there before.
  const settled = async (before) => {
    const more = () => left().some((count, at) => count > before[at]);
    while (more()) await new Promise((resolve) => setTimeout(resolve, 10));
  };
`;

test('listening and closing twenty times leaves no thread and no descriptor', async (t) => {
  const program = runProgram(
    t,
    `
    ${LEFT}
    import { Agent, get } from 'node:http';
    import { createServer, text } from 'wapix';
    const agent = new Agent();
    const server = createServer({ '/': { get: () => text('hello') } }, { ioThreads: 3 });
    let closed = 0;
    server.on('close', () => { closed += 1; });
    let before;
    for (let round = 0; round < 20; round += 1) {
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      const { port } = server.address();
      await Promise.all(Array.from({ length: 6 }, async () => {
        const [response] = await once(get({ port, agent }), 'response');
        await once(response.resume(), 'end');
      }));
      server.close();
      await once(server, 'close');
      if (round === 0) before = left();
    }
    await settled(before);
    console.log('closed', closed);
    `,
  );
  t.deepEqual(await program.exit(), { code: 0, signal: null }, program.stderr);
  t.is(program.stdout, 'closed 20\n');
});

test('worker.terminate() under load: connections end, and no thread is left', async (t) => {
  const program = runProgram(
    t,
    `
    ${LEFT}
    import { connect } from 'node:net';
    import { Worker } from 'node:worker_threads';
    const SERVER = ${JSON.stringify(`
      const { parentPort } = require('node:worker_threads');
      const { Readable } = require('node:stream');
      const { createServer, stream, text } = require('wapix');
      const server = createServer({
        '/': { get: () => text('from a worker') },
        '/stream': { get: () => stream(new Readable({ read() { this.push(Buffer.alloc(65536)); } })) },
      }, { ioThreads: 3 });
      server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port));
    `)};
    // Asks again with each answer, until the connection ends.
    function load(port, path) {
      const socket = connect(port, '127.0.0.1').on('error', () => {});
      const ask = () => socket.write('GET ' + path + ' HTTP/1.1\\r\\nHost: test\\r\\n\\r\\n');
      ask();
      socket.on('data', () => path === '/' && ask());
      // However it ends: \`once\` would reject with a reset.
      const ended = new Promise((resolve) => socket.on('close', resolve));
      return { begun: once(socket, 'data'), ended };
    }
    let before;
    for (let round = 0; round < 6; round += 1) {
      const worker = new Worker(SERVER, { eval: true, execArgv: [] });
      const [port] = await once(worker, 'message');
      const loads = Array.from({ length: 12 }, (_, index) => load(port, index % 2 ? '/' : '/stream'));
      await Promise.all(loads.map(({ begun }) => begun));
      await worker.terminate();
      await Promise.all(loads.map(({ ended }) => ended));
      // By then the process has all that it keeps for workers to come.
      if (round === 2) before = left();
    }
    await settled(before);
    console.log('done');
    `,
  );
  t.deepEqual(await program.exit(), { code: 0, signal: null }, program.stderr);
  t.is(program.stdout, 'done\n');
});

onLinux(
  'an uncaught exception, and process.exit(), end a process whose threads are busy',
  async (t) => {
    for (const [end, code] of [
      ['setImmediate(() => { throw new Error(); })', 1],
      ['process.exit(4)', 4],
    ]) {
      const program = runProgram(
        t,
        `
      import { Readable } from 'node:stream';
      import { createServer, stream, text } from 'wapix';
      const server = createServer({
        '/stream': { get: () => stream(new Readable({ read() { this.push(Buffer.alloc(65536)); } })) },
        '/end': { get: () => { ${end}; return text(''); } },
      }, { ioThreads: 3 });
      server.listen(0, '127.0.0.1', () => console.log('port', server.address().port));
      `,
      );
      const [, port] = await program.printed(/port (\d+)/);
      const where = { host: '127.0.0.1', port };
      const nobody = { address: () => null };
      for (let index = 0; index < 6; index += 1) {
        const client = await connect(t, nobody, where);
        await client.send(requestBytes('GET /stream')).head();
      }
      (await connect(t, nobody, where)).send(requestBytes('GET /end'));
      t.is((await program.exit()).code, code, program.stderr);
    }
  },
);
