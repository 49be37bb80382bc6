import { createServer } from 'node:http';
import { pipeline } from 'node:stream';
import { download, events, file, smallChunks } from './sources.mjs';

const sources = {
  '/download': download,
  '/file': file,
  '/small': smallChunks,
  '/events': events,
};

const server = createServer((req, res) => {
  const isEvents = req.url === '/events';
  const type = isEvents ? 'text/event-stream' : 'application/octet-stream';
  res.writeHead(200, { 'Content-Type': type });
  if (isEvents) res.flushHeaders();
  pipeline(sources[req.url](), res, () => {});
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
