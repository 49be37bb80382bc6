import { createServer } from 'node:http';

const server = createServer((req, res) => {
  const id = /^\/users\/([^/?]+)$/.exec(req.url)?.[1];
  const body = JSON.stringify({ id, name: 'Ada Lovelace' });
  res.writeHead(200, {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(body),
  });
  res.end(body);
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
