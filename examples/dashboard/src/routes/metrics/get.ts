import { Readable } from 'node:stream';
import { type RequestHandler, stream } from 'wapix';
import { metrics, recent, type Sample } from '../../metrics';

const event = (sample: Sample) => `data: ${JSON.stringify(sample)}\n\n`;

const handler: RequestHandler = () => {
  const events = new Readable({ read() {} });
  const onSample = (sample: Sample) => {
    // A page that no longer reads connects again, and gets the last minute then.
    if (!events.push(event(sample))) events.destroy(new Error('the client reads too slowly'));
  };
  metrics.on('sample', onSample);
  events.on('close', () => metrics.off('sample', onSample));

  events.push(recent.map(event).join(''));
  return stream(events, 'text/event-stream', {
    'Cache-Control': 'no-cache',
    'X-Accel-Buffering': 'no',
  });
};

export default handler;
