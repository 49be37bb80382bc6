import type { AsyncResource } from 'node:async_hooks';
import type { ReadStream } from 'node:fs';
import type { Readable } from 'node:stream';
import { isUint8Array } from 'node:util/types';
import type { Key, Outbox } from './bridge/outbox.js';
import { WRITTEN_NOT, WRITTEN_PARTLY } from './bridge/protocol.js';
import { type FileRange, isUntouched, rangeOf } from './file.js';
import { Gathered } from './gathered.js';
import { invalidChunk, lengthMismatch, prematureClose, readFailed } from './incomplete.js';
import { nextTick, setImmediate, setTimeout } from './timers.js';

/** How many bytes may be on their way to the client, at first and at most: as `src/config.rs` has it. */
const FIRST_WINDOW = 64 * 1024;
const WINDOW = 256 * 1024;
/**
 * How much more a source may produce before it is paused, in bytes, and for how long, in milliseconds. Rust
 * may be about to take it all; and a source that makes batches may drop the rest of one once `push` says
 * to wait. Node's own response, which writes at once, says so as late.
 */
const OVERRUN = 512 * 1024;
const OVERRUN_TIME = 10;
/**
 * How much more all sources together may produce, in bytes: beyond it each is paused at once. A client that asks for
 * many streams, and takes nothing, is not to have more memory for each than there has to be.
 */
const OVERRUN_OF_ALL = 64 * 1024 * 1024;
/** How much more than there was room for they have produced. */
let overrunOfAll = 0;
/** A chunk of this size, in bytes, is worth a system call of its own. */
const DIRECT_FROM = 32 * 1024;
/** How many bytes are written in one turn of the event loop: others want theirs. */
const TURN = 1024 * 1024;
/** What a chunk takes of a turn at least, in bytes: a source of short lines computes more than it sends. */
const LEAST_OF_TURN = 64;
/**
 * A turn's first large chunk is written as it is; those behind it are gathered, by one stream at a
 * time: each system call may wake the client, which costs more than the copy.
 */
const gathered = new Gathered<ResponseStream>(TURN);

/**
 * Forwards a Readable to a streamed response: reads only as the client takes data, destroys the
 * source when the client leaves, and never lets an incomplete response look complete.
 */
export class ResponseStream {
  readonly #key: Key;
  readonly #readable: Readable;
  readonly #context: AsyncResource;
  readonly #outbox: Outbox;
  readonly #declared: number | undefined;
  /** Whether large chunks may be written to the socket by this thread. */
  readonly #isDirect: boolean;
  readonly #encode: ((value: unknown) => string) | undefined;
  readonly #report: (error: unknown) => void;
  #window = FIRST_WINDOW;
  #room = FIRST_WINDOW;
  /** This one's share of `overrunOfAll`. */
  #overrun = 0;
  /** Bytes produced, where a Content-Length is to be kept. */
  #produced = 0;
  /** Bytes given to the outbox. */
  #sent = 0;
  /** The socket has no room: `drained` tells when it has. */
  #blocked = false;
  /** How many bytes may still be written before others have their turn of the event loop. */
  #turn = TURN;
  /** The source, where Rust reads it. */
  #file: ReadStream | undefined;
  /** There is no room, and the source is about to be paused. */
  #pausesSoon = false;
  /** The source was paused here, for one of these. */
  #paused = false;
  /** The response has ended, one way or the other: what the source does now changes nothing. */
  #over = false;

  /**
   * @param context - what the source is read and destroyed in: who made it may look for a store of an
   *   `AsyncLocalStorage`, and what Rust tells of comes in nobody's
   * @param framing - the response's Content-Length, whether its chunks may go past the I/O thread, and
   *   what makes chunks of what the source produces, where it produces something else
   * @param report - told once why the response is incomplete; not of a client that left
   */
  constructor(
    key: Key,
    readable: Readable,
    context: AsyncResource,
    outbox: Outbox,
    framing: {
      declared: number | undefined;
      isDirect: boolean;
      encode: ((value: unknown) => string) | undefined;
    },
    report: (error: unknown) => void,
  ) {
    this.#key = key;
    this.#readable = readable;
    this.#context = context;
    this.#outbox = outbox;
    this.#declared = framing.declared;
    this.#isDirect = framing.isDirect;
    this.#encode = framing.encode;
    this.#report = report;
  }

