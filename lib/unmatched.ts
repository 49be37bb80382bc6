import { METHODS } from './bridge/protocol.js';
import type { Route } from './exchange.js';
import { Request } from './request.js';

/** What answers a request that no route does: `methods` are those its path has, none where it is unknown. */
export type Unmatched = (request: Request, methods: readonly string[]) => unknown;

/** GET answers HEAD, too. */
const ANSWERED = METHODS.filter((method) => method !== 'HEAD');

/**
 * Routes that come after all others, and take what these leave over. Rust answers that by itself, at
 * no cost, where these routes are not there.
 */
export function fallbackRoutes(routes: readonly Route[], answer: Unmatched): Route[] {
  const paths = new PathTree();
  for (const route of routes) paths.insert(segmentsOf(route.pattern), route);
  const handler = (request: Request) => {
    const path = Request.pathOf(request);
    return answer(request, allowed(paths.find(path === '' ? [] : path.split('/'))));
  };
  // A catch-all of the application's own at this place has the one name that there can be.
  const own = routes.find(({ pattern }) => /^\/\*[^/]+\/?$/.test(pattern))?.pattern;
  return [own ?? '/*path', '/'].flatMap((pattern) => {
    const [segment] = segmentsOf(pattern);
    const taken = routes
      .filter((route) => segmentsOf(route.pattern).join('/') === (segment ?? ''))
      .map(({ method }) => method);
    return ANSWERED.filter((method) => !taken.includes(method)).map((method) => ({
      method,
      pattern,
      handler,
      parameterNames: [],
      config: {},
      isFallback: true as const,
    }));
  });
}

/** The methods that a path with these routes has, as `Allow` lists them. */
export function allowed(routes: readonly Route[]): string[] {
  const own = new Set(routes.map(({ method }) => method));
  if (own.size === 0) return [];
  return METHODS.filter(
    (method) => method === 'OPTIONS' || own.has(method) || (method === 'HEAD' && own.has('GET')),
  );
}

function segmentsOf(pattern: string): string[] {
  const path = pattern.replace(/^\//, '').replace(/\/$/, '');
  return path === '' ? [] : path.split('/');
}

/** The patterns of a server, a level for each segment. */
class PathTree {
  readonly #literals = new Map<string, PathTree>();
  #parameter: PathTree | undefined;
  readonly #catchAll: Route[] = [];
  readonly #own: Route[] = [];

  insert([segment, ...rest]: readonly string[], route: Route): void {
    if (segment === undefined) this.#own.push(route);
    else if (segment.startsWith('*')) this.#catchAll.push(route);
    else if (segment.startsWith(':')) {
      this.#parameter ??= new PathTree();
      this.#parameter.insert(rest, route);
    } else {
      const next = this.#literals.get(segment) ?? new PathTree();
      this.#literals.set(segment, next);
      next.insert(rest, route);
    }
  }

  /** The routes of every pattern that matches. */
  find(path: readonly string[], found: Route[] = [], at = 0): Route[] {
    const segment = path[at];
    if (segment === undefined) {
      found.push(...this.#own);
      return found;
    }
    found.push(...this.#catchAll);
    this.#literals.get(segment)?.find(path, found, at + 1);
    this.#parameter?.find(path, found, at + 1);
    return found;
  }
}
