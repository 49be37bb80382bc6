import { Readable } from 'node:stream';
import { type RequestHandler, stream } from 'wapix';
import { pageOfReadings } from '../../readings';

const PAGE = 500;

const handler: RequestHandler = () => {
  let next = 0;
  const lines = new Readable({
    // Called when the client has taken what was pushed before: the next page is read then, not sooner.
    async read() {
      try {
        const page = await pageOfReadings(next, PAGE);
        next += page.length;
        const text = page.map((reading) => `${JSON.stringify(reading)}\n`).join('');
        this.push(page.length > 0 ? text : null);
      } catch (error) {
        // The client must not take what it has for everything: its connection is closed.
        this.destroy(error as Error);
      }
    },
  });
  return stream(lines, 'application/x-ndjson');
};

export default handler;
