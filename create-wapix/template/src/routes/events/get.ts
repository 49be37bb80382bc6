import { Readable } from 'node:stream';
import { stream } from 'wapix';
import type { RequestHandler } from './$types.js';

const handler: RequestHandler = () => {
  const events = new Readable({ read() {} });
  const tick = () => events.push(`data: ${new Date().toISOString()}\n\n`);
  tick();
  const timer = setInterval(tick, 1000);
  // The client has left.
  events.on('close', () => clearInterval(timer));
  return stream(events, 'text/event-stream', { 'Cache-Control': 'no-cache' });
};

export default handler;
