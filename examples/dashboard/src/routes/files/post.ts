import { createHash } from 'node:crypto';
import { type BadRequest, badRequest, type Created, created } from 'wapix';
import type { RequestHandler } from './$types';

type Received = { name: string; bytes: number; sha256: string };
type Result = Created<Received> | BadRequest<{ error: string }>;
/** What a client may send: not to be relied on before it was looked at. */
type Body = { file?: unknown } | undefined;

const handler: RequestHandler<Result, Body> = async (req) => {
  const file = req.body?.file;
  if (!(file instanceof File)) return badRequest({ error: 'Send a file as the field "file"' });
  const content = Buffer.from(await file.arrayBuffer());
  const sha256 = createHash('sha256').update(content).digest('hex');
  return created({ name: file.name, bytes: content.length, sha256 });
};

export default handler;
