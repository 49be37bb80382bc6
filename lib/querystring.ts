import { type ParsedUrlQuery, parse } from 'node:querystring';

/**
 * Parses a query or a URL-encoded form as the URL Standard does, with no limit on the number of names:
 * the length of either is limited.
 */
export function parseQueryString(text: string): ParsedUrlQuery {
  return parse(text, '&', '=', { maxKeys: 0, decodeURIComponent: decode });
}

/** Undoes percent-escapes. Where one is no UTF-8, Node's own way loses what is beyond Latin-1 beside it. */
function decode(text: string): string {
  if (!text.includes('%')) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    const bytes = Buffer.from(text).toString('latin1');
    const decoded = bytes.replace(/%([0-9a-f]{2})/gi, (_, digits) =>
      String.fromCharCode(Number.parseInt(digits, 16)),
    );
    return Buffer.from(decoded, 'latin1').toString();
  }
}
