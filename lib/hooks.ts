import type { RequestHandler, ServerOptions } from '../index.js';
import { AccessLog, type LogEntry } from './access-log.js';
import { type Cors, isPreflight, readCors } from './cors.js';
import type { Exchange, Route } from './exchange.js';
import { readFunction } from './options.js';
import { Request } from './request.js';
import { noContent, status } from './result.js';
import { readSecurityHeaders } from './security-headers.js';

/** What the options have done to every request; what is not there costs nothing. */
export interface Hooks {
  readonly onError: ServerOptions['onError'];
  /** Adds fields to those of a response: lines, as `writeHeaders` makes them. */
  readonly addFields: ((exchange: Exchange, lines: string) => string) | undefined;
  readonly log: AccessLog | undefined;
}

/**
 * Reads the options that are about every request: `routes` as they are to be served, what answers
 * requests that match none of them (where that is not left to Rust, at no cost), and what is done
 * beside.
 *
 * @param write - takes an entry for each request; it must not throw
 * @throws `WAPIX_INVALID_OPTION`
 */
export function readHooks(
  routes: readonly Route[],
  options: ServerOptions,
  write: ((entry: LogEntry) => void) | undefined,
): { routes: readonly Route[]; unmatched?: Route; hooks: Hooks } {
  const onError = readFunction('onError', options.onError);
  const onNotFound = readFunction('onNotFound', options.onNotFound);
  const cors = options.cors && readCors(options.cors);
  const { securityHeaders } = options;
  const security = securityHeaders ? readSecurityHeaders(securityHeaders) : undefined;
  const sources = [cors?.fields, security].filter((source) => source !== undefined);
  const hooks: Hooks = {
    onError,
    addFields:
      sources.length === 0
        ? undefined
        : (exchange, lines) => {
            const given = new Set(lines.split('\n').filter((_, index) => index % 2 === 0));
            return sources.reduce((all, source) => all + source(exchange, given), lines);
          },
    log: write && new AccessLog(write),
  };
  if (!(onNotFound || write || sources.length > 0)) return { routes, hooks };
  const answered = cors ? routes.map((route) => withPreflight(route, cors)) : routes;
  const unmatched: Route = {
    method: '',
    pattern: '',
    handler: (request) => answerUnmatched(request, onNotFound, cors),
    parameterNames: [],
    config: {},
    isFallback: true,
  };
  return { routes: answered, unmatched, hooks };
}

/** As Rust answers it, but for what the options say. */
function answerUnmatched(
  request: Request,
  onNotFound: RequestHandler | undefined,
  cors: Cors | undefined,
): unknown {
  const methods = Request.allowedOf(request);
  if (cors && isPreflight(request)) return cors.preflight(request, methods);
  if (methods.length === 0) {
    return onNotFound ? onNotFound(request) : status(404, { error: 'Not Found' });
  }
  const headers = { Allow: methods.join(', ') };
  if (request.method === 'OPTIONS') return noContent(headers);
  return status(405, { error: 'Method Not Allowed' }, headers);
}

/** A handler of OPTIONS is not asked about preflights: they are for `cors` to answer. */
function withPreflight(route: Route, cors: Cors): Route {
  if (route.method !== 'OPTIONS') return route;
  return {
    ...route,
    handler: (request) =>
      isPreflight(request)
        ? cors.preflight(request, Request.allowedOf(request))
        : route.handler(request),
  };
}
