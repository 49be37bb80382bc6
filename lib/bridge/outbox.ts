// Node's global is an accessor, called each time.
import { Buffer } from 'node:buffer';
import type { Subscribing } from '../channel.js';
import { answer, answerWithFile, type BindingBridge, write } from '../native.js';
import { nextTick } from '../timers.js';
import {
  AWAITS_CONTENT,
  CHUNK,
  CONTENT_BUFFER,
  CONTENT_BYTES,
  CONTENT_TEXT,
  END,
  FAIL,
  FOLLOWED,
  HEARTBEAT,
  MEDIA_JSON,
  READ,
  RESPOND,
  STREAM,
  SUBSCRIBE,
  TOPICS,
} from './protocol.js';

/** Text and bytes up to this size are gathered; larger content is handed over as it is. */
const GATHER_BYTES = 16 * 1024;
/** Longer text is written where bytes are: one copy fewer. Shorter text costs less than the call. */
const LONG_TEXT = 1024;
/** How many bytes of UTF-8 a code unit is, at most. */
const WIDEST = 3;
/** Gathered text of so many code units has a buffer; more than that only large header fields make. */
const TEXT_ROOM = 48 * 1024;
const BYTES_ROOM = 128 * 1024;
const WORDS_ROOM = 4096;
const LONGEST_RECORD = 6;

/** The request that a record is about. */
export interface Key {
  readonly slot: number;
  readonly serial: number;
}

export type Content = string | Uint8Array | undefined;

/**
 * Gathers answers and stream chunks, and hands them to Rust in one call: when the batch of requests
 * has been run, or when the microtask queue has drained.
 */
