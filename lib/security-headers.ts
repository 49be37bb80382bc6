import type { SecurityHeadersOptions } from '../index.js';
import { WapixError } from './errors.js';
import type { Exchange } from './exchange.js';
import { http } from './lazy.js';
import { unknownName } from './options.js';

const ANCESTORS = { DENY: "'none'", SAMEORIGIN: "'self'" } as const;
const YEAR = 'max-age=31536000';
const NAMES = {
  contentTypeOptions: '',
  referrerPolicy: '',
  frameOptions: '',
  strictTransportSecurity: '',
} satisfies Record<keyof SecurityHeadersOptions, string>;

/**
 * Makes what adds the fields that are not `given`, as lines.
 *
 * @throws `WAPIX_INVALID_OPTION`
 */
export function readSecurityHeaders(
  options: true | SecurityHeadersOptions,
): (exchange: Exchange, given: ReadonlySet<string>) => string {
  const {
    contentTypeOptions = true,
    referrerPolicy = 'no-referrer',
    frameOptions = 'SAMEORIGIN',
    strictTransportSecurity = YEAR,
  } = options === true ? {} : options;
  const unknown = options === true ? undefined : unknownName(options, NAMES);
  if (unknown !== undefined) throw invalid(unknown);
  const fields: [name: string, value: string][] = [];
  if (contentTypeOptions) fields.push(['x-content-type-options', 'nosniff']);
  if (referrerPolicy !== false) fields.push(['referrer-policy', referrerPolicy]);
  if (frameOptions !== false) {
    const ancestors = ANCESTORS[frameOptions];
    if (ancestors === undefined) {
      throw invalid(`frameOptions is 'DENY', 'SAMEORIGIN' or false, not ${String(frameOptions)}`);
    }
    fields.push(['x-frame-options', frameOptions]);
    fields.push(['content-security-policy', `frame-ancestors ${ancestors}`]);
  }
  const secure: [name: string, value: string][] =
    strictTransportSecurity === false
      ? fields
      : [...fields, ['strict-transport-security', strictTransportSecurity]];
  for (const [name, value] of secure) check(name, value);

  return (exchange, given) => {
    // Over plain HTTP it must not be sent (RFC 6797, 7.2).
    const isSecure = exchange.request?.protocol === 'https';
    let lines = '';
    for (const [name, value] of isSecure ? secure : fields) {
      if (!given.has(name)) lines += `${name}\n${value}\n`;
    }
    return lines;
  };
}

function check(name: string, value: unknown): void {
  try {
    if (typeof value !== 'string') throw new TypeError(`${String(value)} is no text`);
    http().validateHeaderValue(name, value);
  } catch (cause) {
    throw invalid(`${name}: ${(cause as Error).message}`);
  }
}

function invalid(message: string): WapixError {
  return new WapixError('WAPIX_INVALID_OPTION', `securityHeaders: ${message}`);
}
