import { findJsonError, parseMultipart } from './bridge/native.js';
import { WapixError } from './errors.js';
import { parseQueryString } from './querystring.js';

/**
 * Parses a request body by its Content-Type.
 *
 * @throws `WAPIX_INVALID_JSON`, `WAPIX_INVALID_FORM`, `WAPIX_INVALID_MULTIPART`
 */
export function parseContent(content: Buffer, contentType: string | undefined): unknown {
  if (content.length === 0) return undefined;
  const mediaType = (contentType ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';
  if (mediaType === 'application/json' || mediaType.endsWith('+json')) return parseJson(content);
  if (mediaType === 'application/x-www-form-urlencoded') return parseUrlEncoded(content);
  if (mediaType === 'multipart/form-data') return parseParts(content, contentType ?? '');
  return content.toString();
}

const BYTE_ORDER_MARK = 0xfeff;

function parseJson(content: Buffer): unknown {
  const text = content.toString();
  try {
    // A byte order mark may be ignored (RFC 8259, 8.1).
    return JSON.parse(text.charCodeAt(0) === BYTE_ORDER_MARK ? text.slice(1) : text);
  } catch (cause) {
    const found = findJsonError(content);
    const what = found
      ? `${found.message} at line ${found.line}, column ${found.column}`
      : (cause as Error).message;
    throw new WapixError('WAPIX_INVALID_JSON', `the body is not JSON: ${what}`, { cause });
  }
}

function parseUrlEncoded(content: Buffer): Record<string, string | string[]> {
  const text = content.toString();
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
