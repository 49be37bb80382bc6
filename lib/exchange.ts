import type { AsyncResource } from 'node:async_hooks';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { RouteConfig } from '../index.js';
import {
  ALLOWED_SHIFT,
  CONTENT_STREAMED,
  ENCRYPTED,
  HTTP_2,
  HTTP_10,
  METHODS,
  UTF8_PATH,
} from './bridge/protocol.js';
import type { Presence } from './channel.js';
import { TEXT, textOf } from './content.js';
import { ownText } from './own-text.js';
import type { Request } from './request.js';
import type { RequestBody } from './request-body.js';
import { HeaderFields, type RepeatedHeaderFields } from './request-headers.js';
import type { ResponseStream } from './stream.js';

/** A route as the server runs it; its index is the id that crosses the bridge. */
export interface Route {
  readonly method: string;
  readonly pattern: string;
  readonly handler: (request: Request) => unknown;
  readonly config: RouteConfig;
  /** In the order in which they stand in the pattern. */
  readonly parameterNames: readonly string[];
  /** Takes what no route matches: its content is not looked at. */
  readonly isFallback?: true;
}

const NO_CONTENT = Buffer.alloc(0);
/** How much of a batch may be kept by what a handler keeps of one of its requests, in characters. */
const MOST_KEPT = 4 * 1024;

/** One request as it crossed the bridge, and how far its answer has come. */
export class Exchange {
  /** The client left: what is answered now goes nowhere. */
  cancelled = false;
  /** The client has left amid the body, or sent what is none; or the response has failed. */
  isBroken = false;
  controller: AbortController | undefined;
  /** Of who was the first to ask for the signal: it is aborted there. */
  context: AsyncResource | undefined;
  stream: ResponseStream | undefined;
  /** What the handler is given. */
  request: Request | undefined;
  /** The end of the handler's time, where its route sets one, and whether it has come. */
  timer: NodeJS.Timeout | undefined;
  expired: Error | undefined;
  /** What it was answered with. */
  status: number | undefined;
  /** Of a subscriber of a channel, where somebody wants to hear of it. */
  presence: Presence | undefined;
  #isSubscribed = false;

  // What `Request` computed, kept so that it is computed once.
  params: Record<string, string> | undefined;
  query: Record<string, string> | undefined;
  cookies: Record<string, string | undefined> | undefined;
  headers: IncomingHttpHeaders | undefined;
  raw: IncomingMessage | undefined;
  /** The body, where the handler has it as it comes. */
  requestBody: RequestBody | undefined;
  /** The body that has come, as `parseContent` has it. */
  parsed: unknown;

  constructor(
    readonly slot: number,
    readonly serial: number,
    readonly route: Route,
    /** The method's number, and flags. */
    readonly bits: number,
    /** The text of the whole batch, until `detach`. */
    private text: string,
    // Where fields begin in it; each ends where the next begins.
    private urlAt: number,
    private pathAt: number,
    private ipAt: number,
    private headersAt: number,
    private endAt: number,
    readonly port: number,
    /** Latin-1 where the path is ASCII, UTF-8 bytes as Latin-1 where it is not. */
    private parameters: readonly string[],
    /** The header fields, where they do not stand in the text. */
    private readonly repeated: RepeatedHeaderFields | undefined,
    /** The content as it crossed: that of ASCII as text. */
    public received: Buffer | string = '',
  ) {}

  get body(): unknown {
    if (this.parsed === TEXT) this.parsed = textOf(this.received);
    return this.parsed;
  }

  get content(): Buffer {
    if (this.received === '') return NO_CONTENT;
    if (typeof this.received === 'string') this.received = Buffer.from(this.received, 'latin1');
    return this.received;
  }

  get method(): string {
    return METHODS[(this.bits >> 8) & 0xff] ?? '';
  }

  /** Of what no route matched: the methods of its path as `Allow` lists them, none where it is unknown. */
  get allowed(): string[] {
    return METHODS.filter((_, method) => this.bits & (1 << (ALLOWED_SHIFT + method)));
  }

  get url(): string {
    this.#trim();
    return this.text.slice(this.urlAt, this.pathAt);
  }

  get ip(): string {
    this.#trim();
    return this.text.slice(this.ipAt, this.headersAt);
  }

  get httpVersion(): '1.0' | '1.1' | '2.0' {
    if (this.bits & HTTP_2) return '2.0';
    return this.bits & HTTP_10 ? '1.0' : '1.1';
  }

  /** Whether there is a body that the handler is to have as it comes. */
  get isStreamed(): boolean {
    return (this.bits & CONTENT_STREAMED) !== 0;
  }

  get encrypted(): boolean {
    return (this.bits & ENCRYPTED) !== 0;
  }

  get headerFields(): HeaderFields | RepeatedHeaderFields {
    this.#trim();
    return this.#fields;
  }

  /** Of the body that has come: to be looked at, and not kept. */
  get contentType(): string | undefined {
    return this.#fields.first('content-type');
  }

  get #fields(): HeaderFields | RepeatedHeaderFields {
    return this.repeated ?? new HeaderFields(this.text, this.headersAt);
  }

  parameter(index: number): string {
    this.#trim();
    const value = this.parameters[index] ?? '';
    return this.bits & UTF8_PATH ? Buffer.from(value, 'latin1').toString() : value;
  }

  /** What is read now may be kept for good, in a `Map` say: with it a short batch, but none that is long. */
  #trim(): void {
    const { length } = this.text;
    if (length > MOST_KEPT && length > 2 * (this.endAt - this.urlAt)) this.#detachHead();
  }

  /** Lets go of the batch: a stream that lasts must not keep the text of its neighbours. */
  detach(): void {
    this.#detachHead();
    if (typeof this.received === 'string') this.received = ownText(this.received);
  }

  #detachHead(): void {
    const { urlAt } = this;
    this.text = ownText(this.text.slice(urlAt, this.endAt));
    this.urlAt = 0;
    this.pathAt -= urlAt;
    this.ipAt -= urlAt;
    this.headersAt -= urlAt;
    this.endAt -= urlAt;
    this.parameters = this.parameters.map(ownText);
  }

  /** The handler has taken too long, was answered for, and is told to stop. */
  expire(error: Error): void {
    this.expired = error;
    this.#abort(error);
  }

  /** The body could not be read to its end: `status` says why, `limit` is the one that it exceeds. */
  failBody(status: number, limit: number): void {
    if (status === 400) this.break();
    this.requestBody?.fail(status, limit);
  }

  /** The response never comes to its end. */
  break(): void {
    this.isBroken = true;
    this.#abort();
  }

  /** The client has left. */
  cancel(): void {
    this.cancelled = true;
    clearTimeout(this.timer);
    this.stream?.cancel();
    this.requestBody?.cancel();
    this.#abort();
    this.#leave();
  }

  /** The response has come to its end. */
  complete(): void {
    this.stream?.completed();
    this.#leave();
  }

  #abort(reason?: Error): void {
    this.context?.runInAsyncScope(() => this.controller?.abort(reason));
  }

  /** A channel has it. */
  subscribed(): void {
    this.#isSubscribed = true;
    this.presence?.joined();
  }

  /** Who has left before, never came. */
  #leave(): void {
    if (this.#isSubscribed) this.presence?.left();
  }
}
