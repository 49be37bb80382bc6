import type { Exchange } from './exchange.js';
import { printable } from './printable.js';

/** Logs why a request was not answered as its handler, or what else is named, meant. */
export function logFailure(
  { method, url }: Pick<Exchange, 'method' | 'url'>,
  error: unknown,
  what = '',
): void {
  const failed = what === '' ? 'failed' : `failed in ${what}`;
  // No part of the format: what is escaped in a URL may look like a placeholder, and would take the error.
  console.error('wapix: %s %s %s:', method, printable(url), failed, error);
}
