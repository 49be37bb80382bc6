import { AsyncResource } from 'node:async_hooks';
import { Inbox } from './bridge/inbox.js';
import { Outbox } from './bridge/outbox.js';
import { parseContent } from './content.js';
import { NOBODYS } from './context.js';
import { WapixError } from './errors.js';
import type { Exchange, Route } from './exchange.js';
import { logFailure } from './failure-log.js';
import type { Hooks } from './hooks.js';
import type { BindingBridge } from './native.js';
import { isPromise } from './promise.js';
import type { Trust } from './proxy.js';
import { Request } from './request.js';
import { RequestBody } from './request-body.js';
import { letGo, type Responder, respond, respondError } from './respond.js';
import { hrtime } from './timers.js';

/** After so many requests of a batch, it is looked whether answers should wait any longer. */
const LOOK_EVERY = 8;
/** How long an answer may wait for the rest of its batch, in nanoseconds. */
const PATIENCE = 100_000n;
/** What has triggered a request: Node would look for it in an object of options, and in its state. */
const SERVER_ID = NOBODYS.asyncId();

/** Runs handlers: takes requests from Rust, and sends their results back. */
export class Dispatcher {
  readonly #inbox: Inbox;
  readonly #outbox: Outbox;
  readonly #trust: Trust;
  readonly #hooks: Hooks;
  readonly #responder: Responder;
  #sinceLook = 0;
  #lastFlush = 0n;

  /** @param onClosed - the server has closed; no request comes any more */
  constructor(
    native: BindingBridge,
    routes: readonly Route[],
    trust: Trust,
    hooks: Hooks,
    onClosed: () => void,
  ) {
    this.#trust = trust;
    this.#hooks = hooks;
    this.#outbox = new Outbox(native);
    this.#responder = {
      outbox: this.#outbox,
      addFields: hooks.addFields,
      isFollowed: hooks.log !== undefined,
      failed: (exchange, error) => {
        if (isReported(exchange, error)) this.#tell(exchange, error);
        exchange.break();
        this.#inbox.forget(exchange);
        hooks.log?.end(exchange, false);
      },
    };
    this.#inbox = new Inbox(native, routes, {
      begin: () => {
        this.#outbox.hold();
        this.#sinceLook = 0;
        this.#lastFlush = hrtime.bigint();
      },
      request: (exchange) => this.#run(exchange),
      end: () => this.#outbox.release(),
      over: (exchange, complete) => hooks.log?.end(exchange, complete),
      closed: onClosed,
    });
  }

  /** Rust has something. Never throws. */
  get onWork(): () => void {
    return this.#inbox.onWork;
  }

  #run(exchange: Exchange): void {
    this.#hooks.log?.begin(exchange);
    try {
      const { received, route } = exchange;
      const request = new Request(exchange, this.#trust);
      exchange.request = request;
      if (exchange.isStreamed) exchange.requestBody = new RequestBody(exchange, this.#outbox);
      if (received.length > 0 && !route.isFallback) {
        exchange.parsed = parseContent(received, exchange.contentType);
      }
      // Each request in an asynchronous context of its own: what one handler enters
      // (`AsyncLocalStorage.enterWith`), the next in the batch must not see.
      new AsyncResource('WAPIX_REQUEST', SERVER_ID).runInAsyncScope(
        this.#handle,
        this,
        exchange,
        request,
      );
    } catch (error) {
      this.#fail(exchange, error);
    }
    if (++this.#sinceLook >= LOOK_EVERY) this.#look();
  }

  /** What comes of the handler is seen to in its context, too: `onError` knows what the handler entered. */
  #handle(exchange: Exchange, request: Request): void {
    try {
      const { handler, config } = exchange.route;
      const result: unknown = handler(request);
      if (isPromise(result)) {
        if (config.timeout !== undefined) this.#limit(exchange, config.timeout);
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
  }

  /** With slow handlers answers do not wait for the whole batch: the I/O thread sends them meanwhile. */
  #look(): void {
    this.#sinceLook = 0;
    const now = hrtime.bigint();
    if (now - this.#lastFlush < PATIENCE) return;
    this.#lastFlush = now;
    this.#outbox.flush();
  }

  /** Answers in the handler's place where that takes longer than `timeout`, in milliseconds. */
  #limit(exchange: Exchange, timeout: number): void {
    exchange.timer = setTimeout(() => {
      const message = `the handler took longer than ${timeout} ms`;
      const error = new WapixError('WAPIX_HANDLER_TIMEOUT', message);
      this.#fail(exchange, error);
      exchange.expire(error);
    }, timeout);
  }

  #answer(exchange: Exchange, result: unknown): void {
    if (exchange.timer !== undefined) clearTimeout(exchange.timer);
    try {
      // It is answered for, perhaps by an `onError` that has not settled.
      if (exchange.expired !== undefined) letGo(result);
      else this.#respond(exchange, result);
    } catch (error) {
      this.#fail(exchange, error);
    }
  }

  /** @throws where the result cannot be sent */
  #respond(exchange: Exchange, result: unknown): void {
    if (!respond(exchange, result, this.#responder)) return;
    this.#inbox.forget(exchange);
    // Where the client has left, that was told.
    this.#hooks.log?.end(exchange, true);
  }

  #fail(exchange: Exchange, error: unknown): void {
    if (exchange.timer !== undefined) clearTimeout(exchange.timer);
    if (exchange.expired !== undefined) {
      if (isReported(exchange, error)) logFailure(exchange, error);
      return;
    }
    const { onError } = this.#hooks;
    if (!isReported(exchange, error)) this.#respondError(exchange, error);
    else if (onError) this.#recover(exchange, error, onError);
    else {
      this.#respondError(exchange, error);
      logFailure(exchange, error);
    }
  }

  /** Has the application answer for what its handler did. */
  async #recover(
    exchange: Exchange,
    error: unknown,
    onError: NonNullable<Hooks['onError']>,
  ): Promise<void> {
    try {
      const result: unknown = onError(error, exchange.request as Request);
      this.#respond(exchange, isPromise(result) ? await result : result);
    } catch (another) {
      this.#respondError(exchange, another);
      logFailure(exchange, error);
      logFailure(exchange, another, 'onError');
    }
  }

  /** Tells of a stream that has failed. Its headers have left, or are about to: there is nothing to answer. */
  async #tell(exchange: Exchange, error: unknown): Promise<void> {
    const { onError } = this.#hooks;
    try {
      if (onError) letGo(await onError(error, exchange.request as Request));
      else logFailure(exchange, error);
    } catch (another) {
      logFailure(exchange, error);
      logFailure(exchange, another, 'onError');
    }
  }

  #respondError(exchange: Exchange, error: unknown): void {
    this.#inbox.forget(exchange);
    respondError(exchange, error, this.#responder);
    this.#hooks.log?.end(exchange, true);
  }
}

/** Whether anybody is to hear of it: a client's mistake is no concern. */
function isReported(exchange: Exchange, error: unknown): boolean {
  if (error instanceof WapixError && error.status < 500) return false;
  // What `req.signal` stopped, it was to stop: an ordinary disconnect is no error.
  const isAbort = (error as Error | undefined)?.name === 'AbortError';
  if (exchange.expired !== undefined) return !isAbort && error !== exchange.expired;
  return !((exchange.cancelled || exchange.isBroken) && isAbort);
}
