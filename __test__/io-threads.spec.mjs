// Where sockets are served: on threads of their own, or on the JavaScript thread.

import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { inspect, promisify } from 'node:util';
import test from 'ava';
import { createServer, json } from 'wapix';
import { wapix } from './fixtures/cli.mjs';
import { project } from './fixtures/project.mjs';
import { installed, missing } from './helpers/installed.mjs';
import { originOf, serve } from './helpers/server.mjs';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('..', import.meta.url));
const onLinux = process.platform === 'linux' ? test : test.skip;

/** Serves `options` in a process of its own, and prints the names of its threads. */
const THREADS = (options) => `
  const { readdirSync, readFileSync } = require('node:fs');
  const { createServer, text } = require(${JSON.stringify(`${ROOT}/dist/index.js`)});
  const server = createServer({ '/': { get: () => text('hello') } }, ${options});
  server.listen(0, '127.0.0.1', async () => {
    const answer = await fetch('http://127.0.0.1:' + server.address().port);
    if ((await answer.text()) !== 'hello') throw new Error('wrong answer');
    const threads = readdirSync('/proc/self/task');
    console.log(threads.map((id) => readFileSync('/proc/self/task/' + id + '/comm', 'utf8')).join(''));
    server.close();
  });
`;

/** What a process that takes itself for `runtime` has Node's event loop watch while it serves: the types of the handles. */
const WATCHED = (runtime, options) => `
  Object.defineProperty(process, 'versions', { value: { ...process.versions, ${runtime}: '1.0.0' } });
  const { createServer, text } = require(${JSON.stringify(`${ROOT}/dist/index.js`)});
  const server = createServer({ '/': { get: () => text('hello') } }, ${options});
  server.listen(0, '127.0.0.1', () => {
    console.log(process.report.getReport().libuv.map(({ type }) => type).join());
    server.close();
  });
`;

/** How many threads of their own sockets have with `options`. */
async function ioThreads(options, { env = {}, through = [] } = {}) {
  const { WAPIX_IO_THREADS: _, ...inherited } = process.env;
  const [file, ...args] = [...through, process.execPath, '-e', THREADS(options)];
  const { stdout } = await run(file, args, { env: { ...inherited, ...env } });
  return stdout.match(/^wapix-io-\d+$/gm)?.length ?? 0;
}

onLinux('sockets are served on as many threads as ioThreads says', async (t) => {
  for (const count of [0, 1, 3, 64]) t.is(await ioThreads(`{ ioThreads: ${count} }`), count);
});

onLinux('WAPIX_IO_THREADS says where the option does not', async (t) => {
  for (const count of ['0', '1', '2']) {
    t.is(await ioThreads('{}', { env: { WAPIX_IO_THREADS: count } }), Number(count));
  }
  t.is(await ioThreads('{ ioThreads: 1 }', { env: { WAPIX_IO_THREADS: '0' } }), 1);
  const unset = await ioThreads('{}');
  t.is(await ioThreads('{}', { env: { WAPIX_IO_THREADS: '' } }), unset);
});

onLinux(
  'a runtime without an event loop of libuv has threads only: not a function of libuv is called',
  async (t) => {
    const watches = async (...of) => {
      const { stdout } = await run(process.execPath, ['-e', WATCHED(...of)]);
      return stdout.trim().split(',').includes('poll');
    };
    for (const options of ['{ ioThreads: 0 }', '{ ioThreads: 1 }']) {
      t.true(await watches('node', options));
      t.false(await watches('bun', options));
      t.false(await watches('deno', options));
    }
  },
);

if (process.platform === 'linux' && !installed('taskset')) {
  missing(test, 'one core', 'taskset', 'apt-get install util-linux');
} else {
  onLinux('a process that may use one core has no thread for sockets', async (t) => {
    t.is(await ioThreads('{}', { through: ['taskset', '-c', '0'] }), 0);
  });
}

for (const ioThreads of [65, -1, 0.5, '1', null]) {
  test(`ioThreads ${JSON.stringify(ioThreads)} is refused`, (t) => {
    const error = t.throws(() => createServer({}, { ioThreads }));
    t.is(error.code, 'WAPIX_INVALID_OPTION');
    t.is(error.message, `ioThreads is a whole number from 0 to 64, not ${inspect(ioThreads)}`);
  });
}

test('WAPIX_IO_THREADS that is no number is refused as it was given', async (t) => {
  const { root } = project(t, { 'src/routes/get.mjs': 'export default () => {};' });
  const environment = { WAPIX_IO_THREADS: 'two' };
  const { stderr } = await wapix(t, root, ['start'], environment).exit;
  t.regex(stderr, /WAPIX_IO_THREADS is a whole number from 0 to 64, not 'two'/);
});

test('--io-threads is a whole number from 0 to 64', async (t) => {
  const { root } = project(t, { 'src/routes/get.mjs': "export { default } from '../get.mjs';" });
  for (const threads of ['65', '1.5', '']) {
    const { code, stderr } = await wapix(t, root, ['start', '--io-threads', threads]).exit;
    t.is(code, 2);
    t.true(stderr.includes(`--io-threads is "${threads}": it is a whole number from 0 to 64.`));
  }
});

for (const ioThreads of [0, 1, 3]) {
  test(`ioThreads ${ioThreads}: timers run while requests keep coming`, async (t) => {
    const server = await serve(t, { '/': { get: () => json({}) } }, { ioThreads });
    const origin = originOf(server);
    let going = true;
    const clients = Array.from({ length: 8 }, async () => {
      while (going) await (await fetch(origin)).json();
    });
    for (let tick = 0; tick < 50; tick += 1) await new Promise((resolve) => setTimeout(resolve, 1));
    for (let turn = 0; turn < 50; turn += 1) await new Promise(setImmediate);
    going = false;
    await Promise.all(clients);
    t.pass();
  });

  test(`ioThreads ${ioThreads}: a handler asks its own server`, async (t) => {
    const server = await serve(
      t,
      {
        '/': { get: async () => json(await (await fetch(`${originOf(server)}/inner`)).json()) },
        '/inner': { get: () => json({ from: 'inside' }) },
      },
      { ioThreads },
    );
    const answers = await Promise.all(
      Array.from({ length: 20 }, async () => (await fetch(originOf(server))).json()),
    );
    for (const answer of answers) t.deepEqual(answer, { from: 'inside' });
  });

  test(`ioThreads ${ioThreads}: two servers in one process, closed from a handler`, async (t) => {
    const inner = await serve(t, { '/': { get: () => json({}) } }, { ioThreads });
    const closed = new Promise((resolve) => inner.once('close', resolve));
    const outer = await serve(
      t,
      {
        '/': {
          get: async () => {
            inner.close();
            await closed;
            return json({ listening: inner.listening });
          },
        },
      },
      { ioThreads },
    );
    t.is((await fetch(originOf(inner))).status, 200);
    t.deepEqual(await (await fetch(originOf(outer))).json(), { listening: false });
  });
}
