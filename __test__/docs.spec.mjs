// What the documentation prints is what there is: the routes of each page are served, its commands run, and its
// JSON and JavaScript are read. TypeScript is for `scripts/docs.mjs`; the pages on streaming and deployment have
// tests of their own.

import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import test from 'ava';
import { wapix } from './fixtures/cli.mjs';
import { project } from './fixtures/project.mjs';
import { within } from './helpers/deadline.mjs';
import { needing } from './helpers/installed.mjs';
import { pages } from './helpers/pages.mjs';

const exec = promisify(execFile);

/** The commands of a block, each with what it prints: `$ command`, then its output. */
function commandsOf({ source }) {
  const parts = source.split(/^\$ (.*)\n/m).slice(1);
  return parts.flatMap((command, at) => (at % 2 === 0 ? [[command, parts[at + 1]]] : []));
}

const isRoute = (path) => path?.startsWith('src/') && path.endsWith('.ts');

for (const { name, blocks } of pages()) {
  const files = blocks
    .filter(({ path }) => isRoute(path))
    .map(({ path, source }) => [path, source]);
  const commands = blocks
    .filter(({ language }) => language === 'console')
    .flatMap(commandsOf)
    .filter(([command]) => command.startsWith('curl '));
  if (files.length === 0) continue;

  needing(test, 'curl')(
    `${name}: its routes are served, its commands print what it says`,
    async (t) => {
      const { root } = project(t, {
        'package.json': '{"type":"module"}',
        ...Object.fromEntries(files),
      });
      const server = wapix(t, root, ['start', '--port', '0', '--host', '127.0.0.1']);
      const origin = await within(server.url(), `the URL of ${name}`);
      for (const [command, printed] of commands) {
        const words = command.replaceAll('http://localhost:3000', origin);
        const { stdout } = await exec('sh', [
          '-c',
          words.replace(/^curl /, 'curl -sS --max-time 10 '),
        ]);
        t.is(stdout.trimEnd(), printed.trimEnd(), command);
      }
      t.is(server.stderr, '');
    },
  );
}

/** What `wapix dev` is said to print: in the same block, or in the one that follows. */
function printedByDev(blocks, at) {
  const [, inBlock] = /^\$ npx wapix dev\n([\s\S]*)$/.exec(blocks[at].source) ?? [];
  return blocks[at].source === 'npx wapix dev\n' ? blocks[at + 1].source : inBlock;
}

for (const { name, blocks } of pages()) {
  const at = blocks.findIndex(({ source }) => /^(\$ )?npx wapix dev$/m.test(source));
  if (at === -1) continue;
  test.serial(`${name}: wapix dev prints what it says`, async (t) => {
    // Of the route that has just been written.
    const { path, source } = blocks.slice(0, at).findLast((block) => isRoute(block.path));
    const { root } = project(t, { [path]: source });
    const run = wapix(t, root, ['dev', '--port', '0']);
    const { port } = new URL(await run.url());
    t.is(run.stdout.trimEnd().replace(port, '3000'), printedByDev(blocks, at).trimEnd());
  });
}

const all = pages().flatMap(({ name, blocks }) => blocks.map((block) => ({ ...block, name })));
const blocksOf = (language) => all.filter((block) => block.language === language);

test('JSON is JSON', (t) => {
  for (const { name, source } of blocksOf('json')) t.notThrows(() => JSON.parse(source), name);
});

test('JavaScript can be read', async (t) => {
  const files = Object.fromEntries(blocksOf('js').map(({ source }, at) => [`${at}.mjs`, source]));
  const { path } = project(t, files);
  for (const file of Object.keys(files)) {
    await t.notThrowsAsync(exec(process.execPath, ['--check', path(file)]), files[file]);
  }
});

test('npm has the scripts that are named', (t) => {
  const { scripts } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
  const [{ source }] = blocksOf('sh').filter(({ name }) => name === 'README');
  const named = Array.from(source.matchAll(/^npm (?:run )?(\w+)/gm), ([, script]) => script);
  t.deepEqual(
    named.filter((script) => !(script in scripts)),
    [],
  );
});

test('no block is of a kind that nobody looks at', (t) => {
  const known = [
    '',
    'bash',
    'console',
    'dockerfile',
    'ini',
    'js',
    'json',
    'nginx',
    'sh',
    'ts',
    'yaml',
  ];
  t.deepEqual(
    all.filter(({ language }) => !known.includes(language)),
    [],
  );
});
