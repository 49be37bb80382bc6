import { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import { WapixError } from './errors.js';
import { invalidChunk } from './incomplete.js';

/**
 * Makes a Node Readable of whatever may be streamed: a Readable, a web `ReadableStream`, an async
 * iterable, an iterator (a generator's), or a stream of a time before `destroy`.
 *
 * @throws `WAPIX_INVALID_RESULT`
 */
export function toReadable(source: unknown): Readable {
  if (isReadable(source)) return source;
  if (isWebStream(source)) return fromWeb(source);
  if (isIterable(source)) return Readable.from(source);
  if (isOldStream(source)) return new Readable().wrap(source);
  throw new WapixError(
    'WAPIX_INVALID_RESULT',
    'stream() takes a Readable, a web ReadableStream or an async iterable, not ' +
      (source === null ? 'null' : `a value of type ${typeof source}`),
  );
}

/** Whether `value` is nothing but a source: an async iterable may have data of its own, as a page of results. */
export function isSource(value: object): boolean {
  if (isReadable(value) || isOldStream(value)) return true;
  return Symbol.asyncIterator in value && Object.keys(value).length === 0;
}

/**
 * From now on an error of `source` is its response's. It may come before that is made, where a handler is
 * asynchronous, and must not end the process.
 */
export function adopt(source: unknown): void {
  if (isReadable(source)) source.on('error', () => {});
}

/**
 * Chunks pass as they are: the response looks at them. All but `null`, which `Readable.fromWeb` takes
 * for the end: what is behind it would be lost, and the response look complete.
 */
function fromWeb(source: ReadableStream): Readable {
  const reader = source.getReader();
  const readable = new Readable({
    objectMode: true,
    // What waits is with the source, in its own queue.
    highWaterMark: 1,
    read() {
      reader.read().then(
        ({ done, value }) => {
          if (!done && value === null) readable.destroy(invalidChunk(value));
          else readable.push(done ? null : value);
        },
        (error) => readable.destroy(error),
      );
    },
    destroy(error, callback) {
      // A source may take for ever to let go: who waits for the response is told at once.
      reader.cancel(error).catch(() => {});
      callback(error);
    },
  });
  // Heard of at once, whether it is read from or not.
  reader.closed.catch((error) => readable.destroy(error));
  return readable;
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
  const candidate = value as Partial<NodeJS.ReadWriteStream> | null | undefined;
  if (typeof candidate?.on !== 'function' || typeof candidate.pipe !== 'function') return false;
  // A Writable has `pipe`, too, but would never produce anything.
  return typeof candidate.write !== 'function' || candidate.readable === true;
}
