import type {
  BadRequest,
  HttpResult as Contract,
  Created,
  NoContent,
  NotFound,
  Ok,
  ResponseHeaders,
} from '../index.js';
import { WapixError } from './errors.js';

/** How a result's body becomes content. */
export type Form = 'none' | 'json' | 'text' | 'stream';

// Registered, so that a result made by a second copy of this module is known for one.
const brand = Symbol.for('wapix.result');

/** What the helpers below return, and the server turns into a response. */
export class HttpResult<T = unknown, Status extends number = number> {
  declare readonly [brand]: true;

  constructor(
    readonly status: Status,
    readonly body: T,
    readonly headers: ResponseHeaders | undefined,
    readonly form: Form,
    /** Of a stream. */
    readonly contentType?: string,
  ) {}
}

Object.defineProperty(HttpResult.prototype, brand, { value: true });

export function isResult(value: unknown): value is HttpResult {
  return typeof value === 'object' && value !== null && brand in value;
}

function make<T, Status extends number>(
  status: Status,
  body: T,
  headers: ResponseHeaders | undefined,
  form: Form,
): Contract<T, Status> {
  // The contract's brand is a type only.
  return new HttpResult(status, body, headers, form) as unknown as Contract<T, Status>;
}

export function json<T>(data: T, headers?: ResponseHeaders): Ok<T> {
  return make(200, data, headers, 'json');
}

export function ok<T>(data: T, headers?: ResponseHeaders): Ok<T> {
  return make(200, data, headers, 'json');
}

export function created<T>(
  data: T,
  location?: string | ResponseHeaders,
  headers?: ResponseHeaders,
): Created<T> {
  if (typeof location !== 'string') {
    return make(201, data, location ?? headers, 'json');
  }
  const given = Object.keys(headers ?? {}).some((name) => name.toLowerCase() === 'location');
  return make(201, data, given ? headers : { location, ...headers }, 'json');
}

export function noContent(headers?: ResponseHeaders): NoContent {
  return make(204, undefined, headers, 'none');
}

export function badRequest<T>(data?: T, headers?: ResponseHeaders): BadRequest<T> {
  return make(400, data as T, headers, data === undefined ? 'none' : 'json');
}

export function notFound<T>(data?: T, headers?: ResponseHeaders): NotFound<T> {
  return make(404, data as T, headers, data === undefined ? 'none' : 'json');
}

export function status<T>(code: number, data?: T, headers?: ResponseHeaders): Contract<T> {
  if (!Number.isInteger(code) || code < 200 || code > 599) {
    throw new WapixError(
      'WAPIX_INVALID_STATUS',
      `status(${code}): the code of a response is an integer from 200 to 599`,
    );
  }
  return make(code, data as T, headers, data === undefined ? 'none' : 'json');
}

export function text(text: string, headers?: ResponseHeaders): Ok<string> {
  return make(200, text, headers, 'text');
}

export function stream<Source>(
  source: Source,
  contentType = 'application/octet-stream',
  headers?: ResponseHeaders,
): Contract<Source> {
  const result = new HttpResult(200, source, headers, 'stream', contentType);
  return result as unknown as Contract<Source>;
}
