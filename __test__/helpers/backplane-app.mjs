// Serves a channel with a backplane, for backplane.spec.mjs: `backplane-app.mjs '{"url":…}'`.
import { channel, createServer, redis } from 'wapix';

const { url, queue } = JSON.parse(process.argv[2]);
const news = channel('news', { backplane: redis({ url, queue }), retry: 100 });
const server = createServer({ '/': { get: (req) => news.subscribe(req) } });
server.listen(0, '127.0.0.1', () => process.send(server.address().port));
process.on('message', async ({ call, data }) => {
  try {
    process.send({ call, id: await news.publish({ data }) });
  } catch (error) {
    process.send({ call, error: error.code });
  }
});
process.on('disconnect', () => process.exit());
