import type { AsyncResource } from 'node:async_hooks';
import type { IncomingMessage } from 'node:http';
import type { Key, Outbox } from './bridge/outbox.js';
import { currentContext } from './context.js';
import { WapixError } from './errors.js';
import { nextTick } from './timers.js';

/** How many chunks are asked for before the first has come: Rust reads one while the handler has the other. */
const AHEAD = 2;

/** The body of a request whose route takes it as it comes: read from the client as it is read here. */
export class RequestBody {
  readonly #key: Key;
  readonly #outbox: Outbox;
  #message: IncomingMessage | undefined;
  /** The asynchronous context of who asked for the body: what it is piped into may look for a store. */
  #context: AsyncResource | undefined;
  /** Chunks that were asked for and have not come. */
  #asked = 0;
  /** Nothing more comes. */
  #over = false;
  /** Of a body that did not come to its end: why, where anybody is to hear. */
  #failure: Error | undefined;

  constructor(key: Key, outbox: Outbox) {
    this.#key = key;
    this.#outbox = outbox;
  }

  /** Has `message` produce the body. */
  feed(message: IncomingMessage): void {
    message.complete = false;
    message._read = () => this.#ask();
    message._destroy = (error, callback) => {
      this.#over = true;
      if (!message.complete) {
        message.aborted = true;
        message.emit('aborted');
      }
      // As Node does: who does not listen is not ended by a client that leaves.
      callback(message.listenerCount('error') > 0 ? error : null);
    };
    this.#message = message;
    this.#context = currentContext();
    // Whoever reads it now would wait for ever; and has no listener before this returns.
    if (this.#over) nextTick(() => message.destroy(this.#failure));
  }

  #ask(): void {
    if (this.#over) return;
    while (this.#asked < AHEAD) {
      this.#asked += 1;
      this.#outbox.read(this.#key);
    }
  }

  /** The next chunk has come. */
  chunk(bytes: Buffer): void {
    this.#asked -= 1;
    if (!this.#over && this.#push(bytes)) this.#ask();
  }

  /** The body has ended. */
  end(): void {
    const message = this.#message;
    if (this.#over || message === undefined) return;
    this.#over = true;
    message.complete = true;
    this.#push(null);
  }

  #push(chunk: Buffer | null): boolean {
    const message = this.#message;
    return this.#context?.runInAsyncScope(() => message?.push(chunk)) ?? false;
  }

  /** The body could not be read to its end: `status` says why, `limit` is the one that it exceeds. */
  fail(status: number, limit: number): void {
    this.#destroy(failure(status, limit));
  }

  /** The client has left. */
  cancel(): void {
    this.#destroy(failure(0, 0));
  }

  /** The response is complete: what was not read goes nowhere. */
  release(): void {
    this.#destroy(undefined);
  }

  #destroy(error: Error | undefined): void {
    if (this.#over) return;
    this.#over = true;
    this.#failure = error;
    this.#context?.runInAsyncScope(() => this.#message?.destroy(error));
  }
}

function failure(status: number, limit: number): WapixError {
  if (status === 413) {
    const message = `the body is larger than the limit of ${limit} bytes`;
    return new WapixError('WAPIX_BODY_TOO_LARGE', message);
  }
  if (status === 408) {
    return new WapixError('WAPIX_BODY_TIMEOUT', 'nothing of the body came for too long');
  }
  return new WapixError(
    'WAPIX_BODY_INCOMPLETE',
    'the body ended before its end: the client has left, or what it sent is malformed',
  );
}
