import { Exchange, type Route } from '../exchange.js';
import { type BindingBridge, take } from '../native.js';
import { RepeatedHeaderFields } from '../request-headers.js';
import { nextTick, setImmediate } from '../timers.js';
import {
  BATCH_HEADER_WORDS,
  BODY,
  BODY_END,
  BODY_FAILED,
  CANCELLED,
  CLOSED,
  COMPLETED,
  CONSUMED,
  CONTENT_APART,
  CONTENT_ASCII,
  DRAINED,
  FILE_FAILED,
  NOT_KEPT,
  REQUEST,
  SUBSCRIBED,
  TAKEN_BATCH,
  TAKEN_NEEDS_ROOM,
} from './protocol.js';

/** What the inbox tells of. */
export interface Receiver {
  /** A batch is about to be read. */
  begin(): void;
  request(exchange: Exchange): void;
  /** The batch has been read. */
  end(): void;
  /** The exchange has ended: its response is complete, or never will be. */
  over(exchange: Exchange, complete: boolean): void;
  closed(): void;
}

/** How many words a record has that is no request. */
const RECORD_WORDS: Partial<Record<number, number>> = {
  [CANCELLED]: 3,
  [CONSUMED]: 4,
  [COMPLETED]: 3,
  [CLOSED]: 1,
  [FILE_FAILED]: 4,
  [DRAINED]: 3,
  [SUBSCRIBED]: 3,
  [BODY]: 3,
  [BODY_END]: 3,
  [BODY_FAILED]: 5,
};

const NO_PARAMETERS: string[] = [];

/** What of a batch has not been read. */
interface Batch {
  readonly text: string;
  textAt: number;
  contentAt: number;
  readonly apart: readonly Buffer[];
  apartAt: number;
}

/** Takes batches from Rust and makes exchanges of them. */
export class Inbox {
  /** Held: its number is its own as long as it lives. */
  readonly bridge: BindingBridge;
  readonly #number: number;
  readonly #routes: readonly Route[];
  readonly #receiver: Receiver;
  /** The exchanges that are not over, by slot. */
  readonly #live: (Exchange | undefined)[] = [];
  /** Header fields that come again, each at the place that Rust has given it. */
  readonly #kept: RepeatedHeaderFields[] = [];
  #words = new Uint32Array(8 * 1024);
  #bytes = Buffer.allocUnsafeSlow(256 * 1024);

  constructor(bridge: BindingBridge, routes: readonly Route[], receiver: Receiver) {
    this.bridge = bridge;
    this.#number = bridge.number;
    this.#routes = routes;
    this.#receiver = receiver;
  }

