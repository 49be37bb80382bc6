// The server under load: HTTPS (HTTP/1.1 and HTTP/2) and plain HTTP, in one process.
import { once } from 'node:events';
import { appendFileSync, createReadStream, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createServer, json, stream } from '../../dist/index.js';
import { CERTIFICATES } from './certificates.mjs';
import { answer, reportUncaught } from './child.mjs';
import { content, sha256 } from './content.mjs';
import { events, live, SOURCE_FAILS, sources, withLength } from './sources.mjs';

const RELOAD_EVERY = 5000;
const FILE_LENGTH = 4 * 1024 * 1024;
const PART = 64 * 1024;

reportUncaught();

/** How often a source has failed, as it was to. */
let failures = 0;
const { error: print } = console;
console.error = (...values) => {
  if (values.some((value) => value?.message === SOURCE_FAILS)) failures += 1;
  else print(...values);
};

const directory = mkdtempSync(join(tmpdir(), 'wapix-soak-'));
process.on('exit', () => rmSync(directory, { recursive: true }));
process.on('SIGINT', () => process.exit(1));
const file = join(directory, 'file');
for (let at = 0; at < FILE_LENGTH; at += PART) appendFileSync(file, content(at, PART));

let pending = 0;

/** Counts the handlers that have not answered. */
function counted(handler) {
  return async (request) => {
    pending += 1;
    try {
      return await handler(request);
    } finally {
      pending -= 1;
    }
  };
}

async function upload({ rawBody, body }) {
  const file = body?.file;
  if (!file) return json({ length: rawBody.length, sha256: sha256(rawBody) });
  const bytes = Buffer.from(await file.arrayBuffer());
  return json({ length: bytes.length, sha256: sha256(bytes), note: body.note });
}

function produced({ params, query }) {
  const [offset, length] = [Number(params.offset), Number(params.length)];
  return stream(sources[params.how](offset, length), undefined, withLength(query));
}

function download({ params, query }) {
  const [start, length] = [Number(params.start), Number(params.length)];
  const source = live.track(createReadStream(file, { start, end: start + length - 1 }));
  return stream(source, undefined, withLength(query));
}

async function slow({ params, signal }) {
  const delay = Number(params.delay);
  await sleep(delay, undefined, { signal });
  return json({ delay });
}

const routes = {
  '/users/:user/posts/:post': {
    get: ({ params, query }) => json({ ...params, ...query }, { 'Cache-Control': 'no-store' }),
  },
  '/echo': { post: ({ body }) => json(body) },
  '/upload': { post: upload },
  '/stream/:how/:offset/:length': { get: produced },
  '/file/:start/:length': { get: download },
  '/events/:count': {
    get: ({ params }) => stream(events(Number(params.count)), 'text/event-stream'),
  },
  '/slow/:delay': { get: slow },
};
for (const methods of Object.values(routes)) {
  for (const [method, handler] of Object.entries(methods)) methods[method] = counted(handler);
}

let reloads = 0;
const https = createServer(routes, { https: CERTIFICATES[0] });
const http = createServer(routes);
const servers = [http, https];
for (const server of servers) {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
}
const reloading = setInterval(() => {
  reloads += 1;
  https.setSecureContext(CERTIFICATES[reloads % CERTIFICATES.length]);
}, RELOAD_EVERY);

answer({
  ports: () => ({ http: http.address().port, https: https.address().port }),
  state() {
    globalThis.gc();
    const { heapUsed, external } = process.memoryUsage();
    return { heapUsed, external, streams: live.count, pending, reloads, failures };
  },
  async close() {
    clearInterval(reloading);
    const closed = servers.map((server) => once(server, 'close'));
    for (const server of servers) server.close();
    await Promise.all(closed);
  },
});
