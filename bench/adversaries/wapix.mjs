import { createServer, json, stream } from '../../dist/index.js';
import { download } from '../streams/sources.mjs';

const hello = () => json({ hello: 'world' });

const server = createServer(
  {
    '/': { get: hello, post: hello },
    '/download': { get: () => stream(download()) },
  },
  // As short as it takes to see them within a run; the others are the defaults.
  { headersTimeout: 5_000, requestTimeout: 10_000, writeTimeout: 10_000 },
);
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
