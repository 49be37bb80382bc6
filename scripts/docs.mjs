/**
 * Compiles the TypeScript of the documentation against index.d.ts: each `ts` block of docs/ and the README,
 * those of a page together. A block whose first line is a path is that file.
 */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { pages } from '../__test__/helpers/pages.mjs';
import { succeeds } from './run.mjs';

const { refreshTypes } = createRequire(import.meta.url)('../dist/cli/types.js');
const scratch = mkdtempSync(join(tmpdir(), 'wapix-docs-'));
try {
  process.exitCode = compile() ? 0 : 1;
} finally {
  rmSync(scratch, { recursive: true });
}

function compile() {
  mkdirSync(join(scratch, 'node_modules'));
  symlinkSync(resolve('.'), join(scratch, 'node_modules/wapix'), 'junction');
  write('package.json', { type: 'module' });
  write('tsconfig.json', {
    compilerOptions: {
      target: 'es2023',
      lib: ['es2023'],
      types: ['node'],
      typeRoots: [resolve('node_modules/@types')],
      module: 'preserve',
      rootDirs: ['.', '.wapix/types'],
      strict: true,
      noUncheckedIndexedAccess: true,
      exactOptionalPropertyTypes: true,
      skipLibCheck: true,
      noEmit: true,
    },
    exclude: ['node_modules'],
  });
  let count = 0;
  for (const { name, blocks } of pages()) {
    for (const [index, { language, path, source }] of blocks.entries()) {
      if (language !== 'ts') continue;
      // A block without imports is a module, too: its names are its own.
      write(join(name, path ?? `block-${index + 1}.ts`), `${source}export {};\n`);
      count += 1;
    }
    refreshTypes(join(scratch, name, 'src/routes'));
  }
  process.stdout.write(`${count} blocks of TypeScript in the documentation\n`);
  return succeeds('tsc', '-p', scratch);
}

function write(file, content) {
  const target = join(scratch, file);
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(target, typeof content === 'string' ? content : JSON.stringify(content));
}