  /** Starts to forward. The head of the response has been sent to the outbox. */
  start(): void {
    const readable = this.#readable;
    // First, and for good: an error, however early or late, must not end the process.
    readable.on('error', this.#onError);
    if (readable.readableEnded) {
      this.#onEnd();
      return;
    }
    // Without `autoDestroy` one that has failed is not destroyed, and says nothing more.
    if (readable.destroyed || readable.errored) {
      this.#fail(readable.errored ?? prematureClose());
      return;
    }
    readable.once('close', this.#onClose);
    const range = this.#encode === undefined ? rangeOf(readable) : undefined;
    if (range === undefined) this.#forward();
    else if (range.readable.pending) readable.once('open', () => this.#sendFile(range));
    else this.#sendFile(range);
  }

  /** Forwards what the source produces. */
  #forward(): void {
    const readable = this.#readable;
    readable.once('end', this.#onEnd);
    // To listen is to resume it, where nobody has paused it.
    this.#context.runInAsyncScope(() => readable.on('data', this.#onData));
    this.#flow();
  }

  /** Has a file read by Rust: what it holds need not pass through JavaScript. */
  #sendFile({ readable, position, length }: FileRange): void {
    if (this.#over) return;
    // One byte more than was declared tells that the file is too long.
    const limit = Math.min(length, (this.#declared ?? Number.POSITIVE_INFINITY) + 1);
    const { fd } = readable as ReadStream & { fd: number };
    if (isUntouched(readable) && this.#outbox.file(this.#key, fd, position, limit)) {
      this.#file = readable;
    } else {
      this.#forward();
    }
  }

  /** The client took `bytes` more. */
  consumed(bytes: number): void {
    if (this.#file !== undefined) {
      this.#file.bytesRead += bytes;
      return;
    }
    this.#room += bytes;
    // Doubled on both sides of the bridge with each report, so that both know it.
    if (this.#window < WINDOW) {
      this.#room += this.#window;
      this.#window *= 2;
    }
    this.#countOverrun();
    this.#resume();
  }

  /** The socket has taken what it had no room for. */
  drained(): void {
    this.#blocked = false;
    this.#resume();
  }

  #countOverrun(): void {
    const overrun = Math.max(-this.#room, 0);
    overrunOfAll += overrun - this.#overrun;
    this.#overrun = overrun;
  }

  /** Rust has nothing of the response any more. */
  #release(): void {
    this.#room = Number.POSITIVE_INFINITY;
    this.#countOverrun();
  }

  #pauseWhereFull(): void {
    const most = overrunOfAll < OVERRUN_OF_ALL ? OVERRUN : 0;
    if (this.#blocked || this.#turn <= 0 || this.#room <= -most) this.#pause();
    else if (this.#room <= 0 && !this.#pausesSoon) {
      this.#pausesSoon = true;
      setTimeout(() => {
        this.#pausesSoon = false;
        if (this.#room <= 0 && !this.#over) this.#pause();
      }, OVERRUN_TIME);
    }
  }

  #pause(): void {
    this.#paused = true;
    this.#readable.pause();
  }

  #resume(): void {
    if (!this.#paused || this.#over) return;
    if (this.#room <= 0 || this.#blocked || this.#turn <= 0) return;
    this.#paused = false;
    this.#flow();
  }

  #flow(): void {
    this.#context.runInAsyncScope(this.#readable.resume, this.#readable);
  }

  /** The response is complete. Its source may not know: it has not ended. */
  completed(): void {
    this.#release();
    if (this.#over) return;
    if (this.#file === undefined) {
      this.cancel();
      return;
    }
    this.#stop();
    if (!isUntouched(this.#file)) return;
    this.#file.push(null);
    this.#flow();
  }

  /** The file could not be read or, where `errno` is 0, is not as long as declared. */
  fileFailed(errno: number): void {
    const file = this.#file;
    if (file === undefined) return;
    if (errno !== 0) {
      file.destroy(readFailed(errno, file.path));
      return;
    }
    const declared = this.#declared ?? 0;
    const actual = file.bytesRead > declared ? `at least ${file.bytesRead}` : `${file.bytesRead}`;
    this.#fail(lengthMismatch(declared, actual));
  }

  /** The client left: nobody wants what is still to come. */
  cancel(): void {
    this.#release();
    if (!this.#over) this.#stop();
    discard(this.#readable, this.#context);
  }

  readonly #onData = (value: unknown): void => {
    let chunk = value;
    try {
      if (this.#encode !== undefined) chunk = this.#encode(value);
    } catch (error) {
      this.#fail(error);
      return;
    }
    if (typeof chunk !== 'string' && !isUint8Array(chunk)) {
      this.#fail(invalidChunk(chunk));
      return;
    }
    if (chunk.length === 0) return;
    if (this.#declared !== undefined) {
      const total = this.#produced + Buffer.byteLength(chunk);
      if (total > this.#declared) {
        this.#fail(lengthMismatch(this.#declared, `at least ${total}`));
        return;
      }
      this.#produced = total;
    }
    if (!(this.#isDirect && typeof chunk !== 'string' && this.#writeDirectly(chunk))) {
      this.#flushGathered();
      this.#send(chunk);
    }
    this.#pauseWhereFull();
  };

  /** Has the I/O thread write a chunk. */
  #send(chunk: string | Uint8Array): void {
    const length = this.#outbox.chunk(this.#key, chunk);
    this.#sent += length;
    this.#room -= length;
    this.#countOverrun();
    this.#takeTurn(LEAST_OF_TURN);
  }

  /** Writes a large chunk to the socket, where it has the turn, or gathers it behind one that was. */
  #writeDirectly(chunk: Uint8Array): boolean {
    if (chunk.length < DIRECT_FROM || chunk.buffer instanceof SharedArrayBuffer) return false;
    // Rust keeps the last byte back until the source has ended: there may be too many.
    if (this.#produced === this.#declared) return false;
    if (gathered.owner === this && gathered.add(chunk)) {
      this.#takeTurn(chunk.length);
      return true;
    }
    this.#flushGathered();
    const written = this.#outbox.write(this.#key, chunk, this.#sent);
    if (written === WRITTEN_NOT) return false;
    if (written === WRITTEN_PARTLY) this.#blocked = true;
    else {
      if (gathered.owner !== undefined) gathered.owner.#flushGathered();
      gathered.owner = this;
      nextTick(() => this.#flushGathered());
    }
    this.#takeTurn(chunk.length);
    return true;
  }

  #takeTurn(bytes: number): void {
    const left = this.#turn;
    this.#turn -= bytes;
    // At half of it: a burst must not be cut in two because of what was sent in earlier turns.
    if (left <= TURN / 2 || this.#turn > TURN / 2) return;
    setImmediate(() => {
      this.#turn = TURN;
      this.#resume();
    });
  }

  /** Writes what was gathered. */
  #flushGathered(): void {
    if (gathered.owner !== this) return;
    const chunk = gathered.take();
    if (chunk === undefined) return;
    const written = this.#outbox.write(this.#key, chunk, this.#sent);
    if (written === WRITTEN_NOT) this.#send(chunk);
    else this.#blocked = written === WRITTEN_PARTLY;
    this.#pauseWhereFull();
  }

  readonly #onEnd = (): void => {
    if (this.#declared !== undefined && this.#produced < this.#declared) {
      this.#fail(lengthMismatch(this.#declared, String(this.#produced)));
    } else {
      this.#end();
    }
  };

  readonly #onClose = (): void => {
    this.#fail(this.#readable.errored ?? prematureClose());
  };

  readonly #onError = (error: unknown): void => {
    this.#fail(error);
  };

  #end(): void {
    this.#flushGathered();
    this.#stop();
    this.#outbox.end(this.#key);
  }

  #fail(error: unknown): void {
    if (this.#over) return;
    this.#flushGathered();
    this.#stop();
    this.#release();
    this.#outbox.fail(this.#key);
    this.#report(error);
    discard(this.#readable, this.#context);
  }

  #stop(): void {
    this.#over = true;
    if (gathered.owner === this) gathered.take();
    this.#readable.off('data', this.#onData);
    this.#readable.off('end', this.#onEnd);
    this.#readable.off('close', this.#onClose);
  }
}

/** Destroys a stream nobody will read; what it says to that is no concern of anyone's. */
export function discard(readable: Readable, context: AsyncResource): void {
  readable.on('error', ignore);
  context.runInAsyncScope(readable.destroy, readable);
}

function ignore(): void {}
