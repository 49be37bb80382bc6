import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { CreateError } from './errors.js';

/** Installs the dependencies, and writes the types of the routes, so that an editor finds them at once. */
export function install(directory, manager) {
  const options = {
    cwd: directory,
    stdio: 'inherit',
    // Package managers are batch files on Windows, which only a shell can start.
    shell: process.platform === 'win32',
  };
  const { status, error } = spawnSync(manager.name, ['install'], options);
  if (status !== 0) {
    throw new CreateError(
      'WAPIX_INSTALL_FAILED',
      `\`${manager.name} install\` failed in ${directory}${error ? `: ${error.message}` : '.'}\n` +
        'The project is written; run it again there.',
    );
  }
  const wapix = join(directory, 'node_modules/wapix/bin/wapix.js');
  if (existsSync(wapix)) {
    spawnSync(process.execPath, [wapix, 'types'], { cwd: directory, stdio: 'ignore' });
  }
}