export class Outbox {
  /** Held: its number is its own as long as it lives. */
  readonly bridge: BindingBridge;
  readonly #number: number;
  readonly #words = new Uint32Array(WORDS_ROOM);
  readonly #textBuffer = Buffer.allocUnsafeSlow(WIDEST * TEXT_ROOM);
  readonly #bytes = Buffer.allocUnsafeSlow(BYTES_ROOM);
  #count = 0;
  #text = '';
  #byteLength = 0;
  #buffers: Uint8Array[] = [];
  /** Something was handed over and not sent. */
  #waiting = false;
  #held = false;
  #scheduled = false;
  readonly #flushScheduled = () => {
    this.#scheduled = false;
    this.flush();
  };

  constructor(bridge: BindingBridge) {
    this.bridge = bridge;
    this.#number = bridge.number;
  }

  /** While held, records wait for `release`: more are about to come. */
  hold(): void {
    this.#held = true;
  }

  release(): void {
    this.#held = false;
    this.flush();
  }

  /** A whole response. `headers` are lines as `writeHeaders` makes them. */
  respond(key: Key, status: number, media: number, headers: string, content: Content): void {
    this.#begin(RESPOND | (media << 8), key);
    const headersLength = this.#putText(headers);
    const first = this.#count - 3;
    this.#words[this.#count++] = status;
    this.#words[this.#count++] = headersLength;
    this.#putContent(first, content, media === MEDIA_JSON);
  }

  /** The head of a streamed response. */
  stream(key: Key, status: number, media: number, headers: string, awaitsContent = false): void {
    this.#begin(STREAM | (media << 8) | (awaitsContent ? AWAITS_CONTENT : 0), key);
    const headersLength = this.#putText(headers);
    this.#words[this.#count++] = status;
    this.#words[this.#count++] = headersLength;
    this.#schedule();
  }

  /** Has comments sent where chunks, each of whole events, are `milliseconds` apart. */
  heartbeat(key: Key, milliseconds: number): void {
    this.#begin(HEARTBEAT, key);
    this.#words[this.#count++] = milliseconds;
  }

  /** Has a channel send its events as the rest of a streamed response. */
  subscribe(key: Key, { number, lastEventId, topics, presence }: Subscribing): void {
    const followed = presence === undefined ? 0 : FOLLOWED;
    this.#begin(SUBSCRIBE | followed | (topics === undefined ? 0 : TOPICS), key);
    this.#words[this.#count++] = number;
    this.#words[this.#count++] = this.#putText(lastEventId);
    this.#words[this.#count++] = this.#putText(topics ?? '');
    this.#schedule();
  }

  /** A chunk of a streamed response; returns its length in bytes. */
  chunk(key: Key, content: string | Uint8Array): number {
    this.#begin(CHUNK, key);
    const length = this.#putContent(this.#count - 3, content);
    const isText = typeof content === 'string' && content.length <= LONG_TEXT;
    return isText ? Buffer.byteLength(content) : length;
  }

  /**
   * Writes a chunk to the socket itself, where nothing of its response waits: `sent` is how many bytes
   * of it were given to `chunk`.
   *
   * @returns WRITTEN_NOT where it has to be given to `chunk`, WRITTEN_PARTLY where the rest of it waits in Rust
   */
  write(key: Key, chunk: Uint8Array, sent: number): number {
    return write(this.#number, key.slot, key.serial, chunk, sent);
  }

  /**
   * The rest of a streamed response: `length` bytes of an open file. What becomes of it Rust tells.
   *
   * @returns false where it is not a regular file, and nothing was sent
   */
  file(key: Key, fd: number, position: number, length: number): boolean {
    // Handed over at once, behind what was gathered: the descriptor may be closed any time.
    this.#handOver(false);
    const { slot, serial } = key;
    if (!answerWithFile(this.#number, slot, serial, fd, position, length)) return false;
    this.#waiting = true;
    this.#schedule();
    return true;
  }

  /** Asks for the next chunk of a request's body. */
  read(key: Key): void {
    this.#begin(READ, key);
    this.#schedule();
  }

  /** A streamed response is complete. */
  end(key: Key): void {
    this.#begin(END, key);
    this.#schedule();
  }

  /** A streamed response ends incomplete. */
  fail(key: Key): void {
    this.#begin(FAIL, key);
    this.#schedule();
  }

  /** Hands over what was gathered, and has it sent. */
  flush(): void {
    if (this.#count > 0 || this.#waiting) this.#handOver(true);
  }

  #handOver(deliver: boolean): void {
    let text = this.#textBuffer;
    let textLength = 0;
    if (this.#text.length > TEXT_ROOM) {
      text = Buffer.from(this.#text);
      textLength = text.length;
    } else if (this.#text !== '') {
      textLength = text.write(this.#text, 0, 'utf8');
    }
    answer(
      this.#number,
      this.#words,
      this.#count,
      text,
      textLength,
      this.#bytes,
      this.#byteLength,
      deliver,
      this.#buffers.length > 0 ? this.#buffers : undefined,
    );
    this.#waiting = !deliver;
    this.#count = 0;
    this.#text = '';
    this.#byteLength = 0;
    if (this.#buffers.length > 0) this.#buffers = [];
  }

  #begin(first: number, key: Key): void {
    const isFull =
      this.#count + LONGEST_RECORD > WORDS_ROOM ||
      this.#text.length > TEXT_ROOM / 2 ||
      this.#byteLength > BYTES_ROOM - WIDEST * GATHER_BYTES;
    if (isFull) this.#handOver(false);
    this.#words[this.#count++] = first;
    this.#words[this.#count++] = key.slot;
    this.#words[this.#count++] = key.serial;
  }

  /** Returns its length in code units: Rust sees how many bytes they are, where they are not as many. */
  #putText(text: string): number {
    if (text !== '') this.#text += text;
    return text.length;
  }

  /**
   * Ends the record that begins at `first` with its content's length, and returns it: of short text in code units.
   * JSON, which `JSON.stringify` makes in pieces, is not put together to look at its end.
   */
  #putContent(first: number, content: Content, isJson = false): number {
    let source = 0;
    let length = 0;
    if (typeof content === 'string' && content.length > LONG_TEXT) {
      if (content.length > GATHER_BYTES) return this.#putContent(first, Buffer.from(content));
      source = CONTENT_BYTES;
      length = this.#bytes.write(content, this.#byteLength);
      this.#byteLength += length;
    } else if (typeof content === 'string') {
      if (!isJson && endsWithinPair(content)) return this.#putContent(first, Buffer.from(content));
      source = CONTENT_TEXT;
      length = this.#putText(content);
    } else if (content !== undefined && content.length > 0) {
      length = content.length;
      if (length <= GATHER_BYTES) {
        source = CONTENT_BYTES;
        this.#bytes.set(content, this.#byteLength);
        this.#byteLength += length;
      } else {
        source = CONTENT_BUFFER;
        // Rust copies it, and must not while another thread writes.
        const isShared = content.buffer instanceof SharedArrayBuffer;
        this.#buffers.push(isShared ? Buffer.from(content) : content);
      }
    }
    this.#words[first] = (this.#words[first] as number) | source;
    this.#words[this.#count++] = length;
    // Copied at once: its owner may reuse the memory as soon as this returns.
    if (source === CONTENT_BUFFER) this.#handOver(false);
    this.#schedule();
    return length;
  }

  #schedule(): void {
    if (this.#held || this.#scheduled) return;
    this.#scheduled = true;
    nextTick(this.#flushScheduled);
  }
}

/** Whether the next text could complete a surrogate pair, which no length divides. */
function endsWithinPair(text: string): boolean {
  return (text.charCodeAt(text.length - 1) & 0xfc00) === 0xd800;
}
