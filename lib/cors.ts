import type { CorsOptions } from '../index.js';
import { METHODS } from './bridge/protocol.js';
import { WapixError } from './errors.js';
import type { Exchange } from './exchange.js';
import { http } from './lazy.js';
import { unknownName } from './options.js';
import { isPromise } from './promise.js';
import type { Request } from './request.js';
import { noContent } from './result.js';

const NAMES = {
  origin: '',
  methods: '',
  headers: '',
  credentials: '',
  maxAge: '',
  exposedHeaders: '',
} satisfies Record<keyof CorsOptions, string>;

/** The CORS protocol of a server (Fetch Standard, 3.3). */
export interface Cors {
  /** The fields of a response, as lines; none where the handler gave fields of its own. */
  readonly fields: (exchange: Exchange, given: ReadonlySet<string>) => string;
  /** Answers a preflight for a path that has `methods`; none where it is unknown. */
  readonly preflight: (request: Request, methods: readonly string[]) => unknown;
}

/** Whether a browser asks whether it may send the request it has (Fetch Standard, CORS-preflight). */
export function isPreflight({ method, headers }: Request): boolean {
  return (
    method === 'OPTIONS' &&
    headers.origin !== undefined &&
    headers['access-control-request-method'] !== undefined
  );
}

/** @throws `WAPIX_INVALID_OPTION` */
export function readCors(options: CorsOptions): Cors {
  const unknown = unknownName(options, NAMES);
  if (unknown !== undefined) throw invalid(unknown);
  const { credentials = false, maxAge } = options;
  const isAllowed = readOrigin(options.origin);
  if (isAllowed === 'any' && credentials) {
    throw invalid("origin: '*' with credentials is refused by browsers; name the origins");
  }
  if (maxAge !== undefined && !(Number.isInteger(maxAge) && maxAge >= 0)) {
    throw invalid(`maxAge is a whole number of seconds from 0 on, not ${String(maxAge)}`);
  }
  const methods = readNames('methods', options.methods);
  const headers = readNames('headers', options.headers);
  const exposed = readNames('exposedHeaders', options.exposedHeaders);
  const onEach =
    (credentials ? 'access-control-allow-credentials\ntrue\n' : '') +
    (exposed === undefined ? '' : `access-control-expose-headers\n${exposed}\n`);

  const fields = (exchange: Exchange, given: ReadonlySet<string>): string => {
    if (given.has('access-control-allow-origin')) return '';
    if (isAllowed === 'any') return `access-control-allow-origin\n*\n${onEach}`;
    const origin = exchange.request?.headers.origin;
    // Said to whoever asks: a cache must not hand one origin's response to another.
    const vary = 'vary\nOrigin\n';
    if (origin === undefined || !isAllowed(origin)) return vary;
    return `${vary}access-control-allow-origin\n${origin}\n${onEach}`;
  };

  const preflight = (request: Request, known: readonly string[]): unknown => {
    const asked = request.headers['access-control-request-headers'];
    return noContent({
      'Access-Control-Allow-Methods': methods ?? (known.length > 0 ? known : METHODS).join(', '),
      'Access-Control-Allow-Headers': headers ?? asked,
      'Access-Control-Max-Age': maxAge,
      // What is allowed is what was asked for.
      Vary: headers === undefined ? 'Access-Control-Request-Headers' : undefined,
    });
  };
  return { fields, preflight };
}

function readOrigin(option: CorsOptions['origin']): 'any' | ((origin: string) => boolean) {
  if (option === '*') return 'any';
  if (typeof option === 'function') {
    return (origin) => {
      const allowed: unknown = option(origin);
      if (isPromise(allowed)) {
        // It would be taken for true, whatever it becomes.
        throw invalid('origin: the function returned a promise, and has to return a boolean');
      }
      return Boolean(allowed);
    };
  }
  const origins = [option].flat();
  for (const origin of origins) {
    if (!isOrigin(origin)) {
      throw invalid(
        `origin: ${JSON.stringify(origin)} is no origin; it is a scheme, a host and perhaps a port, ` +
          "such as 'https://example.com', with nothing behind",
      );
    }
  }
  return (origin) => origins.includes(origin);
}

/** Whether browsers write it so (HTML Standard, serialization of an origin). */
function isOrigin(text: unknown): boolean {
  if (typeof text !== 'string' || !URL.canParse(text)) return false;
  const { origin } = new URL(text);
  // Of a scheme that is not the web's (an extension's) Node knows no origin.
  return origin === 'null' ? /^[a-z][\w+.-]*:\/\/[^/]+$/.test(text) : origin === text;
}

function readNames(option: string, names: readonly string[] | undefined): string | undefined {
  if (names === undefined) return undefined;
  try {
    if (!Array.isArray(names)) throw new TypeError(`${String(names)} is no array`);
    for (const name of names) http().validateHeaderName(name);
  } catch (cause) {
    throw invalid(`${option} is an array of names: ${(cause as Error).message}`);
  }
  return names.join(', ');
}

function invalid(message: string): WapixError {
  return new WapixError('WAPIX_INVALID_OPTION', `cors: ${message}`);
}
