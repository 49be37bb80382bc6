import { spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import { rename } from 'node:fs/promises';
import { request as http } from 'node:http';
import { request as https } from 'node:https';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { project } from './fixtures/project.mjs';

const BIN = fileURLToPath(new URL('../bin/wapix.js', import.meta.url));
const KEY = fileURLToPath(new URL('fixtures/localhost.key.pem', import.meta.url));
const CERT = fileURLToPath(new URL('fixtures/localhost.cert.pem', import.meta.url));
const URL_LINE = /^ {2}(https?:\/\/\S+)$/m;

/** A route that answers `expression` as text. */
const answering = (expression, head = '') =>
  `import { text } from 'wapix';\n${head}\nexport default () => text(String(${expression}));\n`;

/** Runs `wapix` in `cwd`. */
function wapix(t, cwd, args, env = {}) {
  const { PORT: _, ...inherited } = process.env;
  const child = spawn(process.execPath, [BIN, ...args], { cwd, env: { ...inherited, ...env } });
  t.teardown(() => child.kill('SIGKILL'));
  const run = { child, stdout: '', stderr: '' };
  const waiting = new Set();
  const onData = (stream) => (data) => {
    run[stream] += data;
    for (const check of waiting) check();
  };
  child.stdout.setEncoding('utf8').on('data', onData('stdout'));
  child.stderr.setEncoding('utf8').on('data', onData('stderr'));
  run.exit = new Promise((resolve) => {
    child.on('close', (code, signal) => resolve({ code, signal, ...run }));
  });
  /** Resolves with the first match of `pattern` in what has been printed since the last one. */
  let seen = { stdout: 0, stderr: 0 };
  run.prints = (pattern, stream = 'stdout') =>
    new Promise((resolve, reject) => {
      const check = () => {
        const match = pattern.exec(run[stream].slice(seen[stream]));
        if (!match) return;
        seen = { ...seen, [stream]: seen[stream] + match.index + match[0].length };
        waiting.delete(check);
        resolve(match);
      };
      waiting.add(check);
      check();
      run.exit.then(() => reject(new Error(`ended early:\n${run.stdout}\n${run.stderr}`)));
    });
  run.url = async () => (await run.prints(URL_LINE))[1];
  run.restart = () => run.prints(/restarted in/);
  return run;
}

/** The status and body of a response, over a connection of its own. */
function call(url, options = {}) {
  return new Promise((resolve, reject) => {
    const send = url.startsWith('https:') ? https : http;
    const request = send(
      url,
      { agent: false, rejectUnauthorized: false, ...options },
      (response) => {
        let body = '';
        response.setEncoding('utf8');
        response.on('data', (data) => {
          body += data;
        });
        response.on('error', reject);
        response.on('end', () => resolve({ status: response.statusCode, body }));
      },
    );
    request.on('error', reject).end();
  });
}

const bodyOf = async (url) => (await call(url)).body;

/** Resolves once the connection that `url` was called over is closed by the other side. */
function connectionTo(url) {
  return new Promise((resolve, reject) => {
    const request = http(url, { agent: false }, (response) => {
      response.on('error', () => {}).resume();
      resolve({ closed: new Promise((closed) => response.on('close', closed)) });
    });
    request.on('error', reject).end();
  });
}

test('start serves ./lib/routes and prints the routes and the URL', async (t) => {
  const { root } = project(t, {
    'lib/routes/get.mjs': answering('"compiled"'),
    'lib/routes/users/$id/delete.mjs': answering('"deleted"'),
    'src/routes/get.ts': answering('"source"'),
  });
  const run = wapix(t, root, ['start', '--port', '0']);
  const url = await run.url();
  t.is(await bodyOf(url), 'compiled');
  t.is((await call(`${url}/users/7`, { method: 'DELETE' })).body, 'deleted');
  t.regex(run.stdout, /GET +\/ +→ lib\/routes\/get\.mjs\n/);
  t.regex(run.stdout, /DELETE +\/users\/:id +→ lib\/routes\/users\/\$id\/delete\.mjs\n/);
  t.is(run.stderr, '');
});

test('start serves ./src/routes where only that exists, and says so', async (t) => {
  const { root } = project(t, { 'src/routes/get.ts': answering('"source" as string') });
  const run = wapix(t, root, ['start', '-p', '0']);
  t.is(await bodyOf(await run.url()), 'source');
  t.regex(run.stdout, /no \.\/lib\/routes: serving \.\/src\/routes/);
});

test('--watch serves ./src/routes', async (t) => {
  const { root } = project(t, {
    'lib/routes/get.mjs': answering('"compiled"'),
    'src/routes/get.ts': answering('"source"'),
  });
  t.is(await bodyOf(await wapix(t, root, ['start', '--watch', '-p', '0']).url()), 'source');
});

test('--routes, --host and PORT', async (t) => {
  const { root } = project(t, { 'api/get.ts': answering('"api"') });
  const args = ['start', '--routes', 'api', '--host', '127.0.0.1'];
  const url = await wapix(t, root, args, { PORT: '0' }).url();
  t.regex(url, /^http:\/\/127\.0\.0\.1:[1-9]\d*$/);
  t.is(await bodyOf(url), 'api');
});

test('--port wins over PORT', async (t) => {
  const { root } = project(t, { 'lib/routes/get.mjs': answering('1') });
  t.truthy(await wapix(t, root, ['start', '--port', '0'], { PORT: 'none' }).url());
});

test('--key and --cert serve HTTPS', async (t) => {
  const { root } = project(t, { 'lib/routes/get.mjs': answering('"secret"') });
  const url = await wapix(t, root, ['start', '-p', '0', '--key', KEY, '--cert', CERT]).url();
  t.regex(url, /^https:\/\/localhost:/);
  t.is(await bodyOf(url), 'secret');
});

test('--help and --version', async (t) => {
  const { root } = project(t, {});
  const help = await wapix(t, root, ['start', '--help']).exit;
  t.is(help.code, 0);
  t.regex(help.stdout, /--routes/);
  const version = await wapix(t, root, ['-v']).exit;
  t.is(version.code, 0);
  t.regex(version.stdout, /^\d+\.\d+\.\d+\n$/);
});

const MISUSES = [
  { args: [], says: /wapix start/ },
  { args: ['serve'], says: /"serve"/ },
  { args: ['start', '--prot', '1'], says: /--prot/ },
  { args: ['start', '--port', '80a'], says: /--port is "80a"/ },
  { args: ['start', '--port', '65536'], says: /--port is "65536"/ },
  { args: ['start'], env: { PORT: 'http' }, says: /PORT is "http"/ },
  { args: ['start', '--key', KEY], says: /--key without --cert/ },
  { args: ['start', '--cert', CERT], says: /--cert without --key/ },
  { args: ['start', '--key', 'none.pem', '--cert', CERT], says: /--key cannot be read.*none\.pem/ },
  { args: ['start', '--include', 'src'], says: /--include/ },
];

for (const { args, env, says } of MISUSES) {
  const line = ['wapix', ...args.map((arg) => arg.split('/').at(-1))].join(' ');
  test(`${env ? `PORT=${env.PORT} ` : ''}${line}: exit code 2 and the reason`, async (t) => {
    const { root } = project(t, { 'lib/routes/get.mjs': answering('1') });
    const { code, stdout, stderr } = await wapix(t, root, args, env).exit;
    t.is(code, 2);
    t.is(stdout, '');
    t.regex(stderr, /^error WAPIX_INVALID_OPTION\n/);
    t.regex(stderr, says);
    t.notRegex(stderr, /^ +at /m);
  });
}

const FAILURES = [
  { what: 'no routes directory', files: {}, says: [/WAPIX_ROUTES_NOT_FOUND/, /--routes DIR/] },
  {
    what: 'a routes directory without routes',
    files: { 'lib/routes/types.ts': '' },
    says: [/WAPIX_ROUTES_NOT_FOUND/, /lib\/routes has no route files/],
  },
  {
    what: 'a conflict',
    files: { 'lib/routes/get.ts': '', 'lib/routes/get.mjs': '' },
    says: [/WAPIX_ROUTE_CONFLICT/, /lib\/routes\/get\.mjs and lib\/routes\/get\.ts/],
  },
  {
    what: 'a syntax error',
    files: { 'lib/routes/get.ts': 'const a: = 1;' },
    says: [/WAPIX_ROUTE_LOAD/, /lib\/routes\/get\.ts could not be loaded/, /get\.ts:1:/],
  },
  {
    what: 'a syntax error in JavaScript',
    files: { 'lib/routes/get.mjs': 'const a = ;' },
    says: [/WAPIX_ROUTE_LOAD/, /lib\/routes\/get\.mjs could not be loaded/, /get\.mjs:1/],
  },
  {
    what: 'a route file that throws',
    files: { 'lib/routes/get.ts': '\nthrow new TypeError("the reason");' },
    says: [/WAPIX_ROUTE_LOAD/, /TypeError: the reason/, /at .*get\.ts:2:/],
  },
  {
    what: 'a route file that awaits for ever',
    files: { 'lib/routes/get.ts': 'await new Promise(() => {});' },
    says: [/WAPIX_ROUTE_LOAD/, /lib\/routes\/get\.ts/, /never settled/],
  },
];

for (const { what, files, says } of FAILURES) {
  test(`${what}: exit code 1 and the reason`, async (t) => {
    const { root } = project(t, files);
    const { code, stderr } = await wapix(t, root, ['start', '-p', '0']).exit;
    t.is(code, 1);
    for (const pattern of says) t.regex(stderr, pattern);
    t.notRegex(stderr, /node:internal|jiti/);
  });
}

test('a port in use: which, and how to choose another', async (t) => {
  const { root } = project(t, { 'lib/routes/get.mjs': answering('1') });
  const { port } = new URL(await wapix(t, root, ['start', '-p', '0']).url());
  for (const args of [['start'], ['start', '--watch', '--routes', 'lib/routes']]) {
    const { code, stderr } = await wapix(t, root, [...args, '-p', port]).exit;
    t.is(code, 1);
    t.regex(stderr, /^error EADDRINUSE\n/);
    t.regex(stderr, new RegExp(`Port ${port} .*\n.*--port`));
  }
});

const WAITS = `
import { text } from 'wapix';
export default () => {
  console.log('waiting');
  return new Promise((resolve) => setTimeout(resolve, 300, text('complete')));
};`;

for (const signal of ['SIGINT', 'SIGTERM']) {
  test(`${signal}: requests in flight are answered, the exit code is 0`, async (t) => {
    const { root } = project(t, { 'lib/routes/get.mjs': WAITS });
    const run = wapix(t, root, ['start', '-p', '0']);
    const response = call(await run.url());
    await run.prints(/waiting/);
    run.child.kill(signal);
    t.is((await response).body, 'complete');
    t.is((await run.exit).code, 0);
  });
}

test('a second signal ends the process at once', async (t) => {
  const { root } = project(t, {
    'lib/routes/get.mjs': `
      process.on('SIGTERM', () => console.log('signalled'));
      export default () => { console.log('waiting'); return new Promise(() => {}); };`,
  });
  const run = wapix(t, root, ['start', '-p', '0']);
  const response = call(await run.url());
  await run.prints(/waiting/);
  run.child.kill('SIGTERM');
  await run.prints(/signalled/);
  run.child.kill('SIGTERM');
  t.is((await run.exit).code, 128 + 15);
  await t.throwsAsync(response);
});

test('dev: a change of a route, or of what it imports, restarts on the same port', async (t) => {
  const { root, write } = project(t, {
    'src/db.ts': 'export const value: string = "first";',
    'src/routes/get.ts': answering('value', 'import { value } from "../db";'),
  });
  const run = wapix(t, root, ['dev', '-p', '0']);
  const url = await run.url();
  t.is(await bodyOf(url), 'first');

  write('src/db.ts', 'export const value: string = "second";');
  await run.restart();
  t.is(await bodyOf(url), 'second');

  write('src/routes/get.ts', answering('"third"'));
  await run.restart();
  t.is(await bodyOf(url), 'third');
});

test('dev: route files added, renamed and deleted are noticed', async (t) => {
  const { root, path, write } = project(t, { 'src/routes/get.ts': answering('"root"') });
  const run = wapix(t, root, ['dev', '-p', '0']);
  const url = await run.url();

  write('src/routes/new/get.ts', answering('"new"'));
  await run.restart();
  t.is(await bodyOf(`${url}/new`), 'new');

  await rename(path('src/routes/new'), path('src/routes/renamed'));
  await run.prints(/\/renamed +→[\s\S]*restarted in/);
  t.is(await bodyOf(`${url}/renamed`), 'new');
  t.is((await call(`${url}/new`)).status, 404);

  rmSync(path('src/routes/renamed/get.ts'));
  await run.restart();
  t.is((await call(`${url}/renamed`)).status, 404);
});

test('dev: a syntax error is shown and the last good routes stay up', async (t) => {
  const { root, write } = project(t, { 'src/routes/get.ts': answering('"good"') });
  const run = wapix(t, root, ['dev', '-p', '0']);
  const url = await run.url();

  write('src/routes/get.ts', 'const a: = 1;');
  await run.prints(/WAPIX_ROUTE_LOAD[\s\S]*get\.ts:1:[\s\S]*still served/, 'stderr');
  t.is(await bodyOf(url), 'good');

  write('src/routes/get.ts', answering('"mended"'));
  await run.restart();
  t.is(await bodyOf(url), 'mended');
});

test('dev: waits for a change where the first start fails', async (t) => {
  const { root, write } = project(t, { 'src/routes/get.ts': 'const a: = 1;' });
  const run = wapix(t, root, ['dev', '-p', '0']);
  await run.prints(/WAPIX_ROUTE_LOAD[\s\S]*Waiting for a change/, 'stderr');
  write('src/routes/get.ts', answering('"mended"'));
  t.is(await bodyOf(await run.url()), 'mended');
});

test('dev: waits for a change where the server has crashed', async (t) => {
  const { root, write } = project(t, {
    'src/routes/get.ts': 'export default () => process.exit(3);',
  });
  const run = wapix(t, root, ['dev', '-p', '0']);
  const url = await run.url();
  await t.throwsAsync(call(url));
  await run.prints(/Waiting for a change/, 'stderr');
  write('src/routes/get.ts', answering('"mended"'));
  await run.restart();
  t.is(await bodyOf(url), 'mended');
});

const EVENTS = `
import { Readable } from 'node:stream';
import { stream } from 'wapix';
export default () => {
  const readable = new Readable({ read() {} });
  readable.push('data: ' + process.pid + '\\n\\n');
  return stream(readable, 'text/event-stream');
};`;

test('dev: an open event stream does not hold up a restart', async (t) => {
  const { root, write } = project(t, { 'src/routes/get.ts': EVENTS });
  const run = wapix(t, root, ['dev', '-p', '0']);
  const url = await run.url();
  const { closed } = await connectionTo(url);
  write('src/routes/get.ts', answering('"next"'));
  await run.restart();
  t.is(await bodyOf(url), 'next');
  await t.notThrowsAsync(closed);
});

for (const signal of ['SIGINT', 'SIGTERM']) {
  test(`dev: ${signal} ends the server as well, event streams open or not`, async (t) => {
    const { root } = project(t, { 'src/routes/get.ts': EVENTS });
    const run = wapix(t, root, ['dev', '-p', '0']);
    const url = await run.url();
    const { closed } = await connectionTo(url);
    run.child.kill(signal);
    t.is((await run.exit).code, 0);
    await closed;
    await t.throwsAsync(call(url), { code: 'ECONNREFUSED' });
  });
}

test('dev: the server ends when its supervisor is killed', async (t) => {
  const { root } = project(t, { 'src/routes/get.ts': EVENTS });
  const run = wapix(t, root, ['dev', '-p', '0']);
  const { closed } = await connectionTo(await run.url());
  run.child.kill('SIGKILL');
  await t.notThrowsAsync(closed);
});
