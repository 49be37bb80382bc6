import { createServer } from 'node:http';

let requests = 0;

function answer(url) {
  if (url === '/requests') return requests;
  requests += 1;
  const [, , id] = url.split('/');
  return { id, name: 'Ada Lovelace' };
}

const server = createServer((req, res) => {
  const body = JSON.stringify(answer(req.url));
  res.writeHead(200, {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(body),
  });
  res.end(body);
});
// As long as wapix keeps one: its default would close the idle ones while others are opened.
server.keepAliveTimeout = 75_000;
// Of thousands that connect at once, its default would have some try again for half a minute.
server.listen({ port: 0, host: '127.0.0.1', backlog: 4_096 }, () =>
  console.log(server.address().port),
);
