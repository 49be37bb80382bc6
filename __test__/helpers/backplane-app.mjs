// Serves a channel, for helpers/backplane.mjs: `backplane-app.mjs '{"url":…,"port":…}'`.
import { channel, createServer, redis } from 'wapix';

const { url, queue, where = { port: 0, host: '127.0.0.1' }, options } = JSON.parse(process.argv[2]);
const backplane = url === undefined ? {} : { backplane: redis({ url, queue }) };
const news = channel('news', { retry: 100, ...options, ...backplane });
const server = createServer({ '/': { get: (req) => news.subscribe(req) } });
server.listen(where, () => process.send(server.address()));

const answers = {
  publish: async (data) => {
    try {
      return { id: await news.publish({ data }) };
    } catch (error) {
      return { error: error.code, message: error.message };
    }
  },
  /**
   * Publishes events of so many bytes each without waiting: the numbers of those that came to the same, what was
   * known first before the rest.
   */
  burst: async (lengths) => {
    const outcomes = new Map();
    const keep = (outcome, number) => {
      outcomes.set(outcome, [...(outcomes.get(outcome) ?? []), number]);
    };
    const publish = async (length, number) => {
      try {
        await news.publish({ data: 'x'.repeat(length) });
        keep('acknowledged', number);
      } catch ({ code, message }) {
        keep(`${code}: ${message}`, number);
      }
    };
    await Promise.all(lengths.map(publish));
    return [...outcomes];
  },
  size: () => news.size,
  memory: () => process.memoryUsage.rss(),
};
process.on('message', async ({ call, what, data }) => {
  process.send({ call, answer: await answers[what](data) });
});
process.on('disconnect', () => process.exit());
