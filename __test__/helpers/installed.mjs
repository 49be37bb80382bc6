import { existsSync } from 'node:fs';
import { delimiter, resolve } from 'node:path';

const FOLDERS = (process.env.PATH ?? '').split(delimiter);
const ENDINGS = process.platform === 'win32' ? ['.exe'] : [''];

/** The path of the first of `names` that is installed, or `undefined`. */
export function installed(...names) {
  return names
    .flatMap((name) => ENDINGS.flatMap((ending) => FOLDERS.map((at) => resolve(at, name + ending))))
    .find((path) => existsSync(path));
}

/** Registers tests of what `programs` do; where one of them is not installed, what stands in for each. */
export function needing(register, ...programs) {
  const absent = programs.filter((program) => !installed(program));
  if (absent.length === 0) return register;
  return (title) =>
    missing(register, title, absent.join(', '), `apt-get install ${absent.join(' ')}`);
}

/**
 * Stands in for what a program that is not installed was to be tested with, and says how to install
 * it. Only CI must have it, where `.ci/run` installs it: on Linux.
 */
export function missing(register, title, program, how) {
  register(`${title} (without ${program})`, (t) => {
    const message = `not run, there is no ${program} here: ${how}`;
    if (process.env.CI && process.platform === 'linux') t.fail(message);
    else {
      t.log(message);
      t.pass();
    }
  });
}
