export {
  badRequest,
  created,
  json,
  noContent,
  notFound,
  ok,
  status,
  stream,
  text,
} from './result.js';
export { createServer } from './server.js';
