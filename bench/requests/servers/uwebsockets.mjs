import uWS from 'uwebsockets';
import { CERT_FILE, KEY_FILE, PROTOCOL } from '../certificate.mjs';
import { COLLECTIONS, caller, PAGE, PLAIN_TEXT, receipt, user, work } from '../content.mjs';

const app =
  PROTOCOL === 'http'
    ? uWS.App()
    : uWS.SSLApp({ key_file_name: KEY_FILE, cert_file_name: CERT_FILE });

function json(res, value) {
  res.writeHeader('Content-Type', 'application/json').end(JSON.stringify(value));
}

const getUser = (res, req) => json(res, user(req.getParameter(0)));

app.get('/users/:id', getUser);

app.get('/computed/:id', (res, req) => {
  work();
  json(res, user(req.getParameter(0)));
});

app.get('/async/:id', async (res, req) => {
  // What is read of the request is read before the first await.
  const id = req.getParameter(0);
  let isAborted = false;
  res.onAborted(() => {
    isAborted = true;
  });
  await Promise.resolve();
  if (!isAborted) res.cork(() => json(res, user(id)));
});

app.post('/orders', (res) => {
  const chunks = [];
  res.onAborted(() => {});
  res.onData((chunk, isLast) => {
    // The memory of a chunk is taken back when this returns.
    chunks.push(isLast ? Buffer.from(chunk) : Buffer.from(chunk.slice(0)));
    if (!isLast) return;
    const body = chunks.length === 1 ? chunks[0] : Buffer.concat(chunks);
    json(res, receipt(JSON.parse(body.toString())));
  });
});

app.get('/caller', (res, req) => {
  json(res, caller(req.getHeader('authorization'), req.getHeader('x-request-id')));
});

app.get('/page', (res) => {
  res.writeHeader('Content-Type', PLAIN_TEXT).end(PAGE);
});

for (const name of COLLECTIONS) app.get(`/${name}/:id`, getUser);

app.listen('127.0.0.1', 0, (socket) => console.log(uWS.us_socket_local_port(socket)));
