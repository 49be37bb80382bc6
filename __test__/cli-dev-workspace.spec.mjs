// `wapix dev` in a package of a workspace: what it imports of the others is edited beside it.

import { symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import test from 'ava';
import { bodyOf, wapix } from './fixtures/cli.mjs';
import { project } from './fixtures/project.mjs';

const { linkedPackages } = createRequire(import.meta.url)('../dist/cli/linked.js');

const manifest = (name, ...dependencies) =>
  JSON.stringify({
    name,
    type: 'module',
    exports: './src/index.ts',
    dependencies: Object.fromEntries(dependencies.map((each) => [each, '*'])),
  });

/** A workspace whose `app` depends on `greeting`, which depends on `@ours/names`. */
function workspace(t) {
  const files = project(t, {
    'packages/app/package.json': manifest('app', 'greeting', 'installed', 'missing'),
    'packages/app/src/routes/get.ts': `import { greet } from 'greeting';
      import { text } from 'wapix';
      export default () => text(greet());`,
    'packages/greeting/package.json': manifest('greeting', '@ours/names', 'app'),
    'packages/greeting/src/index.ts': `import { name } from '@ours/names';
      export const greet = (): string => 'Hello, ' + name;`,
    'packages/names/package.json': manifest('@ours/names'),
    'packages/names/src/index.ts': "export const name: string = 'Ada';",
    'packages/other/package.json': manifest('other'),
    'packages/other/src/index.ts': '',
    'node_modules/installed/package.json': manifest('installed', 'other'),
    'node_modules/@ours/.keep': '',
  });
  for (const name of ['app', 'greeting', 'other']) {
    symlinkSync(files.path(`packages/${name}`), files.path(`node_modules/${name}`), 'junction');
  }
  symlinkSync(files.path('packages/names'), files.path('node_modules/@ours/names'), 'junction');
  return files;
}

test('dev: a change of a linked package restarts, and of what that one links to', async (t) => {
  const { path, write } = workspace(t);
  const run = wapix(t, path('packages/app'), ['dev', '-p', '0']);
  const url = await run.url();
  t.is(await bodyOf(url), 'Hello, Ada');
  write('packages/names/src/index.ts', "export const name: string = 'Grace';");
  await run.restart();
  t.is(await bodyOf(url), 'Hello, Grace');
  write('packages/greeting/src/index.ts', "export const greet = (): string => 'Hello';");
  await run.restart();
  t.is(await bodyOf(url), 'Hello');
});

test('dev: what the project does not depend on, or is installed, is not watched', (t) => {
  const { path } = workspace(t);
  const linked = ['packages/greeting', 'packages/names'].map(path);
  t.deepEqual(linkedPackages(path('packages/app')), linked);
  t.deepEqual(linkedPackages(path('packages/other')), []);
  t.deepEqual(linkedPackages(path('packages')), [], 'no package.json');
});
