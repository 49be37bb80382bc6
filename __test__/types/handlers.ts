// What handlers may and may not return, and read. A line after `@ts-expect-error` must not compile.
import { createReadStream } from 'node:fs';
import type { Readable } from 'node:stream';
import {
  badRequest,
  type Created,
  created,
  createServer,
  type HttpResult,
  json,
  type NotFound,
  noContent,
  notFound,
  type Ok,
  ok,
  type RequestHandler,
  status,
  stream,
  text,
} from '../../index.js';

interface User {
  id: string;
  name: string;
}
interface Problem {
  error: string;
}

// Without type arguments everything can be read.
export const untyped: RequestHandler = (req) => {
  const { x } = req.params;
  const page: string | undefined = req.query.page;
  return json({ x, page, body: req.body.anything, agent: req.headers['user-agent'] });
};

type FindUser = RequestHandler<{ id: string }, Ok<User> | NotFound<Problem>>;
export const found: FindUser = (req) => json({ id: req.params.id, name: 'Ada' });
export const missing: FindUser = async () => notFound({ error: 'no such user' });
// @ts-expect-error: another status
export const wrongStatus: FindUser = () => badRequest({ error: 'bad' });
// @ts-expect-error: another status, and unknown to the compiler
export const anyStatus: FindUser = () => status(200, { id: '1', name: 'Ada' });
// @ts-expect-error: another body
export const wrongBody: FindUser = () => json({ id: 1 });
// @ts-expect-error: no result
export const nothing: FindUser = () => {};
// @ts-expect-error: an object that looks like a result
export const forged: FindUser = () => ({ status: 200, body: { id: '1', name: '' }, headers: {} });

type AddUser = RequestHandler<object, Created<User>, { name: string }, { notify: string }>;
export const added: AddUser = (req) => {
  const notify: string = req.query.notify;
  return created({ id: notify, name: req.body.name }, '/users/1', { 'X-A': '1' });
};
export const addedElsewhere: AddUser = (req) =>
  created({ id: '1', name: req.body.name }, { Location: '/users/1', 'Set-Cookie': ['a=1', 'b=2'] });

// @ts-expect-error: the parameter is not the route's
export const otherParameter: RequestHandler<{ id: string }> = (req) => json(req.params.name);

export const file: RequestHandler<object, HttpResult<Readable>> = () =>
  stream(createReadStream('a.txt'), 'text/plain', { 'Content-Length': 5 });
export const generated: RequestHandler = (req) =>
  stream(
    (async function* () {
      while (!req.signal.aborted) yield 'tick\n';
    })(),
  );
export const web: RequestHandler = () => stream(new Blob(['abc']).stream());
// @ts-expect-error: text is no stream
export const notAStream: RequestHandler = () => stream('abc');

const server = createServer({
  '/': { get: () => text('hello'), delete: () => noContent(), post: () => ok({ a: 1 }) },
  '/users/:id': { get: found, put: wrongStatus },
});
server.listen(3000, '127.0.0.1', () => {});
server.listen({ path: '/tmp/socket' }).on('error', (error) => error.code);
server.close((error) => error?.message);

// @ts-expect-error: no method of that name
createServer({ '/': { fetch: () => text('hello') } });
