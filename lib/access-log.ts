import type { Exchange } from './exchange.js';

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
      url: exchange.url.replace(/[^ -~]/g, escapeByte),
      status: exchange.status ?? null,
      duration: Math.round((performance.now() - begun) * 1000) / 1000,
      ip: exchange.request?.ip ?? '',
      complete,
    });
  }
}

/** A URL crosses as bytes, each a character: what a terminal would take for a command must not get there. */
function escapeByte(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`;
}
