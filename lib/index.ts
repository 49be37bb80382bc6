export { channel, redis } from './channel.js';
export { setCookie } from './cookies.js';
export {
  badRequest,
  conflict,
  created,
  forbidden,
  html,
  internalServerError,
  json,
  noContent,
  notFound,
  ok,
  redirect,
  status,
  stream,
  text,
  tooManyRequests,
  unauthorized,
  unprocessableContent,
} from './result.js';
export { createServer } from './server.js';
export { sse } from './sse.js';
