import { WapixError } from './errors.js';
import { findJsonError, parseMultipart } from './native.js';
import { ownText } from './own-text.js';
import { parseQueryString } from './querystring.js';

/** Of a body that is text: it is made when somebody asks for it, and not for who reads `rawBody`. */
export const TEXT = Symbol('text');

/**
 * Parses a request body by its Content-Type; one of ASCII may be text already, a slice of a longer one.
 *
 * @returns `TEXT` where `textOf` has it
 * @throws `WAPIX_INVALID_JSON`, `WAPIX_INVALID_FORM`, `WAPIX_INVALID_MULTIPART`
 */
export function parseContent(content: Buffer | string, contentType: string | undefined): unknown {
  if (content.length === 0) return undefined;
  if (contentType === 'application/json') return parseJson(content);
  const mediaType = (contentType ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';
  if (mediaType === 'application/json' || mediaType.endsWith('+json')) return parseJson(content);
  if (mediaType === 'multipart/form-data') return parseParts(bytesOf(content), contentType ?? '');
  if (mediaType === 'application/x-www-form-urlencoded') return parseUrlEncoded(textOf(content));
  return TEXT;
}

/** What is made of it may be kept. */
export function textOf(content: Buffer | string): string {
  return typeof content === 'string' ? ownText(content) : content.toString();
}

function bytesOf(content: Buffer | string): Buffer {
  return typeof content === 'string' ? Buffer.from(content, 'latin1') : content;
}

const BYTE_ORDER_MARK = 0xfeff;

function parseJson(content: Buffer | string): unknown {
  const text = content.toString();
  try {
    // A byte order mark may be ignored (RFC 8259, 8.1).
    return JSON.parse(text.charCodeAt(0) === BYTE_ORDER_MARK ? text.slice(1) : text);
  } catch (cause) {
    const found = findJsonError(bytesOf(content));
    const what = found
      ? `${found.message} at line ${found.line}, column ${found.column}`
      : (cause as Error).message;
    throw new WapixError('WAPIX_INVALID_JSON', `the body is not JSON: ${what}`, { cause });
  }
}

function parseUrlEncoded(text: string): Record<string, string | string[]> {
  const malformed = text.search(/%(?![0-9a-f]{2})/i);
  if (malformed >= 0) {
    const shown = JSON.stringify(text.slice(malformed, malformed + 3));
    throw new WapixError(
      'WAPIX_INVALID_FORM',
      `the form has a malformed percent-escape, ${shown}, at position ${malformed}`,
    );
  }
  const form: Record<string, string | string[]> = Object.create(null);
  const parsed = parseQueryString(text);
  for (const [name, value] of Object.entries(parsed)) form[name] = value ?? '';
  return form;
}

function parseParts(content: Buffer, contentType: string): Record<string, unknown> {
  const form: Record<string, unknown> = Object.create(null);
  for (const part of readParts(content, contentType)) {
    const value =
      part.fileName === undefined
        ? part.content.toString()
        : new File([part.content], part.fileName, { type: part.contentType ?? '' });
    const earlier = form[part.name];
    if (earlier === undefined) form[part.name] = value;
    else if (Array.isArray(earlier)) earlier.push(value);
    else form[part.name] = [earlier, value];
  }
  return form;
}

function readParts(content: Buffer, contentType: string) {
  try {
    return parseMultipart(contentType, content);
  } catch (cause) {
    const what = (cause as Error).message;
    throw new WapixError('WAPIX_INVALID_MULTIPART', `the multipart body is malformed: ${what}`, {
      cause,
    });
  }
}
