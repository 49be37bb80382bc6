import { relative, resolve, sep } from 'node:path';
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
 */
export function createFilter(project: string, routes: string, options: WatchOptions): WatchFilter {
  const include = options.include.map(toGlob);
  const included = matcher(include, false);
  const excluded = matcher(options.exclude.map(toGlob), true);
  const written = include.length > 0 ? () => false : matcher(WRITTEN_BY_SERVERS, true);
  const namesDots = include.some((glob) => /(^|\/)\./.test(glob));
  const output = BUILD_OUTPUT.filter(
    (name) =>
      !include.some((glob) => glob.startsWith(`${name}/`)) &&
      !`${routes}${sep}`.startsWith(`${resolve(project, name)}${sep}`),
  );

  const ignores = (path: string): boolean => {
    const local = localPath(project, routes, path);
    const segments = local.split('/').filter((segment) => segment !== '');
    if (segments.some((segment) => NEVER_WATCHED.has(segment))) return true;
    if (!namesDots && segments.some((segment) => /^\.(?!well-known$)/.test(segment))) return true;
    if (local !== '' && output.includes(segments[0] as string)) return true;
    return excluded(local) || written(local);
  };
  return {
    ignores,
    restarts: (path) => {
      if (ignores(path)) return false;
      return include.length === 0 || included(localPath(project, routes, path));
    },
  };
}

/** Relative to the project, or to a routes directory outside it; with `/`. */
function localPath(project: string, routes: string, path: string): string {
  const inProject = relative(project, path);
  const local = inProject.startsWith('..') ? relative(routes, path) : inProject;
  return local.split(sep).join('/');
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
