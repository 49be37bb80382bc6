import { existsSync } from 'node:fs';
import { delimiter, resolve } from 'node:path';
import { run } from './run.mjs';

/** Has this process find cargo-zigbuild, which is installed with its linker into target/ once. */
export function useZig() {
  const programs = resolve('target/zig/bin');
  if (!existsSync(`${programs}/cargo-zigbuild`)) {
    run('python3', '-m', 'venv', 'target/zig');
    run(
      ...[`${programs}/python3`, '-m', 'pip', 'install', '--quiet', '--disable-pip-version-check'],
      ...['--require-hashes', '--only-binary=:all:', '--no-deps', '-r', 'scripts/zig.txt'],
    );
  }
  process.env.PATH = [programs, process.env.PATH].join(delimiter);
}
