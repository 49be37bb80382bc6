import { AsyncResource } from 'node:async_hooks';
import { Inbox } from './bridge/inbox.js';
import type { BindingServer } from './bridge/native.js';
import { Outbox } from './bridge/outbox.js';
import { parseContent } from './content.js';
import { WapixError } from './errors.js';
import type { Exchange, Route } from './exchange.js';
import type { Trust } from './proxy.js';
import { Request } from './request.js';
import { respond, respondError } from './respond.js';

/** After so many requests of a batch, it is looked whether answers should wait any longer. */
const LOOK_EVERY = 8;
/** How long an answer may wait for the rest of its batch, in milliseconds. */
const PATIENCE = 0.1;

/** Runs handlers: takes requests from Rust, and sends their results back. */
export class Dispatcher {
  readonly #inbox: Inbox;
  readonly #outbox: Outbox;
  readonly #trust: Trust;
  #sinceLook = 0;
  #lastFlush = 0;

  /** @param onClosed - the server has closed; no request comes any more */
  constructor(native: BindingServer, routes: readonly Route[], trust: Trust, onClosed: () => void) {
    this.#trust = trust;
    this.#outbox = new Outbox(native);
    this.#inbox = new Inbox(native, routes, {
      begin: () => {
        this.#outbox.hold();
        this.#sinceLook = 0;
        this.#lastFlush = performance.now();
      },
      request: (exchange) => this.#run(exchange),
      end: () => this.#outbox.release(),
      closed: onClosed,
    });
  }

  /** Rust has something. Never throws. */
  get onWork(): () => void {
    return this.#inbox.onWork;
  }

  #run(exchange: Exchange): void {
    try {
      const { content } = exchange;
      const request = new Request(exchange, this.#trust);
      if (content.length > 0) {
        exchange.body = parseContent(content, request.headers['content-type']);
      }
      // Each request in an asynchronous context of its own: what one handler enters
      // (`AsyncLocalStorage.enterWith`), the next in the batch must not see.
      const resource = new AsyncResource('WAPIX_REQUEST');
      const { handler } = exchange.route;
      const result: unknown = resource.runInAsyncScope(handler, undefined, request);
      if (isPromise(result)) {
        result.then(
          (value) => this.#answer(exchange, value),
          (error) => this.#fail(exchange, error),
        );
      } else {
        this.#answer(exchange, result);
      }
    } catch (error) {
      this.#fail(exchange, error);
    }
    if (++this.#sinceLook >= LOOK_EVERY) this.#look();
  }

  /** With slow handlers answers do not wait for the whole batch: the I/O thread sends them meanwhile. */
  #look(): void {
    this.#sinceLook = 0;
    const now = performance.now();
    if (now - this.#lastFlush < PATIENCE) return;
    this.#lastFlush = now;
    this.#outbox.flush();
  }

  #answer(exchange: Exchange, result: unknown): void {
    try {
      const over = respond(exchange, result, this.#outbox, report);
      if (over) this.#inbox.forget(exchange);
    } catch (error) {
      this.#fail(exchange, error);
    }
  }

  #fail(exchange: Exchange, error: unknown): void {
    this.#inbox.forget(exchange);
    respondError(exchange, error, this.#outbox);
    report(exchange, error);
  }
}

function isPromise(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | undefined)?.then === 'function';
}

/** Logs why a request was not answered as its handler meant. A client's mistake is no concern. */
function report(exchange: Exchange, error: unknown): void {
  if (error instanceof WapixError && error.status < 500) return;
  // What `req.signal` stopped, it was to stop: an ordinary disconnect is no error.
  if (exchange.cancelled && (error as Error | undefined)?.name === 'AbortError') return;
  console.error(`wapix: ${exchange.method} ${exchange.url} failed:`, error);
}
