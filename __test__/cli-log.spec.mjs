import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { answering, call, wapix } from './fixtures/cli.mjs';
import { project } from './fixtures/project.mjs';
import { request } from './helpers/client.mjs';
import { until } from './helpers/events.mjs';
import { needing } from './helpers/installed.mjs';

const BIN = fileURLToPath(new URL('../bin/wapix.js', import.meta.url));

const FILES = {
  'lib/routes/get.mjs': answering('"root"'),
  'lib/routes/users/$id/put.mjs': answering('"put"'),
  'lib/routes/fails/get.mjs': 'export default () => { throw new Error("on purpose"); };',
  'lib/routes/waits/get.mjs':
    'export default () => { console.error("waiting"); return new Promise(() => {}); };',
  'lib/routes/late/get.mjs': `
    import { text } from 'wapix';
    export default ({ signal }) => {
      console.error('waiting');
      return new Promise((resolve) => signal.addEventListener('abort', () => resolve(text('late'))));
    };`,
  'lib/routes/chunks/get.mjs': `
    import { stream } from 'wapix';
    async function* chunks() {
      yield 'a';
      await new Promise((resolve) => setTimeout(resolve, 60));
      yield 'b';
    }
    export default () => stream(chunks());`,
  'lib/routes/room/get.mjs': `
    import { channel } from 'wapix';
    export default (req) => channel('room').subscribe(req);`,
  'lib/routes/endless/get.mjs': `
    import { stream } from 'wapix';
    import { Readable } from 'node:stream';
    export default () => {
      const source = new Readable({ read() {} });
      source.push('begun');
      return stream(source);
    };`,
  'lib/routes/breaks/get.mjs': `
    import { stream } from 'wapix';
    async function* chunks() {
      yield 'a';
      await new Promise((resolve) => setTimeout(resolve, 60));
      throw new Error('on purpose');
    }
    export default () => stream(chunks());`,
};

/** Runs `wapix start --log` on what is no terminal. */
async function logged(t, args = []) {
  const { root } = project(t, FILES);
  const run = wapix(t, root, ['start', '-p', '0', '--host', '127.0.0.1', '--log', ...args]);
  const [, origin] = await run.prints(/"url":"(http:[^"]+)".*\n/);
  const entry = async () => JSON.parse((await run.prints(/^\{.*"method".*\}$/m))[0]);
  return { run, origin, entry };
}

/** Asks, and leaves when the handler has the request. */
async function leaveWaiting(t, run, url) {
  const leave = new AbortController();
  const response = fetch(url, { signal: leave.signal });
  await run.prints(/waiting/, 'stderr');
  leave.abort();
  await t.throwsAsync(response, { any: true });
}

test('--log: one line of JSON for each request, and nothing else on stdout', async (t) => {
  const { run, origin, entry } = await logged(t);
  const seen = [];
  for (const [method, path] of [
    ['GET', '/'],
    ['HEAD', '/?a=b%20c'],
    ['PUT', '/users/7'],
    ['GET', '/none'],
    ['POST', '/users/7'],
    ['OPTIONS', '/users/7'],
    ['GET', '/fails'],
  ]) {
    await call(origin + path, { method });
    const { url, status, duration, ip, complete, ...rest } = await entry();
    t.is(typeof duration, 'number');
    t.true(duration >= 0 && duration < 10_000);
    t.is(ip, '127.0.0.1');
    t.true(complete);
    t.is(rest.level, 30);
    seen.push([rest.method, url, status]);
  }
  t.deepEqual(seen, [
    ['GET', '/', 200],
    ['HEAD', '/?a=b%20c', 200],
    ['PUT', '/users/7', 200],
    ['GET', '/none', 404],
    ['POST', '/users/7', 405],
    ['OPTIONS', '/users/7', 204],
    ['GET', '/fails', 500],
  ]);
  for (const line of run.stdout.trim().split('\n')) t.notThrows(() => JSON.parse(line), line);
  t.is(run.stdout.match(/"method"/g).length, 7);
});

test('--log: a stream when it has ended', async (t) => {
  const { origin, entry } = await logged(t);
  t.is((await call(`${origin}/chunks`)).body, 'ab');
  const { url, status, duration, complete } = await entry();
  t.deepEqual([url, status, complete], ['/chunks', 200, true]);
  t.true(duration >= 50, String(duration));
});

test('--log: a stream whose client leaves, one that fails, and a client that does not wait', async (t) => {
  const { run, origin, entry } = await logged(t);
  for (const path of ['/endless', '/room']) {
    const leave = new AbortController();
    const response = await fetch(origin + path, { signal: leave.signal });
    if (path === '/endless') await response.body.getReader().read();
    leave.abort();
    const left = await entry();
    t.deepEqual([left.url, left.status, left.complete], [path, 200, false]);
  }

  await t.throwsAsync(call(`${origin}/breaks`));
  const failed = await entry();
  t.deepEqual([failed.url, failed.status, failed.complete], ['/breaks', 200, false]);

  await leaveWaiting(t, run, `${origin}/waits`);
  const gone = await entry();
  t.deepEqual([gone.url, gone.status, gone.complete], ['/waits', null, false]);
});

