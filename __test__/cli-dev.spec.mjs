import { mkdirSync, rmSync } from 'node:fs';
import { rename } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import test from 'ava';
import { answering, bodyOf, call, connectionTo, wapix } from './fixtures/cli.mjs';
import { project } from './fixtures/project.mjs';
import { lastingPort } from './helpers/server.mjs';

const { createFilter } = createRequire(import.meta.url)('../dist/cli/filter.js');

test('dev: a change of a route, or of what it imports, restarts on the same port', async (t) => {
  const { root, write } = project(t, {
    'src/db.ts': 'export const value: string = "first";',
    'src/routes/get.ts': answering('value', 'import { value } from "../db";'),
  });
  const run = wapix(t, root, ['dev', '-p', String(lastingPort())]);
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
  const run = wapix(t, root, ['dev', '-p', String(lastingPort())]);
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

test('dev: files that come when their directory is about to be watched are noticed', async (t) => {
  const { root, path, write } = project(t, {
    'src/routes/get.ts': answering('"root"'),
    // Between the reading of a new directory and the watching of it.
    'hook.cjs': `const fs = require('node:fs');
      const { watch } = fs;
      let content = ${JSON.stringify(answering('"new"'))};
      fs.watch = (path, ...rest) => {
        if (content && /new$/.test(path)) {
          fs.mkdirSync(path + '/deep');
          for (const file of ['get.ts', 'deep/get.ts']) fs.writeFileSync(path + '/' + file, content);
          content = undefined;
        }
        return watch(path, ...rest);
      };
      require('node:module').syncBuiltinESMExports();`,
  });
  const env = { NODE_OPTIONS: `--require ${JSON.stringify(path('hook.cjs'))}` };
  const run = wapix(t, root, ['dev', '-p', '0'], env);
  const url = await run.url();
  mkdirSync(path('src/routes/new'));
  await run.restart();
  t.is(await bodyOf(`${url}/new`), 'new');
  t.is(await bodyOf(`${url}/new/deep`), 'new');
  for (const [file, at] of [
    ['new/get.ts', '/new'],
    ['new/deep/get.ts', '/new/deep'],
  ]) {
    write(`src/routes/${file}`, answering('"changed"'));
    await run.restart();
    t.is(await bodyOf(`${url}${at}`), 'changed');
  }
});

test('dev: a route has its config', async (t) => {
  const { root } = project(t, {
    'src/routes/post.ts': `import { json, type RequestHandler } from 'wapix';
      export const config = { bodyLimit: 5 };
      const handler: RequestHandler = (req) => json(req.body);
      export default handler;`,
  });
  const run = wapix(t, root, ['dev', '-p', '0']);
  const url = await run.url();
  const post = async (body) => {
    const response = await fetch(url, { method: 'POST', body });
    return [response.status, await response.text()];
  };
  t.deepEqual(await post('12345'), [200, '"12345"']);
  t.is((await post('123456'))[0], 413);
});

test('dev: a syntax error is shown and the last good routes stay up', async (t) => {
  const { root, write } = project(t, { 'src/routes/get.ts': answering('"good"') });
  const run = wapix(t, root, ['dev', '-p', String(lastingPort())]);
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
  const run = wapix(t, root, ['dev', '-p', String(lastingPort())]);
  await run.prints(/WAPIX_ROUTE_LOAD[\s\S]*Waiting for a change/, 'stderr');
  write('src/routes/get.ts', answering('"mended"'));
  t.is(await bodyOf(await run.url()), 'mended');
});

test('dev: routes that end the process are said to, and the last good ones stay up', async (t) => {
  const { root, write } = project(t, { 'src/routes/get.ts': answering('"good"') });
  const run = wapix(t, root, ['dev', '-p', String(lastingPort())]);
  const url = await run.url();
  write('src/routes/get.ts', 'process.exit(3);');
  await run.prints(/could not be loaded:.* with exit code 3\.\n.*still served/, 'stderr');
  t.is(await bodyOf(url), 'good');
});

test('dev: starts without routes, and serves the first', async (t) => {
  const { root, write } = project(t, { 'src/routes/types.ts': 'export type A = 1;' });
  const run = wapix(t, root, ['dev', '-p', String(lastingPort())]);
  await run.prints(/No route files yet/);
  const url = await run.url();
  write('src/routes/get.ts', answering('"first"'));
  await run.restart();
  t.is(await bodyOf(url), 'first');
});

test('dev: waits for a change where the server has crashed', async (t) => {
  const { root, write } = project(t, {
    'src/routes/get.ts': 'export default () => process.exit(3);',
  });
  const run = wapix(t, root, ['dev', '-p', String(lastingPort())]);
  const url = await run.url();
  await t.throwsAsync(call(url));
  await run.prints(/has ended with exit code 3\. Waiting for a change/, 'stderr');
  write('src/routes/get.ts', answering('"mended"'));
  await run.restart();
  t.is(await bodyOf(url), 'mended');
});

test('dev: --include and --exclude say what restarts', async (t) => {
  const { root, write } = project(t, { 'src/routes/get.ts': answering('"served"') });
  const start = async (...globs) => {
    const run = wapix(t, root, ['dev', '-p', '0', ...globs]);
    await run.url();
    return run;
  };
  const some = await start('--include', '*.txt', '--exclude', 'notes.*');
  // Restarts for every change: when it has, the other one has had the time to.
  const all = await start();
  for (const file of ['src/routes/get.ts', 'src/notes.txt', 'src/data.json']) {
    write(file, answering(JSON.stringify(file)));
    await all.restart();
  }
  t.notRegex(some.stdout, /restarted/);
  write('src/words.txt', 'words');
  await some.restart();
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
  const run = wapix(t, root, ['dev', '-p', String(lastingPort())]);
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
    const run = wapix(t, root, ['dev', '-p', String(lastingPort())]);
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
  const run = wapix(t, root, ['dev', '-p', String(lastingPort())]);
  const { closed } = await connectionTo(await run.url());
  run.child.kill('SIGKILL');
  await t.notThrowsAsync(closed);
});

const FILTERS = [
  {
    what: 'everything but packages, build output, dot names, logs and databases',
    restarts: ['src/db.ts', 'src/lib/a.js', 'lib/a.js', 'data/page.html', 'src/dist/a.ts'],
    not: [
      'node_modules/a/index.js',
      'src/node_modules/a/index.js',
      '.git/HEAD',
      '.env',
      'src/.cache/a.js',
      'dist/a.js',
      'coverage/a.json',
      'server.log',
      'data/app.sqlite',
      'data/app.sqlite-wal',
    ],
  },
  {
    what: '--include: only what matches',
    include: ['src', '*.json', './data/**/*.txt'],
    restarts: ['src/a.ts', 'src/deep/a.html', 'package.json', 'data/deep/a.txt'],
    not: ['other/a.ts', 'data/a.md', 'node_modules/src/a.ts', 'src/.cache/a.ts', 'dist/a.json'],
  },
  {
    what: '--include: what is left out otherwise, by its name',
    include: ['.env*', 'dist/**', '*.log'],
    restarts: ['.env', '.env.local', 'dist/a.js', 'a.log'],
    not: ['.git/.env', 'src/a.ts'],
  },
  {
    what: '--exclude: not what matches, at any depth without a slash',
    exclude: ['*.md', 'fixtures', 'src/generated/'],
    restarts: ['src/a.ts', 'generated/a.ts'],
    not: ['README.md', 'src/a.md', 'src/fixtures/a.ts', 'src/generated/deep/a.ts', 'dist/a.js'],
  },
  {
    what: 'the routes directory, wherever it is',
    routes: 'dist/routes',
    restarts: ['dist/routes/get.js', 'dist/db.js'],
    not: ['build/a.js'],
  },
  {
    what: 'a routes directory outside the project',
    routes: '../other/routes',
    restarts: ['../other/routes/get.ts'],
    not: ['../other/routes/.a.ts', '../other/routes/node_modules/a.js'],
  },
  {
    what: 'linked packages, and what is built of them',
    linked: ['../shared', '..'],
    exclude: ['src/generated'],
    restarts: ['../shared/src/a.ts', '../shared/dist/a.js', '../tsconfig.json', 'src/a.ts'],
    not: [
      '../shared/node_modules/a/index.js',
      '../shared/.cache/a.js',
      '../shared/src/generated/a.ts',
      '../.git/HEAD',
      'dist/a.js',
    ],
  },
];

for (const { what, include = [], exclude = [], ...files } of FILTERS) {
  const { routes = 'src/routes', linked = [] } = files;
  test(`dev restarts for ${what}`, (t) => {
    const root = resolve('/project');
    const filter = createFilter(
      root,
      resolve(root, routes),
      linked.map((directory) => resolve(root, directory)),
      { include, exclude },
    );
    t.false(filter.ignores(root));
    for (const file of files.restarts) t.true(filter.restarts(resolve(root, file)), file);
    for (const file of files.not) t.false(filter.restarts(resolve(root, file)), file);
  });
}
