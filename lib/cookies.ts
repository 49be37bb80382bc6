import { inspect } from 'node:util';
import type { CookieOptions } from '../index.js';
import { WapixError } from './errors.js';
import { cookie, http } from './lazy.js';
import { unknownName } from './options.js';

const ATTRIBUTES = {
  domain: '',
  path: '',
  maxAge: '',
  expires: '',
  httpOnly: '',
  secure: '',
  sameSite: '',
  partitioned: '',
} satisfies Record<keyof CookieOptions, string>;

/** The cookies of a Cookie field (RFC 6265, 5.4): null prototype, the first of a name counts. */
export function parseCookies(field: string | undefined): Record<string, string | undefined> {
  return Object.assign(Object.create(null), field === undefined ? {} : cookie().parseCookie(field));
}

export function setCookie(name: string, value: string, options: CookieOptions = {}): string {
  // One that is misspelt would leave a cookie less protected than it looks.
  const reason = unknownName(options, ATTRIBUTES);
  if (reason !== undefined) throw invalid(name, reason);
  refuseUnkept(name, options);
  try {
    // A token (RFC 6265, 4.1.1): `cookie` takes more than that.
    http().validateHeaderName(name);
    const { maxAge, expires, domain, path, sameSite } = options;
    return cookie().stringifySetCookie(name, String(value), {
      ...(maxAge !== undefined && { maxAge }),
      ...(expires !== undefined && { expires }),
      ...(domain !== undefined && { domain }),
      ...(path !== undefined && { path }),
      ...(sameSite !== undefined && { sameSite }),
      httpOnly: options.httpOnly === true,
      secure: options.secure === true,
      partitioned: options.partitioned === true,
    });
  } catch (cause) {
    throw invalid(name, (cause as Error).message, cause);
  }
}

/** Browsers drop these in silence (RFC 6265bis, 5.7): nobody would find out why. */
function refuseUnkept(name: string, options: CookieOptions): void {
  for (const attribute of ['secure', 'httpOnly', 'partitioned'] as const) {
    const given: unknown = options[attribute];
    if (given !== undefined && typeof given !== 'boolean') {
      throw invalid(name, `${attribute} is true or false, not ${inspect(given)}`);
    }
  }
  const { secure, path, domain, sameSite, partitioned } = options;
  const lower = String(name).toLowerCase();
  if (!secure) {
    if (String(sameSite).toLowerCase() === 'none')
      throw invalid(name, 'sameSite: "none" needs secure: true');
    if (partitioned) throw invalid(name, 'partitioned needs secure: true');
    if (lower.startsWith('__secure-')) throw invalid(name, '__Secure- needs secure: true');
  }
  if (lower.startsWith('__host-') && !(secure && path === '/' && domain === undefined)) {
    throw invalid(name, '__Host- needs secure: true, path: "/" and no domain');
  }
}

function invalid(name: string, reason: string, cause?: unknown): WapixError {
  const message = `setCookie(${JSON.stringify(name)}): ${reason}`;
  return new WapixError('WAPIX_INVALID_COOKIE', message, { cause });
}
