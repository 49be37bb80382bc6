import { createReadStream } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { notFound, stream } from 'wapix';
import type { RequestHandler } from './$types';

const TYPES = new Map([
  ['page.css', 'text/css; charset=utf-8'],
  ['page.mjs', 'text/javascript; charset=utf-8'],
]);

const folder = new URL('../../../../public/', import.meta.url);

const handler: RequestHandler = (req) => {
  const type = TYPES.get(req.params.file);
  if (type === undefined) return notFound();
  return stream(createReadStream(fileURLToPath(new URL(req.params.file, folder))), type);
};

export default handler;
