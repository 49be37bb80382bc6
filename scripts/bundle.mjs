/** Writes `lib/` to `dist/` as the package has it: JavaScript, and the library as one file. */
import { readdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { build } from 'rolldown';

/** These directories stay as they are, a file each; what is beside them is one. */
const APART = ['cli', 'routes'];
/** A file of its own: what the command line uses before it loads the addon, which may be missing. */
const BEFORE_ADDON = ['errors.ts', 'lazy.ts', 'options.ts', 'version.ts'];

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
      groups: [
        { name: 'common', test: (file) => BEFORE_ADDON.includes(basename(file)) && !isApart(file) },
        // For each file that it loads, a server starts a quarter of a millisecond later.
        { name: 'library', test: (file) => basename(file) !== 'index.ts' && !isApart(file) },
      ],
    },
  },
});

function isApart(file) {
  return APART.includes(basename(dirname(file)));
}
