// What handlers may and may not return, and read. A line after `@ts-expect-error` must not compile.
import { createReadStream } from 'node:fs';
import type { Readable } from 'node:stream';
import {
  badRequest,
  type Conflict,
  type Created,
  channel,
  conflict,
  created,
  createServer,
  type Forbidden,
  forbidden,
  type HttpResult,
  html,
  type InternalServerError,
  internalServerError,
  json,
  type NotFound,
  noContent,
  notFound,
  type Ok,
  ok,
  type Redirect,
  type RequestHandler,
  redirect,
  setCookie,
  status,
  stream,
  type TooManyRequests,
  text,
  tooManyRequests,
  type Unauthorized,
  type UnprocessableContent,
  unauthorized,
  unprocessableContent,
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

// Each helper has its status's type.
type Problems =
  | Unauthorized<Problem>
  | Forbidden<undefined>
  | Conflict<Problem>
  | UnprocessableContent<Problem>
  | TooManyRequests<undefined>
  | InternalServerError<Problem>;
const problem: Problem = { error: 'no' };
export const problems: RequestHandler<object, Problems>[] = [
  () => unauthorized(problem, { 'WWW-Authenticate': 'Bearer' }),
  () => forbidden(),
  () => conflict(problem),
  () => unprocessableContent(problem),
  () => tooManyRequests(undefined, { 'Retry-After': 3 }),
  () => internalServerError(problem),
];
// @ts-expect-error: another status
export const wrongProblem: RequestHandler<object, Forbidden> = () => unauthorized();
// @ts-expect-error: another body
export const wrongProblemBody: RequestHandler<object, Conflict<Problem>> = () => conflict(1);

export const redirected: RequestHandler<object, Redirect | Ok<string>> = () => redirect('/a', 307);
export const redirectedOnce: RequestHandler<object, Redirect<303>> = () => redirect('/a', 303);
// @ts-expect-error: 302 unless said
export const redirectedElse: RequestHandler<object, Redirect<303>> = () => redirect('/a');
// @ts-expect-error: no redirect
export const redirectedNot: RequestHandler = () => redirect('/a', 304);
export const page: RequestHandler<object, Ok<string>> = () => html('<p>', { 'X-A': '1' });

// A web Response is a result where none, or just that, was asked for.
export const untypedResponse: RequestHandler = () => new Response('a');
export const fetched: RequestHandler = ({ url }) => fetch(url);
export const response: RequestHandler<object, Ok<User> | globalThis.Response> = async () =>
  Response.json({});
// @ts-expect-error: it was not
export const otherResponse: FindUser = () => new Response('a');

export const cookies: RequestHandler = ({ cookies }) => {
  const session: string | undefined = cookies.session;
  // @ts-expect-error: it may not be there
  const found: string = cookies.session;
  return json(
    { session, found },
    { 'Set-Cookie': [setCookie('a', '1', { maxAge: 60, sameSite: 'lax' }), setCookie('b', '2')] },
  );
};
// @ts-expect-error: no such value
setCookie('a', '1', { sameSite: 'some' });

createServer(
  {},
  {
    onError: (error, req) => {
      // @ts-expect-error: anything may be thrown
      error.message;
      return internalServerError({ url: req.url });
    },
    onNotFound: async (req) => notFound({ url: req.url }),
    cors: { origin: ['https://app.example'], credentials: true, maxAge: 60, methods: ['GET'] },
    securityHeaders: { frameOptions: 'DENY', referrerPolicy: false },
  },
);
createServer({}, { onError: () => new Response(), cors: { origin: (origin) => origin !== '' } });
// @ts-expect-error: no result
createServer({}, { onError: () => {} });
// @ts-expect-error: the origin is to be said
createServer({}, { cors: { credentials: true } });
// @ts-expect-error: no such value
createServer({}, { securityHeaders: { frameOptions: 'ALLOWALL' } });

// Whatever a handler's parameters and query are, its request subscribes.
const rooms = channel<string>('rooms');
interface RoomParams {
  room: string;
}
export const subscribe: RequestHandler<RoomParams> = (req) => rooms.subscribe(req);
export const subscribeByTopic: RequestHandler<object, HttpResult, unknown, { topic?: string }> = (
  req,
) => rooms.subscribe(req, { topics: req.query.topic ? [req.query.topic] : [] });

const server = createServer({
  '/': { get: () => text('hello'), delete: () => noContent(), post: () => ok({ a: 1 }) },
  '/users/:id': { get: found, put: wrongStatus },
});
server.listen(3000, '127.0.0.1', () => {});
server.listen({ path: '/tmp/socket' }).on('error', (error) => error.code);
server.close((error) => error?.message);

createServer({
  '/': { get: () => new Response('a') },
  '/a': { get: () => fetch('http://a.example') },
});
// @ts-expect-error: no result
createServer({ '/': { get: () => 'hello' } });
// @ts-expect-error: no result
createServer({ '/': { get: () => ({ hello: 'world' }) } });
// @ts-expect-error: no result where it is not found
createServer({ '/': { get: ({ params }) => (params.id ? ok(params.id) : undefined) } });
// @ts-expect-error: no result, beside settings
createServer({ '/': { post: { handler: async () => {}, config: { timeout: 100 } } } });
// @ts-expect-error: no method of that name
createServer({ '/': { fetch: () => text('hello') } });
