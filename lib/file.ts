import { ReadStream } from 'node:fs';
import type { Readable } from 'node:stream';

/** The object that an application may have patched. */
const fs = process.getBuiltinModule('node:fs');
const { open, read } = fs;

/** What a subclass or a patch would have of its own. */
const METHODS = ['_read', '_construct', '_destroy', 'read', 'push', 'emit'];

/** A range of a file that Rust can read by itself. */
export interface FileRange {
  readonly readable: ReadStream;
  readonly position: number;
  /** In bytes; `Infinity` up to the file's end. */
  readonly length: number;
}

/**
 * What a stream would read, where it is one of `fs.createReadStream(path)` that nobody has read from
 * or listens to: then nobody notices who reads.
 */
export function rangeOf(readable: Readable): FileRange | undefined {
  if (Object.getPrototypeOf(readable) !== ReadStream.prototype) return undefined;
  const file = readable as ReadStream & { fd: number | null; start?: number; end: number };
  if (!isUntouched(file) || !isOfNode(file)) return undefined;
  const { start = 0, end } = file;
  return { readable: file, position: start, length: end - start + 1 };
}

/** Whether nobody takes, or has taken, what the stream reads. */
export function isUntouched(readable: ReadStream): boolean {
  return (
    !readable.destroyed &&
    !readable.readableDidRead &&
    readable.readableFlowing === null &&
    readable.readableEncoding === null &&
    readable.listenerCount('data') === 0
  );
}

/** Opened by Node itself: no descriptor, handle or `fs` of the application's. */
function isOfNode(file: ReadStream & { fd: number | null }): boolean {
  if (file.path === undefined || fs.open !== open || fs.read !== read) return false;
  if (METHODS.some((method) => Object.hasOwn(file, method))) return false;
  const [symbol] = Object.getOwnPropertySymbols(file).filter(
    ({ description }) => description === 'kFs',
  );
  return symbol !== undefined && Reflect.get(file, symbol) === fs;
}
