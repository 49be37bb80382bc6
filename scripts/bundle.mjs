/** Writes `lib/` to `dist/` as the package has it: JavaScript, and the library as one file. */
import { readdirSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { build } from 'rolldown';

/** What is in these directories can be loaded file by file; what is beside them is one. */
const APART = ['cli', 'routes'];
/**
 * For each file that it loads, a server starts a quarter of a millisecond later: so these share one. What
 * is in none of them has its own.
 */
const TOGETHER = {
  // What the command line uses before it loads the addon, which may be missing.
  common: ['errors', 'lazy', 'options', 'version'],
  'cli/command': ['cli/frame', 'cli/help', 'cli/index', 'cli/options', 'cli/report'],
  // What `wapix start` has besides.
  'cli/serving': [
    ...['cli/banner', 'cli/renew', 'cli/serve', 'cli/start'],
    ...['interop', 'load', 'modules', 'options-file', 'scan', 'segment', 'show', 'typescript'].map(
      (name) => `routes/${name}`,
    ),
  ],
};

const apart = APART.flatMap((directory) =>
  readdirSync(join('lib', directory)).map((file) => `${directory}/${basename(file, '.ts')}`),
);

await build({
  input: Object.fromEntries(['index', ...apart].map((name) => [name, `lib/${name}.ts`])),
  platform: 'node',
  external: /^(?!lib\/)[@\w]/,
  output: {
    dir: 'dist',
    format: 'cjs',
    strict: true,
    comments: false,
    entryFileNames: '[name].js',
    chunkFileNames: '[name].js',
    codeSplitting: {
      // Each takes along what its files import, but for what those before it have.
      groups: [
        shared('common'),
        { name: 'library', test: (file) => nameOf(file) !== 'index' && !isApart(file) },
        shared('cli/command'),
        shared('cli/serving'),
      ].map((group, index, all) => ({ ...group, priority: all.length - index })),
    },
  },
});

function shared(name) {
  return { name, test: (file) => TOGETHER[name].includes(nameOf(file)) };
}

function nameOf(file) {
  return relative('lib', file).replaceAll('\\', '/').replace(/\.ts$/, '');
}

function isApart(file) {
  return APART.includes(basename(dirname(file)));
}
