import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { extname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { type HttpResult, type NotFound, notFound, stream } from 'wapix';

const directory = fileURLToPath(new URL('../public', import.meta.url));

const MEDIA_TYPES: Partial<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
};

/** A file of `public`; `path` stays in there, as a parameter is never `..`. */
export async function publicFile(path: string): Promise<HttpResult<Readable> | NotFound> {
  const file = join(directory, path);
  const stats = await stat(file).catch(() => undefined);
  if (!stats?.isFile()) return notFound();
  return stream(createReadStream(file), MEDIA_TYPES[extname(file)], {
    'Content-Length': stats.size,
  });
}
