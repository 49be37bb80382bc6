/**
 * A release up to the point of publishing, for the platform at hand: from a clean clone of what is
 * committed to packages that are checked, installed and used.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { output, run } from './run.mjs';

const clone = mkdtempSync(join(tmpdir(), 'wapix-release-'));
process.once('exit', () => {
  process.chdir(tmpdir());
  rmSync(clone, { recursive: true, force: true });
});
run('git', 'clone', '--quiet', '--depth=1', `file://${process.cwd()}`, clone);
process.chdir(clone);

process.env.WAPIX_BUILD_TARGET = output('rustc', '--print', 'host-tuple').trim();
run('npm', 'run', '--silent', 'lint');
run('ava', '__test__/package.spec.mjs', '__test__/create.spec.mjs');
run('node', 'scripts/publish.mjs', '--dry-run');
