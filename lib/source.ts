import { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import { WapixError } from './errors.js';

/**
 * Makes a Node Readable of whatever may be streamed: a Readable, a web `ReadableStream`, an async
 * iterable, an iterator (a generator's), or a stream of a time before `destroy`.
 *
 * @throws `WAPIX_INVALID_RESULT`
 */
export function toReadable(source: unknown): Readable {
  if (isReadable(source)) return source;
  // Chunks pass as they are: the response looks at them.
  if (isWebStream(source)) return Readable.fromWeb(source, { objectMode: true });
  if (isIterable(source)) return Readable.from(source);
  if (isOldStream(source)) return new Readable().wrap(source);
  throw new WapixError(
    'WAPIX_INVALID_RESULT',
    'stream() takes a Readable, a web ReadableStream or an async iterable, not ' +
      (source === null ? 'null' : `a value of type ${typeof source}`),
  );
}

function isReadable(value: unknown): value is Readable {
  const candidate = value as Partial<Readable> | null | undefined;
  return (
    typeof candidate?.on === 'function' &&
    typeof candidate.resume === 'function' &&
    typeof candidate.destroy === 'function'
  );
}

function isWebStream(value: unknown): value is ReadableStream {
  return value instanceof globalThis.ReadableStream;
}

function isIterable(value: unknown): value is AsyncIterable<unknown> | Iterable<unknown> {
  if (typeof value !== 'object' || value === null) return false;
  return Symbol.asyncIterator in value || Symbol.iterator in value;
}

function isOldStream(value: unknown): value is NodeJS.ReadableStream {
  const candidate = value as Partial<NodeJS.ReadableStream> | null | undefined;
  return typeof candidate?.on === 'function' && typeof candidate.pipe === 'function';
}
