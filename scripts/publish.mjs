/**
 * Publishes the packages in artifacts/, the binaries first, because wapix names them, and `create-wapix`
 * last, because it names wapix. What the registry has already is passed over, so that a release that broke
 * off can go on. `--dry-run` goes up to the upload.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { output, run, succeeds } from './run.mjs';

const dryRun = process.argv.includes('--dry-run');
const ORDER = [/^wapix-binding-/, /^wapix-\d/, /^create-wapix-/];
const names = readdirSync('artifacts');

for (const name of ORDER.flatMap((pattern) => names.filter((one) => pattern.test(one)))) {
  const tarball = join('artifacts', name);
  const manifest = JSON.parse(output('tar', '-xOzf', tarball, 'package/package.json'));
  const id = `${manifest.name}@${manifest.version}`;
  const tag = manifest.version.includes('-') ? 'next' : 'latest';
  if (!dryRun && succeeds('npm', 'view', id, 'version')) {
    process.stdout.write(`${id} is published already\n`);
    continue;
  }
  run(
    ...['npm', 'publish', `./${tarball}`, '--access', 'public', '--tag', tag],
    ...(dryRun ? ['--dry-run'] : ['--provenance']),
  );
}