  /** Rust has something. */
  readonly onWork = (): void => {
    const apart = take(this.#number, this.#words, this.#bytes);
    const words = this.#words;
    const [taken, count = 0, size = 0, more] = words;
    if (taken === TAKEN_NEEDS_ROOM) {
      this.#words = new Uint32Array(Math.max(count, words.length));
      this.#bytes = Buffer.allocUnsafeSlow(Math.max(size, this.#bytes.length));
      this.onWork();
      return;
    }
    if (taken !== TAKEN_BATCH) return;
    this.#receiver.begin();
    this.#read(count + BATCH_HEADER_WORDS, size, apart ?? []);
    this.#receiver.end();
    // One batch a turn of the event loop: timers and sockets of the application run in between.
    if (more) setImmediate(this.onWork);
  };

  /** The exchange needs to hear no more of its request. */
  forget(exchange: Exchange): void {
    if (this.#live[exchange.slot] === exchange) this.#live[exchange.slot] = undefined;
    exchange.requestBody?.release();
  }

  #read(end: number, textLength: number, apart: Buffer[]): void {
    const words = this.#words;
    const text = this.#bytes.toString('latin1', 0, textLength);
    const batch: Batch = { text, textAt: 0, contentAt: textLength, apart, apartAt: 0 };
    let at = BATCH_HEADER_WORDS;
    while (at < end) {
      const kind = (words[at] as number) & 0xff;
      const record = at;
      at += kind === REQUEST ? 12 + 2 * (words[at + 11] as number) : (RECORD_WORDS[kind] ?? end);
      try {
        if (kind === REQUEST) this.#request(record, batch);
        else if (kind === CLOSED) this.#receiver.closed();
        else if (kind === BODY) this.#body(record, batch);
        else this.#event(kind, record);
      } catch (error) {
        // A throw through the addon would end the process without a trace of where it came from.
        nextTick(() => {
          throw error;
        });
      }
    }
  }

  #request(at: number, batch: Batch): void {
    const words = this.#words;
    const { text, textAt } = batch;
    const bits = words[at] as number;
    const slot = words[at + 1] as number;
    const path = textAt + (words[at + 4] as number);
    const ip = path + (words[at + 5] as number);
    const headers = ip + (words[at + 6] as number);
    const end = headers + (words[at + 7] as number);
    batch.textAt = end;

    // Parameters are ranges of the decoded path or, where that is no other, of the URL.
    const base = path === ip ? textAt : path;
    const count = words[at + 11] as number;
    // A list that grows has room for 17.
    const parameters = count === 0 ? NO_PARAMETERS : new Array<string>(count);
    for (let index = 0, range = at + 12; index < count; index++, range += 2) {
      const start = base + (words[range] as number);
      parameters[index] = text.slice(start, base + (words[range + 1] as number));
    }
    const exchange = new Exchange(
      slot,
      words[at + 2] as number,
      this.#routes[words[at + 3] as number] as Route,
      bits,
      text,
      textAt,
      path,
      ip,
      headers,
      end,
      words[at + 10] as number,
      parameters,
      this.#repeated(words[at + 8] as number, text, headers, end),
      this.#content(bits, words[at + 9] as number, batch),
    );
    this.#live[slot] = exchange;
    this.#receiver.request(exchange);
  }

  /** The header fields, where the client sends them again and again. */
  #repeated(
    place: number,
    text: string,
    start: number,
    end: number,
  ): RepeatedHeaderFields | undefined {
    if (place === NOT_KEPT) return undefined;
    if (start !== end) this.#kept[place] = new RepeatedHeaderFields(text.slice(start, end));
    return this.#kept[place];
  }

  #content(bits: number, length: number, batch: Batch): Buffer | string | undefined {
    if (bits & CONTENT_APART) return batch.apart[batch.apartAt++];
    if (bits & CONTENT_ASCII) {
      const { textAt } = batch;
      batch.textAt += length;
      return batch.text.slice(textAt, batch.textAt);
    }
    // Copied: the next batch is written over this one.
    const content = Buffer.allocUnsafe(length);
    this.#bytes.copy(content, 0, batch.contentAt, batch.contentAt + length);
    batch.contentAt += length;
    return content;
  }

  #body(at: number, batch: Batch): void {
    // Taken, whether anybody wants it or not: the next record's is behind it.
    const chunk = batch.apart[batch.apartAt++] as Buffer;
    this.#exchange(at)?.requestBody?.chunk(chunk);
  }

  /** The exchange that a record is about, where it is not over. */
  #exchange(at: number): Exchange | undefined {
    const exchange = this.#live[this.#words[at + 1] as number];
    return exchange?.serial === this.#words[at + 2] ? exchange : undefined;
  }

  #event(kind: number, at: number): void {
    const exchange = this.#exchange(at);
    if (exchange === undefined) return;
    const { slot } = exchange;
    if (kind === BODY_END) {
      exchange.requestBody?.end();
      return;
    }
    if (kind === BODY_FAILED) {
      const [status = 0, limit = 0] = this.#words.subarray(at + 3, at + 5);
      exchange.failBody(status, limit);
      return;
    }
    if (kind === CONSUMED) {
      exchange.stream?.consumed(this.#words[at + 3] as number);
      return;
    }
    if (kind === DRAINED) {
      exchange.stream?.drained();
      return;
    }
    if (kind === SUBSCRIBED) {
      exchange.subscribed();
      return;
    }
    this.#live[slot] = undefined;
    if (kind === CANCELLED) exchange.cancel();
    else exchange.requestBody?.release();
    if (kind === COMPLETED) exchange.complete();
    else if (kind === FILE_FAILED) exchange.stream?.fileFailed(this.#words[at + 3] as number);
    this.#receiver.over(exchange, kind === COMPLETED);
  }
}
