import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { extname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { type HttpResult, type NotFound, notFound, stream } from 'wapix';
import type { RequestHandler } from './$types';

const directory = fileURLToPath(new URL('../../../../public', import.meta.url));

const MEDIA_TYPES: Partial<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
};

type Result = HttpResult<Readable> | NotFound<{ error: string }>;

const handler: RequestHandler<Result> = async (req) => {
  // One or more segments, joined by `/`.
  const path = join(directory, req.params.path);
  const stats = await stat(path).catch(() => undefined);
  if (!stats?.isFile()) return notFound({ error: `There is no ${req.params.path}` });

  return stream(createReadStream(path), MEDIA_TYPES[extname(path)], {
    'Content-Length': stats.size,
  });
};

export default handler;
