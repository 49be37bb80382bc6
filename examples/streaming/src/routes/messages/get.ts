import { Readable } from 'node:stream';
import { type RequestHandler, stream } from 'wapix';
import { bus, type Message } from '../../bus';
import { event } from '../../event';

const handler: RequestHandler = () => {
  const events = new Readable({ read() {} });

  const onMessage = (message: Message) => {
    // `false`: this client reads more slowly than messages come, and they would pile up for it.
    if (!events.push(event('message', message))) {
      events.destroy(new Error('the client reads too slowly'));
    }
  };
  bus.on('message', onMessage);
  // However the stream ends: the client has left, the server closes, or it was destroyed above.
  events.on('close', () => bus.off('message', onMessage));

  events.push(event('welcome', { listeners: bus.listenerCount('message') }));
  return stream(events, 'text/event-stream', {
    'Cache-Control': 'no-cache',
    // nginx would hold events back until its buffer is full.
    'X-Accel-Buffering': 'no',
  });
};

export default handler;
