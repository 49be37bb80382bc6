import { AsyncResource } from 'node:async_hooks';

/** Requests come in this asynchronous context: not in that of who has a server listen, or is the first to `inject`. */
export const NOBODYS = new AsyncResource('WAPIX_SERVER');

/** The asynchronous context of who calls: what is streamed later on runs in it, though Rust asks for it. */
export function currentContext(): AsyncResource {
  return new AsyncResource('WAPIX_STREAM');
}
