import { readdirSync, statSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { CreateError } from './errors.js';

/** What may be there already: a repository that was made first. */
const HARMLESS = new Set(['.git']);

/** Refuses a directory with something in it, before anything is written. @throws `WAPIX_NOT_EMPTY` */
export function requireEmpty(directory) {
  const stats = statSync(directory, { throwIfNoEntry: false });
  if (!stats) return;
  if (!stats.isDirectory()) {
    throw new CreateError('WAPIX_NOT_EMPTY', `${directory} is a file.\nName another directory.`);
  }
  const present = readdirSync(directory).filter((name) => !HARMLESS.has(name));
  if (present.length === 0) return;
  const shown = present.slice(0, 3).join(', ') + (present.length > 3 ? ', …' : '');
  throw new CreateError(
    'WAPIX_NOT_EMPTY',
    `${directory} is not empty: ${shown}\nNothing was written. Name another directory, or empty this one.`,
  );
}

/** The package's name: the directory's, as npm allows it. @throws `WAPIX_INVALID_NAME` */
export function packageName(directory) {
  const name = basename(resolve(directory))
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, '-')
    .replace(/^[^a-z0-9]+|-+$/g, '');
  if (name !== '') return name;
  throw new CreateError(
    'WAPIX_INVALID_NAME',
    `"${directory}" gives no name for a package.\nUse a directory with a letter or a digit in its name.`,
  );
}
