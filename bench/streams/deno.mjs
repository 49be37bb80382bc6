import { webStream } from './sources.mjs';

Deno.serve(
  { port: 0, hostname: '127.0.0.1', onListen: ({ port }) => console.log(port) },
  async (request) => {
    const { pathname } = new URL(request.url);
    const type = pathname === '/events' ? 'text/event-stream' : 'application/octet-stream';
    const headers = { 'Content-Type': type };
    if (pathname === '/file') {
      const file = await Deno.open(Deno.env.get('BENCH_FILE'));
      return new Response(file.readable, { headers });
    }
    return new Response(webStream(pathname), { headers });
  },
);
