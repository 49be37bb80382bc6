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

/**
 * Stands in for the tests of a program that is not installed, and says how to install it. Only CI
 * must have it.
 */
export function missing(test, program, how) {
  test(`${program} is not installed`, (t) => {
    const message = `no ${program} here, its tests are left out: ${how}`;
    if (process.env.CI) t.fail(message);
    else {
      t.log(message);
      t.pass();
    }
  });
}
