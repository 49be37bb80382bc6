import { readdirSync, realpathSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { RouteMethod } from '../../index.js';
import { WapixError } from '../errors.js';
import { readSegment, type Segment, toPattern } from './segment.js';
import { show } from './show.js';

/** One route file: what it answers, and where it is. */
export interface RouteFile {
  /** The pattern, as `createServer` takes it: `/users/:id`. */
  readonly path: string;
  readonly method: RouteMethod;
  /** The file's absolute path. */
  readonly file: string;
}

/** A directory on the way down. */
interface Place {
  readonly path: string;
  readonly pattern: string;
  /** The real paths from the root to here, to notice a link that leads back. */
  readonly trail: readonly string[];
  readonly parameters: readonly string[];
  readonly isCatchAll: boolean;
}

interface Problem {
  readonly code: 'WAPIX_INVALID_ROUTE' | 'WAPIX_ROUTE_CONFLICT';
  readonly message: string;
}

const METHODS = ['get', 'post', 'put', 'patch', 'delete', 'head', 'options'] as const;
const FILE_NAME = /^([^.]+)\.([cm]?[jt]s|[jt]sx)$/i;
/** The name of a file that has the server's options, at the root of a routes directory. */
export const OPTIONS_FILE = /^\$options\.[cm]?[jt]s$/;
const LIKE_OPTIONS = /^\$options\.([cm]?[jt]s|[jt]sx)$/i;
const EXTENSION = /^[cm]?[jt]s$/;

/**
 * Finds the route files under `root`, an absolute path: a directory's own files by method, then
 * its directories by name.
 *
 * @throws `WAPIX_ROUTES_NOT_FOUND` where there is no such directory; `WAPIX_INVALID_ROUTE` or
 *   `WAPIX_ROUTE_CONFLICT`, with every problem found, for files that are no routes together.
 */
export function scanRoutes(root: string): RouteFile[] {
  const found = statSync(root, { throwIfNoEntry: false });
  if (!found?.isDirectory()) {
    const what = found ? 'is not a directory' : 'does not exist';
    throw new WapixError('WAPIX_ROUTES_NOT_FOUND', `The routes directory ${root} ${what}.`);
  }
  const scan = new Scan();
  const routes = scan.walk({
    path: root,
    pattern: '',
    trail: [realpathSync(root)],
    parameters: [],
    isCatchAll: false,
  });
  if (scan.problems.length > 0) throw toError(scan.problems);
  return routes;
}

class Scan {
  readonly problems: Problem[] = [];

  walk(place: Place): RouteFile[] {
    const files = new Map<RouteMethod, string>();
    const below: RouteFile[] = [];
    // The route that first took each kind of wildcard at this level, with the wildcard's name.
    const wildcards = new Map<Segment['kind'], { name: string; file: string }>();

    for (const name of readdirSync(place.path).sort()) {
      if (isIgnored(name)) continue;
      const path = join(place.path, name);
      const stats = statSync(path, { throwIfNoEntry: false });
      if (stats?.isDirectory()) {
        below.push(...this.#descend(place, name, path, wildcards));
        continue;
      }
      if (LIKE_OPTIONS.test(name)) {
        this.#checkOptions(name, path, place.pattern === '');
        continue;
      }
      const method = this.#method(name, path);
      if (!method) continue;
      const other = files.get(method);
      if (!stats) this.#invalid(`${show(path)} is a link to a file that does not exist.`);
      else if (other) {
        const both = `${show(other)} and ${show(path)}`;
        this.#conflict(`${both} both answer ${method.toUpperCase()}: delete one of them.`);
      } else files.set(method, path);
    }

    const own = METHODS.flatMap((method) => {
      const file = files.get(method);
      return file ? [{ path: place.pattern || '/', method, file }] : [];
    });
    return [...own, ...below];
  }

  #descend(
    parent: Place,
    name: string,
    path: string,
    wildcards: Map<Segment['kind'], { name: string; file: string }>,
  ): RouteFile[] {
    const real = realpathSync(path);
    if (parent.trail.includes(real)) {
      this.#invalid(`${show(path)} links back to a directory it is in.`);
      return [];
    }
    const segment = readSegment(name);
    const wildcard = segment.kind === 'parameter' || segment.kind === 'catch-all' ? segment : null;
    const problemsBefore = this.problems.length;
    const routes = this.walk({
      path,
      pattern: `${parent.pattern}/${segment.kind === 'invalid' ? name : toPattern(segment)}`,
      trail: [...parent.trail, real],
      parameters: wildcard ? [...parent.parameters, wildcard.name] : parent.parameters,
      isCatchAll: segment.kind === 'catch-all',
    });
    const [first] = routes;
    // A directory with nothing in it for wapix may have any name.
    if (!first && this.problems.length === problemsBefore) return [];

    if (segment.kind === 'invalid') this.#invalid(`${show(path)}: ${segment.reason}.`);
    if (parent.isCatchAll) {
      this.#invalid(`${show(path)} is inside a catch-all, which takes every segment that is left.`);
    }
    if (!wildcard) return routes;
    if (parent.parameters.includes(wildcard.name)) {
      this.#invalid(`${show(path)}: a directory above has the parameter "${wildcard.name}" too.`);
    }
    const other = wildcards.get(wildcard.kind);
    if (other) {
      this.#conflict(
        `${other.file} and ${show(first?.file ?? path)} name one ${wildcard.kind} both ` +
          `"${other.name}" and "${wildcard.name}": give it one name.`,
      );
    } else {
      wildcards.set(wildcard.kind, { name: wildcard.name, file: show(first?.file ?? path) });
    }
    return routes;
  }

  /** The method a file is named after, if any; a name that only looks like one is a problem. */
  #method(name: string, path: string): RouteMethod | undefined {
    const [, stem = '', extension = ''] = FILE_NAME.exec(name) ?? [];
    const method = METHODS.find((candidate) => candidate === stem.toLowerCase());
    if (!method) return undefined;
    if (stem === method && EXTENSION.test(extension)) return method;
    // Not skipped: the request that was meant for it would be answered 404 with no reason in sight.
    const reason = extension.toLowerCase().endsWith('x')
      ? 'a route file has no JSX: it ends in .ts, .js, .mts, .mjs, .cts or .cjs'
      : `a route file's name is lower case: ${method}.${extension.toLowerCase()}`;
    this.#invalid(`${show(path)}: ${reason}.`);
    return undefined;
  }

  #checkOptions(name: string, path: string, isAtRoot: boolean): void {
    if (!OPTIONS_FILE.test(name)) {
      const names = '$options.ts, .js, .mts, .mjs, .cts or .cjs';
      this.#invalid(`${show(path)}: the file with the options is named ${names}.`);
    } else if (!isAtRoot) {
      this.#invalid(
        `${show(path)}: the options are of the whole server, and their file is at the root of the routes.`,
      );
    }
  }

  #invalid(message: string): void {
    this.problems.push({ code: 'WAPIX_INVALID_ROUTE', message });
  }

  #conflict(message: string): void {
    this.problems.push({ code: 'WAPIX_ROUTE_CONFLICT', message });
  }
}

/** Whether wapix never looks at a name: `.well-known` (RFC 8615) is the one dot name that is served. */
function isIgnored(name: string): boolean {
  return name === 'node_modules' || (name.startsWith('.') && name !== '.well-known');
}

function toError(problems: readonly Problem[]): WapixError {
  const conflictsOnly = problems.every(({ code }) => code === 'WAPIX_ROUTE_CONFLICT');
  return new WapixError(
    conflictsOnly ? 'WAPIX_ROUTE_CONFLICT' : 'WAPIX_INVALID_ROUTE',
    problems.map(({ message }) => message).join('\n'),
  );
}
