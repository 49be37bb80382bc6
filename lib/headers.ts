import type { ResponseHeaders } from '../index.js';
import { WapixError } from './errors.js';

/** The header fields of a response, checked, as they cross the bridge. */
export interface HeaderText {
  /** `name LF value LF` for each field. */
  readonly lines: string;
  readonly hasContentType: boolean;
  /** What the handler says the content's length is, in bytes. */
  readonly contentLength: number | undefined;
}

// As Node's `validateHeaderName` and `validateHeaderValue` have it (RFC 9110, 5.6.2 and 5.5): those are of `node:http`, and
// loading it takes longer than many a first response.
const TOKEN = /^[\w!#$%&'*+.^`|~-]+$/;
const OUTSIDE_VALUES = /[^\t\x20-\x7e\x80-\xff]/;

const NO_HEADERS: HeaderText = { lines: '', hasContentType: false, contentLength: undefined };

/**
 * Checks the header fields that a handler gave.
 *
 * @throws `WAPIX_INVALID_HEADER`
 */
export function writeHeaders(headers: ResponseHeaders | undefined): HeaderText {
  if (headers === undefined) return NO_HEADERS;
  if (!mayHaveFields(headers)) {
    throw new WapixError(
      'WAPIX_INVALID_HEADER',
      'headers are a plain object; of a Headers or a Map make one with Object.fromEntries()',
    );
  }
  let lines = '';
  let hasContentType = false;
  let contentLength: number | undefined;
  for (const name of Object.keys(headers)) {
    const given = headers[name];
    if (given === undefined) continue;
    const values = Array.isArray(given) ? given : [given];
    const lower = name.toLowerCase();
    if (lower === 'transfer-encoding') {
      refuseTransferEncoding(values);
      continue;
    }
    if (lower === 'content-type') hasContentType = true;
    if (lower === 'content-length') contentLength = readContentLength(values);
    checkName(name);
    for (const value of values) {
      const text = String(value);
      checkValue(name, text);
      lines += `${lower}\n${text}\n`;
    }
  }
  return { lines, hasContentType, contentLength };
}

/** Whether its properties are fields: those of a `Headers` or a `Map` are none, and would be lost in silence. */
export function mayHaveFields(headers: ResponseHeaders): boolean {
  return typeof headers === 'object' && headers !== null && !(Symbol.iterator in headers);
}

function checkName(name: string): void {
  if (TOKEN.test(name)) return;
  throw new WapixError(
    'WAPIX_INVALID_HEADER',
    `${JSON.stringify(name)} is not a header field name`,
  );
}

function checkValue(name: string, value: string): void {
  if (!OUTSIDE_VALUES.test(value)) return;
  throw new WapixError(
    'WAPIX_INVALID_HEADER',
    `${name}: ${JSON.stringify(value)} has a character that a header field value must not have ` +
      '(a line break, a control character, or one above U+00FF)',
  );
}

/** How content is framed is the server's to say; what it does anyway may be asked for. */
function refuseTransferEncoding(values: readonly unknown[]): void {
  if (values.length !== 1 || String(values[0]).trim().toLowerCase() !== 'chunked') {
    throw new WapixError(
      'WAPIX_INVALID_HEADER',
      `Transfer-Encoding: ${values.join(', ')} is not supported; leave it to the server`,
    );
  }
}

function readContentLength(values: readonly unknown[]): number {
  const text = String(values[0]);
  if (values.length !== 1 || !/^\d{1,15}$/.test(text)) {
    throw new WapixError(
      'WAPIX_INVALID_HEADER',
      `Content-Length: ${values.join(', ')} is not a number of bytes`,
    );
  }
  return Number(text);
}
