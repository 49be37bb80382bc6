import { text } from 'wapix';
import { serve } from './server.mjs';

/** Serves one handler of `POST /`, or `path`, which has its body as it comes. */
export function servePost(t, handler, config = {}, options = {}, path = '/') {
  const post = { handler, config: { streamBody: true, ...config } };
  return serve(t, { [path]: { post }, '/other': { get: () => text('other') } }, options);
}

/** One chunk of a body in chunks. */
export const chunk = (bytes) => [`${bytes.length.toString(16)}\r\n`, bytes, '\r\n'];
export const CHUNKED = { 'transfer-encoding': 'chunked' };
