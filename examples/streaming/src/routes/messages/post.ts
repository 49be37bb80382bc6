import { type BadRequest, badRequest, type NoContent, noContent } from 'wapix';
import { bus } from '../../bus';
import type { RequestHandler } from './$types';

type Result = NoContent | BadRequest<{ error: string }>;
type Body = { from?: unknown; text?: unknown } | undefined;

const handler: RequestHandler<Result, Body> = (req) => {
  const { from, text } = req.body ?? {};
  if (typeof from !== 'string' || typeof text !== 'string') {
    return badRequest({ error: 'Send {"from": "…", "text": "…"}' });
  }
  bus.emit('message', { from, text });
  return noContent();
};

export default handler;
