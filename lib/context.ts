import { AsyncResource } from 'node:async_hooks';

/** Requests come in this asynchronous context: not in that of who has a server listen, or is the first to `inject`. */
export const NOBODYS = new AsyncResource('WAPIX_SERVER');
