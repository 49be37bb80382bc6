/** Why a streamed response is incomplete, where its source does not say so itself. */
import { getSystemErrorName } from 'node:util';
import { WapixError } from './errors.js';

/** What a stream fails with that produces what cannot be sent. */
export function invalidChunk(chunk: unknown): WapixError {
  return new WapixError(
    'WAPIX_INVALID_CHUNK',
    `the stream produced ${describe(chunk)}; a chunk is a string, a Buffer or a Uint8Array`,
  );
}

export function prematureClose(): WapixError {
  return new WapixError(
    'WAPIX_STREAM_PREMATURE_CLOSE',
    'the stream was destroyed before its end; end it with push(null), or destroy it with an error',
  );
}

/** As Node would tell it. */
export function readFailed(errno: number, path: string | Buffer | undefined): Error {
  const code = getSystemErrorName(-errno);
  const error = new Error(`${code}: the file could not be read, read`);
  return Object.assign(error, { errno: -errno, code, syscall: 'read', path });
}

export function lengthMismatch(declared: number, actual: string): WapixError {
  return new WapixError(
    'WAPIX_CONTENT_LENGTH_MISMATCH',
    `Content-Length is ${declared}, but the stream has ${actual} bytes`,
  );
}

function describe(chunk: unknown): string {
  if (chunk === null || chunk === undefined) return String(chunk);
  return typeof chunk === 'object' ? `an object (${chunk.constructor?.name})` : `a ${typeof chunk}`;
}