test('--log: once, where the client left and the handler answers all the same', async (t) => {
  const { run, origin, entry } = await logged(t);
  await leaveWaiting(t, run, `${origin}/late`);
  const gone = await entry();
  t.deepEqual([gone.url, gone.status, gone.complete], ['/late', null, false]);
  await call(`${origin}/`);
  t.is((await entry()).url, '/');
  t.is(run.stdout.match(/"method"/g).length, 2);
});

test('--log: the address that a trusted proxy tells', async (t) => {
  const { origin, entry } = await logged(t, ['--trust-proxy', 'loopback']);
  await call(`${origin}/`, { headers: { 'X-Forwarded-For': '192.0.2.1' } });
  t.is((await entry()).ip, '192.0.2.1');
});

test('--log: what was logged is there after a signal', async (t) => {
  const { run, origin } = await logged(t);
  await Promise.all(Array.from({ length: 20 }, () => call(`${origin}/`)));
  run.child.kill('SIGTERM');
  const { code, stdout } = await run.exit;
  t.is(code, 0);
  t.is(stdout.match(/"url":"\/"/g).length, 20);
});

/** util-linux has one that runs a command on a terminal of its own. */
const terminalTest = process.platform === 'linux' ? needing(test, 'script') : test.skip;

terminalTest('--log: a line for people on a terminal', async (t) => {
  const { root } = project(t, FILES);
  const command = [process.execPath, BIN, 'start', '-p', '0', '--host', '127.0.0.1', '--log'];
  const quoted = command.map((word) => `'${word}'`).join(' ');
  const child = spawn('script', ['-qec', quoted, '/dev/null'], {
    cwd: root,
    env: { ...process.env, NO_COLOR: '1', FORCE_COLOR: undefined },
  });
  t.teardown(() => child.kill());
  let shown = '';
  child.stdout.setEncoding('utf8').on('data', (data) => {
    shown += data;
  });
  await until(() => /http:\S+/.test(shown), 'the URL is printed');
  t.regex(shown, /GET +\/ +→ /);
  const { port } = new URL(/http:\S+/.exec(shown)[0]);
  const server = { address: () => ({ address: '127.0.0.1', port: Number(port) }) };
  // U+009B begins a command to some terminals.
  t.is((await request(t, server, 'GET /none?\xc2\x9b')).status, 404);
  await until(() => shown.includes('none'), 'the request is logged');
  t.regex(shown, /^ {2}GET {6}404 +\d+\.\d ms {2}127\.0\.0\.1 {2}\/none\?%C2%9B\r?$/m);
  t.notRegex(shown, /"method"/);
});

test('without --log requests are not logged', async (t) => {
  const { root } = project(t, FILES);
  const run = wapix(t, root, ['start', '-p', '0']);
  await call(await run.url());
  run.child.kill('SIGTERM');
  const { stdout } = await run.exit;
  t.notRegex(stdout, /"method"|ms/);
});

test('routes: method, path and file of each, without running any', async (t) => {
  const { root } = project(t, {
    ...FILES,
    'lib/routes/files/$...path/delete.ts': 'throw new Error("run");',
  });
  const { code, stdout, stderr } = await wapix(t, root, ['routes']).exit;
  t.is(code, 0);
  t.is(stderr, '');
  const lines = stdout
    .trimEnd()
    .split('\n')
    .map((line) => line.trim().split(/ +/));
  t.deepEqual(lines.slice(0, 3), [
    ['GET', '/', '→', 'lib/routes/get.mjs'],
    ['GET', '/breaks', '→', 'lib/routes/breaks/get.mjs'],
    ['GET', '/chunks', '→', 'lib/routes/chunks/get.mjs'],
  ]);
  t.true(stdout.includes('DELETE   /files/*path'));
  t.is(lines.length, 10);
});

test('routes: --routes, ./src/routes, mistakes', async (t) => {
  const { root } = project(t, {
    'src/routes/get.ts': '',
    'api/users/post.ts': '',
    'wrong/get.ts': '',
    'wrong/get.js': '',
    'empty/types.ts': '',
  });
  const source = await wapix(t, root, ['routes']).exit;
  t.is(source.stdout, '  GET      /  → src/routes/get.ts\n');
  t.regex(source.stderr, /no \.\/lib\/routes/);
  const named = await wapix(t, root, ['routes', '--routes', 'api']).exit;
  t.regex(named.stdout, /POST +\/users +→ api\/users\/post\.ts/);
  for (const [args, code, says] of [
    [['--routes', 'wrong'], 1, /WAPIX_ROUTE_CONFLICT/],
    [['--routes', 'empty'], 1, /WAPIX_ROUTES_NOT_FOUND/],
    [['--routes', 'none'], 1, /WAPIX_ROUTES_NOT_FOUND/],
    [['--port', '1'], 2, /--port/],
  ]) {
    const failed = await wapix(t, root, ['routes', ...args]).exit;
    t.is(failed.code, code);
    t.is(failed.stdout, '');
    t.regex(failed.stderr, says);
  }
});
