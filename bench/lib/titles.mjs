/** The servers, as the tables call them. */
export const TITLES = {
  wapix: 'wapix, I/O thread',
  'wapix-in-loop': 'wapix, in-loop',
  'wapix-channel': 'wapix, a channel, I/O thread',
  'wapix-channel-in-loop': 'wapix, a channel, in-loop',
  'wapix-start': '`wapix start`',
  uwebsockets: 'uWebSockets.js',
  bun: 'Bun',
  deno: 'Deno',
  'node-http': 'node:http',
  fastify: 'Fastify',
  hono: 'Hono on Node',
};
