import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { ServerOptions } from '../../index.js';
import { WapixError } from '../errors.js';
import { createServer } from '../server.js';
import { wrappings } from './interop.js';
import { OPTIONS_FILE } from './scan.js';
import { show } from './show.js';

/**
 * The options file of the routes under `root`, if there is one.
 *
 * @throws `WAPIX_INVALID_OPTION` where there are several
 */
export function findOptionsFile(root: string): string | undefined {
  const [file, another] = readdirSync(root)
    .filter((name) => OPTIONS_FILE.test(name))
    .sort()
    .map((name) => join(root, name));
  if (another === undefined) return file;
  throw new WapixError(
    'WAPIX_INVALID_OPTION',
    `${show(file as string)} and ${show(another)} both have the options: keep one.`,
  );
}

/**
 * The options that the module of `file` exports.
 *
 * @throws `WAPIX_INVALID_OPTION`, naming the file, where they are none that `createServer` takes
 */
export function readOptionsFile(file: string, module: unknown): ServerOptions {
  const [, ...defaults] = wrappings(module);
  const options = defaults.at(-1);
  if (!isObject(options) || Array.isArray(options)) {
    throw invalid(
      file,
      'the default export is no object: export default { … } satisfies ServerOptions',
    );
  }
  // Not known before the command line names its files.
  if ('https' in options) throw invalid(file, 'https is of the command line: --key and --cert');
  try {
    createServer({}, options);
  } catch (error) {
    throw error instanceof WapixError ? invalid(file, error.message) : error;
  }
  return options;
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

function invalid(file: string, message: string): WapixError {
  return new WapixError('WAPIX_INVALID_OPTION', `${show(file)}: ${message}`);
}
