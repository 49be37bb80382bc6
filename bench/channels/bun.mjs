import { publishing } from './events.mjs';

const clients = new Set();
const encoder = new TextEncoder();
let id = 0;
const server = Bun.serve({
  port: 0,
  hostname: '127.0.0.1',
  fetch(request, server) {
    // Events may be long in coming.
    server.timeout(request, 0);
    let client;
    const events = new ReadableStream({
      start(controller) {
        client = controller;
        controller.enqueue(encoder.encode('retry: 2000\n\n'));
        clients.add(controller);
      },
      cancel() {
        clients.delete(client);
      },
    });
    const headers = { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-cache' };
    return new Response(events, { headers });
  },
});
console.log(server.port);
publishing((data) => {
  id += 1;
  const event = encoder.encode(`id: ${id}\ndata: ${JSON.stringify(data)}\n\n`);
  for (const client of clients) client.enqueue(event);
});
