import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { type HttpResult, type NotFound, notFound, stream } from 'wapix';
import type { RequestHandler } from './$types';

const directory = fileURLToPath(new URL('../../../../files', import.meta.url));

type Result = HttpResult<Readable> | NotFound<{ error: string }>;

const handler: RequestHandler<Result> = async (req) => {
  const { file } = req.params;
  // Stays in the directory: a parameter is never `..`, and has no slash in it.
  const path = join(directory, file);
  const stats = await stat(path).catch(() => undefined);
  if (!stats?.isFile()) return notFound({ error: `There is no file ${file}` });

  return stream(createReadStream(path), 'application/octet-stream', {
    // With it the client can show how far it is, and notices a download that was cut off.
    'Content-Length': stats.size,
    'Content-Disposition': `attachment; filename*=UTF-8''${encodeURIComponent(file)}`,
  });
};

export default handler;
