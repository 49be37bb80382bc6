import { isAbsolute, relative, resolve, sep } from 'node:path';
import picomatch from 'picomatch';
import type { WatchOptions } from './options.js';

/** Which changes matter to `wapix dev`. Takes absolute paths. */
export interface WatchFilter {
  /** Whether a file or directory, and all in it, need not be watched. */
  ignores(path: string): boolean;
  /** Whether a change of this file restarts the server. */
  restarts(path: string): boolean;
}

const NEVER_WATCHED = new Set(['node_modules', '.git']);
const BUILD_OUTPUT = ['dist', 'build', 'out', 'coverage'];
/** What a running server writes: a restart for each line of a log would never end. */
const WRITTEN_BY_SERVERS = ['**/*.log', '**/*.{db,sqlite,sqlite3}', '**/*-{journal,shm,wal}'];

/**
 * @param project - the project's directory, to which globs are relative
 * @param routes - the routes directory: watched wherever it is
 * @param linked - directories of packages outside of the project; globs are relative to each
 */
export function createFilter(
  project: string,
  routes: string,
  linked: readonly string[],
  options: WatchOptions,
): WatchFilter {
  const include = options.include.map(toGlob);
  const included = matcher(include, false);
  const excluded = matcher(options.exclude.map(toGlob), true);
  const written = include.length > 0 ? () => false : matcher(WRITTEN_BY_SERVERS, true);
  const namesDots = include.some((glob) => /(^|\/)\./.test(glob));
  const output = BUILD_OUTPUT.filter((name) => !include.some((glob) => glob.startsWith(`${name}/`)))
    .map((name) => resolve(project, name))
    .filter((directory) => !isWithin(directory, routes));
  const roots = [project, routes, ...linked];

  const ignores = (path: string): boolean => {
    const local = localPath(roots, path);
    const segments = local.split('/').filter((segment) => segment !== '');
    if (segments.some((segment) => NEVER_WATCHED.has(segment))) return true;
    if (!namesDots && segments.some((segment) => /^\.(?!well-known$)/.test(segment))) return true;
    // That of a linked package is what is imported of it.
    if (output.some((directory) => isWithin(directory, path))) return true;
    return excluded(local) || written(local);
  };
  return {
    ignores,
    restarts: (path) => {
      if (ignores(path)) return false;
      return include.length === 0 || included(localPath(roots, path));
    },
  };
}

/** Relative to the first of `roots` that it is in; with `/`. */
function localPath(roots: readonly string[], path: string): string {
  const root = roots.find((directory) => isWithin(directory, path)) ?? '';
  return relative(root, path).split(sep).join('/');
}

function isWithin(directory: string, path: string): boolean {
  const local = relative(directory, path);
  return !(local === '..' || local.startsWith(`..${sep}`) || isAbsolute(local));
}

/** As in .gitignore, a glob without a slash matches a name at any depth. */
function toGlob(glob: string): string {
  const plain = glob.replace(/^\.\//, '').replace(/\/$/, '');
  return plain.includes('/') ? plain : `**/${plain}`;
}

/** Whether a path, or a directory it is in, matches one of `globs`. */
function matcher(globs: readonly string[], dot: boolean): (path: string) => boolean {
  const matches = picomatch([...globs], { dot });
  return (path) => {
    const segments = path.split('/');
    return segments.some((_, index) => matches(segments.slice(0, index + 1).join('/')));
  };
}
