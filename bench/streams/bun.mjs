import { webStream } from './sources.mjs';

const server = Bun.serve({
  port: 0,
  hostname: '127.0.0.1',
  idleTimeout: 0,
  fetch(request) {
    const { pathname } = new URL(request.url);
    if (pathname === '/file') return new Response(Bun.file(process.env.BENCH_FILE));
    const type = pathname === '/events' ? 'text/event-stream' : 'application/octet-stream';
    return new Response(webStream(pathname), { headers: { 'Content-Type': type } });
  },
});
console.log(server.port);
