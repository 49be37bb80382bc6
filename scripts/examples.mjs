/** Type-checks the examples, with the types of their routes as `wapix dev` writes them. */
import { readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { succeeds } from './run.mjs';

const { refreshTypes } = createRequire(import.meta.url)('../dist/cli/types.js');
for (const entry of readdirSync('examples', { withFileTypes: true })) {
  if (!entry.isDirectory() || entry.name.startsWith('.')) continue;
  refreshTypes(resolve('examples', entry.name, 'src/routes'));
}
process.exitCode = succeeds('tsc', '-p', 'examples') ? 0 : 1;
