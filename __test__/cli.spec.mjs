import { fileURLToPath } from 'node:url';
import test from 'ava';
import { answering, bodyOf, call, wapix } from './fixtures/cli.mjs';
import { project } from './fixtures/project.mjs';

const KEY = fileURLToPath(new URL('fixtures/localhost.key.pem', import.meta.url));
const CERT = fileURLToPath(new URL('fixtures/localhost.cert.pem', import.meta.url));

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

test('limits and trusted proxies', async (t) => {
  const { root } = project(t, {
    'lib/routes/get.mjs': "import { text } from 'wapix';\nexport default ({ ip }) => text(ip);",
  });
  const options = ['--max-url-length', '10', '--trust-proxy', 'loopback', '--trust-proxy', '::1'];
  const url = await wapix(t, root, ['start', '-p', '0', ...options]).url();
  const forwarded = await fetch(url, { headers: { 'X-Forwarded-For': '192.0.2.1' } });
  t.is(await forwarded.text(), '192.0.2.1');
  t.is((await fetch(`${url}/longer-than-that`)).status, 414);
});

test('--close-deadline bounds the end', async (t) => {
  const { root } = project(t, {
    'lib/routes/get.mjs':
      "import { stream } from 'wapix';\nimport { Readable } from 'node:stream';\n" +
      "export default () => stream(new Readable({ read() {} }), 'text/event-stream');",
  });
  const run = wapix(t, root, ['start', '-p', '0', '--close-deadline', '0']);
  const { body } = await fetch(await run.url());
  run.child.kill('SIGTERM');
  await t.throwsAsync(body.getReader().read());
  t.is((await run.exit).code, 0);
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
  { args: ['dev', '--close-deadline', '5000'], says: /--close-deadline is of start/ },
  { args: ['start', '--ca', CERT], says: /--ca without --key and --cert/ },
  // Variables that are not set: plain HTTP, or HTTPS for everybody, was not asked for.
  { args: ['start', '--key', '', '--cert', ''], says: /--key cannot be read/ },
  { args: ['start', '--key', KEY, '--cert', CERT, '--ca', ''], says: /--ca cannot be read/ },
  { args: ['start', '--body-limit', '1MB'], says: /--body-limit is "1MB"/ },
  { args: ['start', '--close-deadline', '-1'], says: /--close-deadline/ },
  { args: ['start', '--trust-proxy', 'anyone'], says: /trustProxy: "anyone"/ },
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
    // Neither a stack nor lines of code: the mistake is in neither.
    t.notRegex(stderr, /^ +at |^ +> +\d+ \|/m);
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
  {
    what: 'a --host that is no address of the machine',
    files: { 'lib/routes/get.mjs': answering('1') },
    args: ['--host', '203.0.113.1'],
    says: [/EADDRNOTAVAIL/, /203\.0\.113\.1/, /--host/],
  },
  {
    what: 'a certificate that is none',
    files: { 'lib/routes/get.mjs': answering('1'), 'none.pem': 'none' },
    args: ['--key', 'none.pem', '--cert', 'none.pem'],
    says: [/WAPIX_INVALID_TLS/],
  },
];

for (const { what, files, args = [], says } of FAILURES) {
  test(`${what}: exit code 1 and the reason`, async (t) => {
    const { root } = project(t, files);
    const { code, stderr } = await wapix(t, root, ['start', '-p', '0', ...args]).exit;
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
