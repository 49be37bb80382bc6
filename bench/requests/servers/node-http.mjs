import { createServer as createHttp } from 'node:http';
import { createSecureServer as createHttp2 } from 'node:http2';
import { createServer as createHttps } from 'node:https';
import { cert, key, PROTOCOL } from '../certificate.mjs';
import { COLLECTIONS, caller, PAGE, PLAIN_TEXT, receipt, user, work } from '../content.mjs';

function send(res, type, body) {
  res.writeHead(200, { 'Content-Type': type, 'Content-Length': Buffer.byteLength(body) });
  res.end(body);
}

const json = (res, value) => send(res, 'application/json', JSON.stringify(value));

const getUser = (_, res, id) => json(res, user(id));

const routes = new Map([
  ['GET users', getUser],
  [
    'GET computed',
    (_, res, id) => {
      work();
      json(res, user(id));
    },
  ],
  [
    'GET async',
    async (_, res, id) => {
      await Promise.resolve();
      json(res, user(id));
    },
  ],
  [
    'POST orders',
    (req, res) => {
      const chunks = [];
      req.on('data', (chunk) => chunks.push(chunk));
      req.on('end', () => json(res, receipt(JSON.parse(Buffer.concat(chunks).toString()))));
    },
  ],
  [
    'GET caller',
    ({ headers }, res) => json(res, caller(headers.authorization, headers['x-request-id'])),
  ],
  ['GET page', (_, res) => send(res, PLAIN_TEXT, PAGE)],
  ...COLLECTIONS.map((name) => [`GET ${name}`, getUser]),
]);

function answer(req, res) {
  const [, first, id] = req.url.split('/');
  const handler = routes.get(`${req.method} ${first}`);
  if (handler) handler(req, res, id);
  else res.writeHead(404).end();
}

const create = {
  http: () => createHttp(answer),
  https: () => createHttps({ key, cert }, answer),
  h2: () => createHttp2({ key, cert }, answer),
};
const server = create[PROTOCOL]();
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
