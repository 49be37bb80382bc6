import type { AsyncResource } from 'node:async_hooks';
import { inspect } from 'node:util';
import type {
  BadRequest,
  Conflict,
  HttpResult as Contract,
  Created,
  Forbidden,
  InternalServerError,
  NoContent,
  NotFound,
  Ok,
  Redirect,
  RedirectStatus,
  ResponseHeaders,
  TooManyRequests,
  Unauthorized,
  UnprocessableContent,
} from '../index.js';
import type { Subscribing } from './channel.js';
import { currentContext } from './context.js';
import { WapixError } from './errors.js';
import { mayHaveFields } from './headers.js';
import { adopt } from './source.js';

/** How a result's body becomes content. */
export type Form = 'none' | 'json' | 'text' | 'stream' | 'channel';

/** Of a stream of events, or of a channel's subscriber. */
export interface Events {
  /** Makes a chunk of what the source produces. Throws where it is no event. */
  readonly encode?: (event: unknown) => string;
  /** In milliseconds; 0 for none. */
  readonly heartbeat?: number;
  readonly subscribing?: Subscribing;
}

// Registered, so that a result made by a second copy of this module is known for one.
const brand = Symbol.for('wapix.result');

/** What the helpers below return, and the server turns into a response. */
export class HttpResult<T = unknown, Status extends number = number> {
  /** Its own, so that a copy with other header fields (`{ ...result, headers }`) is a result, too. */
  readonly [brand] = true;

  constructor(
    readonly status: Status,
    readonly body: T,
    readonly headers: ResponseHeaders | undefined,
    readonly form: Form,
    /** Of a stream. */
    readonly contentType?: string,
    /** Of a stream: the asynchronous context that its source runs in. */
    readonly context?: AsyncResource,
    readonly events?: Events,
  ) {}
}

export function isResult(value: unknown): value is HttpResult {
  return typeof value === 'object' && value !== null && brand in value;
}

/** Whether it is the status of a whole response. */
export function isStatus(code: number): boolean {
  return Number.isInteger(code) && code >= 200 && code <= 599;
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
  if (typeof location !== 'string' && !(location instanceof URL)) {
    return make(201, data, location ?? headers, 'json');
  }
  const reference = encodeReference(String(location));
  return make(201, data, withField('location', reference, headers), 'json');
}

export function noContent(headers?: ResponseHeaders): NoContent {
  return make(204, undefined, headers, 'none');
}

const REDIRECTS: readonly number[] = [301, 302, 303, 307, 308];

export function redirect(
  location: string,
  status?: undefined,
  headers?: ResponseHeaders,
): Redirect<302>;
export function redirect<Status extends RedirectStatus>(
  location: string,
  status: Status,
  headers?: ResponseHeaders,
): Redirect<Status>;
export function redirect(
  location: string,
  status: RedirectStatus = 302,
  headers?: ResponseHeaders,
): Redirect {
  if (!REDIRECTS.includes(status)) {
    throw new WapixError(
      'WAPIX_INVALID_STATUS',
      `redirect(…, ${status}): a redirect is one of ${REDIRECTS.join(', ')}`,
    );
  }
  if (location === undefined || location === null) {
    // A query parameter that was not sent: the client would go to /undefined.
    throw new WapixError('WAPIX_INVALID_HEADER', `redirect(${location}): there is no location`);
  }
  const fields = withField('location', encodeReference(String(location)), headers);
  return make(status, undefined, fields, 'none');
}

/** A helper of one status: with its data as JSON, or no body without it. */
function helper<Status extends number>(status: Status) {
  return <T>(data?: T, headers?: ResponseHeaders): Contract<T, Status> =>
    make(status, data as T, headers, data === undefined ? 'none' : 'json');
}

export const badRequest: <T>(data?: T, headers?: ResponseHeaders) => BadRequest<T> = helper(400);
export const unauthorized: <T>(data?: T, headers?: ResponseHeaders) => Unauthorized<T> =
  helper(401);
export const forbidden: <T>(data?: T, headers?: ResponseHeaders) => Forbidden<T> = helper(403);
export const notFound: <T>(data?: T, headers?: ResponseHeaders) => NotFound<T> = helper(404);
export const conflict: <T>(data?: T, headers?: ResponseHeaders) => Conflict<T> = helper(409);
export const unprocessableContent: <T>(
  data?: T,
  headers?: ResponseHeaders,
) => UnprocessableContent<T> = helper(422);
export const tooManyRequests: <T>(data?: T, headers?: ResponseHeaders) => TooManyRequests<T> =
  helper(429);
export const internalServerError: <T>(
  data?: T,
  headers?: ResponseHeaders,
) => InternalServerError<T> = helper(500);

export function status<T>(code: number, data?: T, headers?: ResponseHeaders): Contract<T> {
  if (!isStatus(code)) {
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

export function html(html: string, headers?: ResponseHeaders): Ok<string> {
  return make(200, html, withField('content-type', 'text/html; charset=utf-8', headers), 'text');
}

export function stream<Source>(
  source: Source,
  contentType = 'application/octet-stream',
  headers?: ResponseHeaders,
): Contract<Source> {
  if (typeof contentType !== 'string') {
    // The headers in its place, say.
    const message = `stream(…, ${inspect(contentType)}): the content type is a string`;
    throw new WapixError('WAPIX_INVALID_HEADER', message);
  }
  adopt(source);
  const context = currentContext();
  const result = new HttpResult(200, source, headers, 'stream', contentType, context);
  return result as unknown as Contract<Source>;
}

/** `headers` with a field of the helper's, where they have none of that name (in lower case). */
function withField(
  name: string,
  value: string,
  headers: ResponseHeaders | undefined,
): ResponseHeaders {
  if (headers === undefined) return { [name]: value };
  // What is no plain object is refused when it is written: a copy would have lost its fields.
  if (!mayHaveFields(headers)) return headers;
  const isGiven = Object.entries(headers).some(
    ([key, given]) => given !== undefined && key.toLowerCase() === name,
  );
  return isGiven ? headers : { ...headers, [name]: value };
}

/** A URI reference is ASCII (RFC 3986, 4.1): what is beyond is percent-encoded, as UTF-8. */
function encodeReference(location: string): string {
  return location.replace(/[^\0-\x7f]+/g, (text) => encodeURI(Buffer.from(text).toString()));
}
