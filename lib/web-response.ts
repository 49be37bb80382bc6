import { WapixError } from './errors.js';
import { HttpResult } from './result.js';

/** Fields of a connection (RFC 9110, 7.6.1): those of the connection to another server are not ours. */
const OF_A_CONNECTION = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);
/** Content codings that Node's `fetch` undoes without saying so in the header fields. */
const UNDONE_BY_FETCH = new Set(['gzip', 'x-gzip', 'deflate', 'br']);
const [major = 0, minor = 0] = process.versions.undici?.split('.').map(Number) ?? [];
if (major > 7 || (major === 7 && minor >= 11)) UNDONE_BY_FETCH.add('zstd');

const isUndoneByFetch = (coding: string) => UNDONE_BY_FETCH.has(coding.trim().toLowerCase());

/** Whether `value` is a web `Response` (Fetch Standard): Node's own, or one of its implementation. */
export function isWebResponse(value: unknown): value is Response {
  if (typeof value !== 'object' || value === null) return false;
  if (value instanceof Response) return true;
  const { headers } = value as Partial<Response>;
  return (
    Object.prototype.toString.call(value) === '[object Response]' &&
    typeof headers?.getSetCookie === 'function'
  );
}

/**
 * The result that a web `Response` stands for; its body, where it has one, is a stream.
 *
 * @throws `WAPIX_RESPONSE_USED`; `WAPIX_INVALID_RESULT` for a `Response.error()`
 */
export function fromWebResponse(response: Response): HttpResult {
  if (response.type === 'error') {
    throw new WapixError(
      'WAPIX_INVALID_RESULT',
      'the handler returned Response.error(), which has no status; return internalServerError(), for instance',
    );
  }
  const { body } = response;
  if (response.bodyUsed || body?.locked) {
    throw new WapixError(
      'WAPIX_RESPONSE_USED',
      'the handler returned a Response whose body has been read, or is being read, elsewhere; ' +
        'a Response is sent once: make a new one for each request, or return response.clone()',
    );
  }
  const headers = headersOf(response);
  return body === null
    ? new HttpResult(response.status, undefined, headers, 'none')
    : new HttpResult<unknown>(response.status, body, headers, 'stream');
}

function headersOf(response: Response): Record<string, string[]> {
  // Only one that came from a server has a URL.
  const isFetched = response.url !== '';
  const coding = response.headers.get('content-encoding');
  const isDecoded = isFetched && coding?.split(',').every(isUndoneByFetch);
  const headers: Record<string, string[]> = Object.create(null);
  for (const [name, value] of response.headers) {
    if (isFetched && OF_A_CONNECTION.has(name)) continue;
    if (isDecoded && (name === 'content-encoding' || name === 'content-length')) continue;
    const values = headers[name];
    // Set-Cookie alone is told one by one.
    if (values === undefined) headers[name] = [value];
    else values.push(value);
  }
  return headers;
}
