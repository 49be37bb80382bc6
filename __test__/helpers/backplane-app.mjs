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
  /** Publishes so many events without waiting: what became of them, by number, those known first before the others. */
  burst: async ({ count, bytes }) => {
    const data = 'x'.repeat(bytes);
    const outcomes = {};
    const keep = (outcome, number) => {
      outcomes[outcome] ??= [];
      outcomes[outcome].push(number);
    };
    const publish = async (number) => {
      try {
        await news.publish({ data });
        keep('acknowledged', number);
      } catch ({ code, message }) {
        keep(`${code}: ${message}`, number);
      }
    };
    await Promise.all(Array.from({ length: count }, (_, number) => publish(number)));
    return Object.entries(outcomes);
  },
  size: () => news.size,
  memory: () => process.memoryUsage.rss(),
};
process.on('message', async ({ call, what, data }) => {
  process.send({ call, answer: await answers[what](data) });
});
process.on('disconnect', () => process.exit());
