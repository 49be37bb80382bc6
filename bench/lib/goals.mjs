// What is wanted of wapix: a figure of its, as a part of a peer's.

const atMost = (server, figure, base, limit) => ({ server, figure, base, limit, isMost: true });
const atLeast = (server, figure, base, limit) => ({ server, figure, base, limit, isMost: false });

/** In both transports. */
const both = (make, ...rest) => ['wapix', 'wapix-in-loop'].map((server) => make(server, ...rest));

export const PEERS = [
  atMost('wapix-in-loop', 'total', 'uwebsockets', 1),
  atMost('wapix-in-loop', 'total', 'bun', 0.85),
  atMost('wapix-in-loop', 'total', 'deno', 0.95),
  atMost('wapix-in-loop', 'total', 'fastify', 0.3),
  atMost('wapix', 'total', 'uwebsockets', 1.2),
  atMost('wapix', 'javascript', 'uwebsockets', 0.2),
];

export const WORK = [atLeast('wapix', 'perSecond', 'uwebsockets', 1.2)];

export const PIPELINED = [
  atMost('wapix-in-loop', 'userTotal', 'uwebsockets', 0.8),
  ...both(atMost, 'userJavascript', 'uwebsockets', 0.3),
];

export const SIXTEEN = both(atLeast, 'perSecond', 'uwebsockets', 0.9);

export const ONE = both(atMost, 'p50', 'node-http', 1);

/** Over TLS and HTTP/2, where uWebSockets.js and Fastify take no part. */
export const SECURE = [
  atMost('wapix-in-loop', 'total', 'node-http', 1),
  atMost('wapix-in-loop', 'total', 'bun', 0.85),
  atMost('wapix-in-loop', 'total', 'deno', 0.95),
];

export const IDLE = both(atMost, 'kibibytes', 'node-http', 0.5);

export const START_UP = ['wapix', 'wapix-in-loop', 'wapix-start'].map((server) =>
  atMost(server, 'milliseconds', 'node-http', 1.2),
);

export const LARGE_CHUNKS = both(atMost, 'seconds', 'node-http', 0.7);

export const SMALL_CHUNKS = both(atMost, 'seconds', 'node-http', 0.5);

export const FAN_OUT = [
  ...['wapix-channel', 'wapix', 'wapix-in-loop'].map((server) =>
    atMost(server, 'seconds', 'node-http', 0.6),
  ),
  ...['wapix-channel', 'wapix'].map((server) =>
    atMost(server, 'javascriptSeconds', 'node-http', 0.05),
  ),
  ...['wapix-channel', 'wapix', 'wapix-in-loop'].map((server) =>
    atMost(server, 'kibibytes', 'node-http', 0.5),
  ),
];
