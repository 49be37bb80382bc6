import type { Exchange } from './exchange.js';
import { printable } from './printable.js';

/** One request, once it is over. */
export interface LogEntry {
  readonly method: string;
  /** As the client sent it; bytes beyond ASCII are percent-encoded. */
  readonly url: string;
  /** `null` where the client left before there was an answer. */
  readonly status: number | null;
  /** Milliseconds since the request, with its body, came to JavaScript. */
  readonly duration: number;
  readonly ip: string;
  /** `false` where the client left, or a stream failed, before the response was complete. */
  readonly complete: boolean;
}

/** Follows requests to their end, and tells of each once. */
export class AccessLog {
  readonly #write: (entry: LogEntry) => void;
  readonly #begun = new WeakMap<Exchange, number>();

  constructor(write: (entry: LogEntry) => void) {
    this.#write = write;
  }

  begin(exchange: Exchange): void {
    this.#begun.set(exchange, performance.now());
  }

  /** The exchange is over; a second time goes unheard. */
  end(exchange: Exchange, complete: boolean): void {
    const begun = this.#begun.get(exchange);
    if (begun === undefined) return;
    this.#begun.delete(exchange);
    this.#write({
      method: exchange.method,
      url: printable(exchange.url),
      status: exchange.status ?? null,
      duration: Math.round((performance.now() - begun) * 1000) / 1000,
      ip: exchange.request?.ip ?? '',
      complete,
    });
  }
}
