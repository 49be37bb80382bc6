/// <reference types="node" />
import type { EventEmitter } from 'node:events';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';

// ---------------------------------------------------------------------------------------------
// Handlers
// ---------------------------------------------------------------------------------------------

/**
 * A route's handler: takes the request, returns a result or a promise of one.
 *
 * Without type arguments `req.params`, `req.query` and `req.body` can be read freely. With a
 * `Response` type, returning any other result is a compile error:
 *
 * ```ts
 * const handler: RequestHandler<{ id: string }, Ok<User> | NotFound<{ error: string }>> = (req) => …
 * ```
 *
 * A web `Response` is a result, too, where no `Response` type is given, or `globalThis.Response` is.
 *
 * A handler that throws, rejects, or returns anything that is not a result answers
 * 500 `{"error":"Internal Server Error"}`, or what `onError` makes of it; the cause is logged once.
 *
 * @typeParam Params - path parameters, by name
 * @typeParam Response - the results the handler may return
 * @typeParam Body - the parsed request body
 * @typeParam Query - query parameters, by name
 */
export type RequestHandler<
  Params = Record<string, string>,
  // biome-ignore lint/suspicious/noExplicitAny: a handler with no type arguments may return any result
  Response extends HttpResult<any> | globalThis.Response = HttpResult<any> | globalThis.Response,
  // biome-ignore lint/suspicious/noExplicitAny: the body's type is the client's until the user states it
  Body = any,
  Query = Record<string, string>,
> = (req: Request<Params, Body, Query>) => Response | Promise<Response>;

/** What a handler is given. Every property is computed when it is first read. */
export interface Request<
  Params = Record<string, string>,
  // biome-ignore lint/suspicious/noExplicitAny: as in RequestHandler
  Body = any,
  Query = Record<string, string>,
> {
  /** Path parameters: percent-decoded once, as UTF-8. Null prototype. */
  readonly params: Params;
  /** Query parameters: the last value of a repeated key. Null prototype. */
  readonly query: Query;
  /**
   * The body, parsed by its Content-Type: JSON (`application/json`, `+json`); a URL-encoded form;
   * `multipart/form-data` (fields as strings, files as `File`, repeated names as arrays); the
   * raw string for any other type; `undefined` where there is no body. With the route's `streamBody` a
   * Node Readable.
   */
  readonly body: Body;
  /** Header fields as in Node's `http.IncomingMessage`: lower-case names, `set-cookie` an array. Null prototype. */
  readonly headers: IncomingHttpHeaders;
  /**
   * The cookies of the request (RFC 6265, 5.4): percent-decoded as UTF-8, a value that cannot be as it
   * is; the first of a name counts. Null prototype.
   */
  readonly cookies: Record<string, string | undefined>;
  /** The request method, upper case. */
  readonly method: string;
  /** The path with its query, as the client sent it. */
  readonly url: string;
  /** The same request as a Node `http.IncomingMessage`, readable: the body as bytes. */
  readonly raw: IncomingMessage;
  /**
   * Aborts when the client leaves, the server stops, or a streamed response fails, before the response is
   * complete; never on success.
   * A response that is not streamed is complete when it is returned.
   */
  readonly signal: AbortSignal;
  /**
   * The client's address: that of the connection's other end (`''` over a Unix socket) or, where that is
   * a proxy of `trustProxy`, what it says.
   */
  readonly ip: string;
  /** What the client speaks, with us or with a proxy of `trustProxy`. */
  readonly protocol: 'http' | 'https';
  /**
   * The `id` of the last event that the client got, where it is an `EventSource` that connects again
   * (the header field `Last-Event-ID`, as UTF-8).
   */
  readonly lastEventId: string | undefined;
  /** The body's bytes, empty where there is no body. */
  readonly rawBody: Buffer;
}

// ---------------------------------------------------------------------------------------------
// Results
// ---------------------------------------------------------------------------------------------

declare const resultBrand: unique symbol;
// Only what says `export` is exported.
export {};

/**
 * Response header fields. A header given here wins over the one a helper would set, whatever its
 * case. An array sends the field once for each value (`Set-Cookie`). A name that is no token
 * (RFC 9110, 5.6.2), or a value with CR, LF or a character above U+00FF, answers 500.
 */
export type ResponseHeaders = Record<string, string | number | readonly string[] | undefined>;

/** What a handler returns; made by the helpers below. A copy, as `{ ...result, headers }`, is one, too. */
export interface HttpResult<T = unknown, Status extends number = number> {
  readonly [resultBrand]: true;
  /** The status code (RFC 9110, 15). */
  readonly status: Status;
  /** What was passed to the helper. */
  readonly body: T;
  /** The header fields passed to the helper. */
  readonly headers: ResponseHeaders | undefined;
}

export type Ok<T = unknown> = HttpResult<T, 200>;
export type Created<T = unknown> = HttpResult<T, 201>;
export type NoContent = HttpResult<undefined, 204>;
/** The statuses that send a client elsewhere (RFC 9110, 15.4). */
export type RedirectStatus = 301 | 302 | 303 | 307 | 308;
export type Redirect<Status extends RedirectStatus = RedirectStatus> = HttpResult<
  undefined,
  Status
>;
export type BadRequest<T = unknown> = HttpResult<T, 400>;
export type Unauthorized<T = unknown> = HttpResult<T, 401>;
export type Forbidden<T = unknown> = HttpResult<T, 403>;
export type NotFound<T = unknown> = HttpResult<T, 404>;
export type Conflict<T = unknown> = HttpResult<T, 409>;
export type UnprocessableContent<T = unknown> = HttpResult<T, 422>;
export type TooManyRequests<T = unknown> = HttpResult<T, 429>;
export type InternalServerError<T = unknown> = HttpResult<T, 500>;

/** 200 with `data` as JSON. */
export function json<T>(data: T, headers?: ResponseHeaders): Ok<T>;
/** 200 with `data` as JSON. */
export function ok<T>(data: T, headers?: ResponseHeaders): Ok<T>;
/**
 * 201 with `data` as JSON; `location` becomes the `Location` header, what is not ASCII in it
 * percent-encoded.
 */
export function created<T>(data: T, location?: string, headers?: ResponseHeaders): Created<T>;
export function created<T>(data: T, headers?: ResponseHeaders): Created<T>;
/** 204, no body. */
export function noContent(headers?: ResponseHeaders): NoContent;
/**
 * Sends the client to `location`: `Location`, what is not ASCII in it percent-encoded, and no body.
 * 303 has it ask with GET, 307 and 308 with the same method and body; 301 and 308 are for good.
 *
 * @param status - 301, 302 (the default), 303, 307 or 308
 * @throws `WAPIX_INVALID_STATUS` for another status, `WAPIX_INVALID_HEADER` where there is no location
 */
export function redirect(
  location: string,
  status?: undefined,
  headers?: ResponseHeaders,
): Redirect<302>;
export function redirect<Status extends RedirectStatus>(
  location: string,
  status: Status,
  headers?: ResponseHeaders,
): Redirect<Status>;
/** 400 with `data` as JSON, or no body without it. */
export function badRequest(): BadRequest<undefined>;
export function badRequest<T>(data: T, headers?: ResponseHeaders): BadRequest<T>;
/**
 * 401 with `data` as JSON, or no body without it. RFC 9110, 15.5.2 wants a `WWW-Authenticate` header
 * with it, which says how to authenticate: `unauthorized(undefined, { 'WWW-Authenticate': 'Bearer' })`.
 */
export function unauthorized(): Unauthorized<undefined>;
export function unauthorized<T>(data: T, headers?: ResponseHeaders): Unauthorized<T>;
/** 403 with `data` as JSON, or no body without it. */
export function forbidden(): Forbidden<undefined>;
export function forbidden<T>(data: T, headers?: ResponseHeaders): Forbidden<T>;
/** 404 with `data` as JSON, or no body without it. */
export function notFound(): NotFound<undefined>;
export function notFound<T>(data: T, headers?: ResponseHeaders): NotFound<T>;
/** 409 with `data` as JSON, or no body without it. */
export function conflict(): Conflict<undefined>;
export function conflict<T>(data: T, headers?: ResponseHeaders): Conflict<T>;
/** 422 with `data` as JSON, or no body without it. */
export function unprocessableContent(): UnprocessableContent<undefined>;
export function unprocessableContent<T>(
  data: T,
  headers?: ResponseHeaders,
): UnprocessableContent<T>;
/** 429 with `data` as JSON, or no body without it; a `Retry-After` header says for how long. */
export function tooManyRequests(): TooManyRequests<undefined>;
export function tooManyRequests<T>(data: T, headers?: ResponseHeaders): TooManyRequests<T>;
/** 500 with `data` as JSON, or no body without it. */
export function internalServerError(): InternalServerError<undefined>;
export function internalServerError<T>(data: T, headers?: ResponseHeaders): InternalServerError<T>;
/** Any status from 200 to 599, with `data` as JSON, or no body without it. */
export function status(code: number): HttpResult<undefined>;
export function status<T>(code: number, data: T, headers?: ResponseHeaders): HttpResult<T>;
/** 200 with `text`, as `text/plain; charset=utf-8`. */
export function text(text: string, headers?: ResponseHeaders): Ok<string>;
/** 200 with `html`, as `text/html; charset=utf-8`. Nothing in it is escaped. */
export function html(html: string, headers?: ResponseHeaders): Ok<string>;
/**
 * 200 with what `source` produces, forwarded chunk by chunk: strings (as UTF-8), `Buffer`s and
 * `Uint8Array`s. The source is read only as the client takes data, and destroyed when the client
 * leaves. An error before the headers have left answers 500; later it closes the connection, so
 * that the client sees an incomplete response. The headers leave with the first chunk, or after
 * 10 ms without one; at once for `text/event-stream`; those of a file (`fs.ReadStream`) wait for the chunk.
 *
 * A web `ReadableStream` is cancelled when the client leaves; of an async iterable, `return()` is
 * called, which in a generator waits for a pending `await`: watch `req.signal` there.
 *
 * @param contentType - defaults to `application/octet-stream`
 * @throws `WAPIX_INVALID_HEADER` for a content type that is no string
 */
export function stream<Source extends StreamSource = Readable>(
  source: Source,
  contentType?: string,
  headers?: ResponseHeaders,
): HttpResult<Source>;

// Async generators are async iterables: naming them has the compiler say what is wrong with a chunk.

/** What can be streamed. */
export type StreamSource =
  | Readable
  | ReadableStream<string | Uint8Array>
  | globalThis.ReadableStream<string | Uint8Array>
  | AsyncIterable<string | Uint8Array>
  | AsyncGenerator<string | Uint8Array, unknown, undefined>
  | Generator<string | Uint8Array, unknown, undefined>;

/** The attributes of a cookie (RFC 6265, 4.1.2, and RFC 6265bis). */
export interface CookieOptions {
  /** The host, and those below it, that the cookie is sent to. Default: this host alone. */
  domain?: string;
  /** The path, and those below it, that the cookie is sent to. Default: the request's directory. */
  path?: string;
  /** How long the cookie is kept, in whole seconds; 0 deletes it. Default: until the browser closes. */
  maxAge?: number;
  /** Until when the cookie is kept; `maxAge` wins over it. */
  expires?: Date;
  /** No script can read the cookie. Default: false. */
  httpOnly?: boolean;
  /** The cookie is sent over HTTPS only. Default: false. */
  secure?: boolean;
  /** Whether other sites' requests have the cookie. Default: the browser's, mostly `lax`. */
  sameSite?: 'strict' | 'lax' | 'none';
  /** In a page of another site the cookie is kept for that site alone (CHIPS). Default: false. */
  partitioned?: boolean;
}

/**
 * The value of a `Set-Cookie` header: `json(data, { 'Set-Cookie': [setCookie('a', '1')] })`. `value` is
 * percent-encoded, as `req.cookies` decodes it.
 *
 * @throws `WAPIX_INVALID_COOKIE` for a name that is no token, an attribute that cannot be sent or that there
 *   is not, and what browsers drop in silence: `sameSite: 'none'`, `partitioned` or a `__Secure-` name without
 *   `secure`, a `__Host-` name without `secure` and `path: '/'`, or with `domain`.
 */
export function setCookie(name: string, value: string, options?: CookieOptions): string;

/**
 * An event (HTML standard, 9.2, server-sent events). Without `data` it is none for its client, which
 * still takes its `id` and its `retry`.
 */
export interface ServerSentEvent<T = unknown> {
  /** What its listeners were added for; `message` where there is none. Without line breaks. */
  event?: string;
  /** What a client that connects again sends as `Last-Event-ID`. Without line breaks and NUL. */
  id?: string | number;
  /** A string is sent as it is, each of its lines (CR, LF or CRLF) as one; anything else as JSON. */
  data?: T;
  /** How long a client waits before it connects again, in whole milliseconds. */
  retry?: number;
  /** What clients pass over. */
  comment?: string;
}

/** What produces events: an async iterable, a generator, or a stream in object mode. */
export type SseSource =
  | Readable
  | ReadableStream<ServerSentEvent>
  | globalThis.ReadableStream<ServerSentEvent>
  | AsyncIterable<ServerSentEvent>
  | AsyncGenerator<ServerSentEvent, unknown, undefined>
  | Generator<ServerSentEvent, unknown, undefined>;

export interface SseOptions {
  /**
   * After how long without an event a comment is sent, in milliseconds; 0 for never. With an I/O thread
   * (`ioThreads`), however long JavaScript is busy. Default: 15 s.
   */
  heartbeat?: number;
  /** More header fields, or others in place of those that are set. */
  headers?: ResponseHeaders;
}

/**
 * 200 with the events that `source` produces, as `stream` sends chunks. Sets `Content-Type:
 * text/event-stream`, `Cache-Control: no-cache` and `X-Accel-Buffering: no`.
 *
 * What is no event fails the stream with `WAPIX_INVALID_EVENT`, which is logged.
 *
 * @throws `WAPIX_INVALID_OPTION`
 */
export function sse<Source extends SseSource = Readable>(
  source: Source,
  options?: SseOptions,
): HttpResult<Source>;

// ---------------------------------------------------------------------------------------------
// Channels
// ---------------------------------------------------------------------------------------------

/** An event for the subscribers of a channel, which gives it its `id`. */
export interface ChannelEvent<T = unknown> {
  /** As in `ServerSentEvent`. */
  event?: string;
  /** As in `ServerSentEvent`; not `undefined`. */
  data: T;
  /** Which subscribers get it: those of this topic, and those of all. Default: all. In one line. */
  topic?: string;
}

export interface ChannelOptions {
  /** What is kept for clients that come back: as much as is within both. */
  history?: {
    /** Default: 1,000. */
    events?: number;
    /** As they are sent. Default: 1 MiB. */
    bytes?: number;
  };
  /**
   * How many bytes of events may wait for one subscriber, beyond what its socket holds. One event may
   * be larger. Default: 256 KiB.
   */
  queue?: number;
  /**
   * What becomes of a subscriber that more would have to wait for. `'disconnect'`: its connection is
   * reset; it connects again, and gets what it missed from the history. `'latest'`: what waits for it is
   * dropped, for the newest event. Default: `'disconnect'`.
   */
  slow?: 'disconnect' | 'latest';
  /** After how long without an event a subscriber is sent a comment, as in `SseOptions`. Default: 15 s. */
  heartbeat?: number;
  /**
   * How long clients wait before they connect again, in milliseconds: this, and up to as long again,
   * each another time. Default: 2 s.
   */
  retry?: number;
  /** Makes it one channel of all processes with the same: `redis(…)`. Default: one of this process. */
  backplane?: Backplane;
}

/** What `redis` returns. */
export interface Backplane {
  readonly url: string;
  readonly queue: number;
}

/**
 * Has a channel's events in a stream of Redis 7 or newer, `wapix:channel:NAME`, as many as `history.events`,
 * and 1,000 at least. Ids are the stream's.
 *
 * @param options.url - `redis://user:password@host:port/database`, or `unix:///path`; `rediss:` over TLS
 * @param options.queue - how many events wait for a Redis that cannot be reached, before publishing fails.
 *   Default: 0
 * @throws `WAPIX_INVALID_OPTION`
 */
export function redis(options: { url: string; queue?: number }): Backplane;

export interface SubscribeOptions {
  /** Which events: those of these topics, and those of none. Default: all. */
  topics?: readonly string[];
  /** More header fields, as in `SseOptions`. */
  headers?: ResponseHeaders;
}

/** Sends each event to every subscriber, without JavaScript. */
export interface Channel<T = unknown> extends Subscribable {
  /**
   * Sends an event to every subscriber, and keeps it in the history. Returns at once, with the id that
   * the event has.
   *
   * @throws `WAPIX_INVALID_EVENT`
   */
  publish(event: ChannelEvent<T>): string;
}

/** A channel with a backplane: of several processes. */
export interface SharedChannel<T = unknown> extends Subscribable {
  /**
   * Has the backplane take an event, which sends it to every subscriber of every process. Resolves with
   * the id that it has there.
   *
   * Rejects with `WAPIX_BACKPLANE_UNAVAILABLE` where the backplane cannot be reached, and as many events
   * wait as may, or where 100,000 events or 64 MiB are on their way to it: then only the subscribers of this
   * process got it. Rejects with `WAPIX_INVALID_EVENT`.
   */
  publish(event: ChannelEvent<T>): Promise<string>;
}

/** What clients subscribe to. */
export interface Subscribable extends EventEmitter {
  readonly name: string;
  /** How many subscribers there are, of all servers of the process. */
  readonly size: number;
  /**
   * 200 with the channel's events: those that the client missed where `req.lastEventId` says which was
   * its last, then those that are published.
   *
   * @throws `WAPIX_INVALID_EVENT` for a topic that is none, `WAPIX_INVALID_OPTION`
   */
  // biome-ignore lint/suspicious/noExplicitAny: whatever its parameters, body and query
  subscribe(req: Request<any, any, any>, options?: SubscribeOptions): HttpResult<this>;

  /**
   * A client is subscribed, or has left, of a server of this thread. Those who subscribed before there
   * was a listener of either are not told of.
   */
  on(event: 'join' | 'leave', listener: (req: Request) => void): this;
  on(event: string | symbol, listener: (...args: unknown[]) => void): this;
  once(event: 'join' | 'leave', listener: (req: Request) => void): this;
  once(event: string | symbol, listener: (...args: unknown[]) => void): this;
}

/**
 * The channel of that name, which is the same one everywhere in the process: in all its servers and
 * worker threads, for as long as it runs. Without `options` it is as another call made it.
 *
 * @throws `WAPIX_INVALID_OPTION`, `WAPIX_CHANNEL_CONFLICT` where it was made with other options
 */
// biome-ignore lint/suspicious/noExplicitAny: as in RequestHandler
export function channel<T = any>(
  name: string,
  options: ChannelOptions & { backplane: Backplane },
): SharedChannel<T>;
// biome-ignore lint/suspicious/noExplicitAny: as in RequestHandler
export function channel<T = any>(name: string, options?: ChannelOptions): Channel<T>;

// ---------------------------------------------------------------------------------------------
// Server
// ---------------------------------------------------------------------------------------------

/** A method's name as a route file is named: lower case. */
export type RouteMethod = 'get' | 'post' | 'put' | 'patch' | 'delete' | 'head' | 'options';

/** Settings of one route: a route file exports them as `config`, beside its handler. */
export interface RouteConfig {
  /**
   * The largest request body, in bytes; a larger one is answered 413. `Infinity`: no limit. Default: the
   * server's `bodyLimit`, or none with `streamBody`.
   */
  bodyLimit?: number;
  /**
   * How long the handler may take to return its result, in milliseconds: then the request is answered 503,
   * `req.signal` aborts, and what the handler still returns is discarded. A stream that it has returned may
   * take longer. Default: as long as it likes.
   */
  timeout?: number;
  /**
   * The handler runs as soon as the head of the request has come, and `req.body` is a Node Readable of its
   * body as it comes: `req.raw`, an `http.IncomingMessage`. The client sends no faster than it is read.
   * Where the client leaves it is destroyed with an error (`WAPIX_BODY_INCOMPLETE`), as it is where the
   * body exceeds `bodyLimit` (`WAPIX_BODY_TOO_LARGE`) or nothing of it comes for the server's
   * `requestTimeout` (`WAPIX_BODY_TIMEOUT`); a handler that rejects with one of these answers 400, 413 or
   * 408. What was not read when the response is complete is discarded. Default: false.
   */
  streamBody?: boolean;
}

// biome-ignore lint/suspicious/noExplicitAny: handlers of every type stand side by side
type AnyHandler = RequestHandler<any, AnyResult, any, any>;

/** What serves a method of a path: a handler, alone or with settings. */
export type RouteEntry =
  | AnyHandler
  | { readonly handler: AnyHandler; readonly config?: RouteConfig };

/**
 * Handlers by path, then by method. `:name` is a parameter, `*name` (last) a catch-all of one or
 * more segments: `{ '/users/:id': { get, post }, '/files/*path': { get } }`.
 */
export type Routes = Record<string, { readonly [Method in RouteMethod]?: RouteEntry }>;

/** What HTTPS is served with. */
export interface SecureOptions {
  /** The private key (PEM: PKCS #8, PKCS #1 or SEC1). */
  key: string | Buffer;
  /** The certificate and those that lead to it, leaf first (PEM). */
  cert: string | Buffer;
  /**
   * Certificates (PEM) of authorities: a client has to show a certificate that one of them issued.
   * Default: clients need none.
   */
  ca?: string | Buffer;
  /** What the key is encrypted with, where it is. */
  passphrase?: string;
}

/** Which pages of other origins may read responses: the CORS protocol (Fetch Standard, 3.3). */
export interface CorsOptions {
  /**
   * The origins that may: `'*'` for all, one or several as browsers write them
   * (`'https://example.com'`), or a function that tells.
   */
  origin: string | readonly string[] | ((origin: string) => boolean);
  /** The methods that a preflight allows. Default: those that the path has routes for. */
  methods?: readonly string[];
  /** The request headers that a preflight allows. Default: those that it asks for. */
  headers?: readonly string[];
  /** Whether requests may have cookies, and their responses be read; not with `'*'`. Default: false. */
  credentials?: boolean;
  /** How long a browser may remember a preflight, in seconds. Default: the browser's, 5 s. */
  maxAge?: number;
  /** The response headers that pages may read, beside the few that they always may. Default: none. */
  exposedHeaders?: readonly string[];
}

/** Headers by which a browser protects a page; a header that a handler gives wins. */
export interface SecurityHeadersOptions {
  /** `X-Content-Type-Options: nosniff`. Default: true. */
  contentTypeOptions?: boolean;
  /** `Referrer-Policy`, or false for none. Default: `'no-referrer'`. */
  referrerPolicy?: string | false;
  /**
   * Who may show a page in a frame: `X-Frame-Options`, and `frame-ancestors` in a
   * `Content-Security-Policy`. Default: `'SAMEORIGIN'`.
   */
  frameOptions?: 'DENY' | 'SAMEORIGIN' | false;
  /**
   * `Strict-Transport-Security`, where `req.protocol` is `'https'` only (RFC 6797), or false for none.
   * Default: `'max-age=31536000'`, a year, for this host alone.
   */
  strictTransportSecurity?: string | false;
}

export interface CloseOptions {
  /**
   * How long requests in flight may take to finish, in milliseconds; what is left then, event streams
   * above all, is closed. Default: 10 s.
   */
  deadline?: number;
}

export interface ServerOptions {
  /**
   * How many threads beside the JavaScript thread serve sockets, 0 to 64. 1: one; on Linux the JavaScript
   * thread serves them itself while there are few connections and it has time, which costs less. More: so
   * many; each connection is served by the one that has the fewest. 0: none, the JavaScript thread serves
   * them, which suits one core; where Node's event loop is not to be had (Bun, Deno, Windows) it means 1.
   * Default: the environment variable `WAPIX_IO_THREADS`, else 0 where the process may use one core only,
   * else 1.
   */
  ioThreads?: number;
  /** Serve HTTPS (and HTTP/2 to clients that offer it) with this key and certificate. */
  https?: SecureOptions;
  /**
   * A path, such as `'/healthz'`, whose GET and HEAD are answered 200 as long as the server serves: by
   * Rust, before any route and without a handler. Default: none.
   */
  livenessPath?: string;
  /** The largest request body accepted, in bytes; a larger one is answered 413. Default: 1 MiB. */
  bodyLimit?: number;
  /**
   * Which neighbours are proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed, in
   * `req.ip` and `req.protocol`: `true` for all, `'loopback'` for this machine, IP addresses, or ranges of
   * them (`'10.0.0.0/8'`). Default: none, as any client can send these fields.
   */
  trustProxy?: boolean | string | readonly string[];
  /**
   * The largest head of a request accepted, in bytes: the request line and the header fields. A larger
   * one is answered 431. Default: 64 KiB, as much as the usual load balancers let through.
   */
  maxHeaderSize?: number;
  /** How many header fields a request may have; one with more is answered 431. Default: 100. */
  maxHeadersCount?: number;
  /**
   * The longest URL accepted, in bytes; a longer one is answered 414. Default: 16 KiB. What is beyond
   * 65,534 bytes is refused in any case.
   */
  maxUrlLength?: number;
  /** How many connections may be open at a time; one more is closed as it comes. Default: no limit. */
  maxConnections?: number;
  /**
   * How many requests may wait for their handlers at a time; one more is answered 503, with
   * `Retry-After`. A response that is being streamed does not wait any more. Default: no limit.
   */
  maxConcurrentRequests?: number;
  /**
   * How long the head of a request may take, in milliseconds from its first byte on; then it is
   * answered 408. 0: for ever. Default: 30 s.
   */
  headersTimeout?: number;
  /** How long the body of a request may take, likewise, from its head on. Default: 300 s. */
  requestTimeout?: number;
  /**
   * How long a connection may wait for a request, in milliseconds; then it is closed. 0: for ever.
   * Default: 75 s, longer than the usual proxies keep one: they must not find it closed.
   */
  keepAliveTimeout?: number;
  /**
   * How long a client may take nothing of the response that waits for it, in milliseconds; then the
   * connection is reset. Event streams have no such limit. 0: for ever. Default: 120 s.
   */
  writeTimeout?: number;
  /**
   * Makes the answer to a request whose handler threw, rejected, or returned what cannot be sent, in
   * place of the 500. wapix logs nothing then: that is this function's to do. Where it fails itself,
   * both errors are logged, and the 500 is sent. Called for a stream that fails, too, whose headers have left, or
   * are about to: its result goes nowhere then. Not called for what a client did wrong (400). Default: none.
   */
  onError?: (error: unknown, req: Request) => AnyResult | Promise<AnyResult>;
  /**
   * Answers a request to a path that no route has, in place of the 404. Its `body` is not parsed;
   * `rawBody` has it. Default: none.
   */
  onNotFound?: RequestHandler;
  /**
   * Called when a server that listened has closed: its last response is over, or was cut off at the deadline. Pools and
   * exporters are closed here; `close` and `wapix start` wait for its promise. What it fails with is logged.
   * Default: none.
   */
  onClose?: () => void | Promise<void>;
  /** Lets pages of other origins read responses. Default: none may. */
  cors?: CorsOptions;
  /** Adds headers by which a browser protects a page: `true` for the usual ones. Default: none. */
  securityHeaders?: boolean | SecurityHeadersOptions;
}

// biome-ignore lint/suspicious/noExplicitAny: as in RequestHandler
type AnyResult = HttpResult<any> | globalThis.Response;

export interface ListenOptions {
  /** A TCP port; 0 lets the system choose. Default: 0. */
  port?: number;
  /** The address or host name to listen on. Default: every address, IPv6 and IPv4. */
  host?: string;
  /** A Unix socket, instead of `port` and `host`. */
  path?: string;
  /** How many connections may wait to be accepted; the system has a limit of its own. Default: 511. */
  backlog?: number;
  /**
   * Share the port with other processes that ask for the same, which the system gives connections in
   * turn (SO_REUSEPORT). On Linux only; elsewhere `error` says `ENOTSUP`. Default: false.
   */
  reusePort?: boolean;
}

/** An HTTP server, shaped like Node's `http.Server`. */
export interface Server extends EventEmitter {
  /** @throws `WAPIX_INVALID_OPTION` for options of Node's that are none here, as `fd` and `signal` */
  listen(port?: number, host?: string, callback?: () => void): this;
  listen(port: number, callback: () => void): this;
  listen(options: ListenOptions, callback?: () => void): this;
  listen(callback: () => void): this;
  /**
   * Stops accepting, lets requests in flight finish for up to 10 s, then closes what is left.
   * Without a running server the callback gets `ERR_SERVER_NOT_RUNNING`.
   */
  close(callback?: (error?: Error) => void): this;
  close(options: CloseOptions, callback?: (error?: Error) => void): this;
  /**
   * Asks the server from within its process, without a port: for tests. The request takes the same way
   * as any other (limits, routing, streams, aborts) over a connection of its own, without TLS; whether
   * the server listens makes no difference. `init.signal` aborts it as a client that leaves does.
   *
   * @param input - a path (`'/users/1'`), a URL, of which path, query and host are used, or a `Request`
   * @returns a web `Response` as soon as its head has come, the body a stream; rejects where the
   *   connection ends before
   */
  inject(
    input: string | URL | globalThis.Request,
    init?: RequestInit,
  ): Promise<globalThis.Response>;
  /**
   * Serves new connections with another key and certificate; those that are open go on. Without `ca`,
   * the one before stays in force.
   *
   * @throws `WAPIX_INVALID_TLS` where they cannot be used, or the server was not made for HTTPS;
   *   the ones before stay in use.
   */
  setSecureContext(options: SecureOptions): this;
  /** Where the server listens: a path for a Unix socket, `null` when it does not. */
  address(): AddressInfo | string | null;
  /** Whether the server accepts connections. */
  readonly listening: boolean;
  /** Lets the server keep the process alive (the default). */
  ref(): this;
  /** Lets the process end though the server is listening. */
  unref(): this;

  on(event: 'listening' | 'close', listener: () => void): this;
  on(event: 'error', listener: (error: NodeJS.ErrnoException) => void): this;
  on(event: string | symbol, listener: (...args: unknown[]) => void): this;
  once(event: 'listening' | 'close', listener: () => void): this;
  once(event: 'error', listener: (error: NodeJS.ErrnoException) => void): this;
  once(event: string | symbol, listener: (...args: unknown[]) => void): this;
}

/**
 * Makes a server for `routes`.
 *
 * @throws `WAPIX_INVALID_ROUTE` for a pattern that is none or a handler that is no function,
 *   `WAPIX_ROUTE_CONFLICT` for two patterns that clash (both are named), `WAPIX_INVALID_TLS` for a
 *   key or certificate that cannot be used, `WAPIX_INVALID_OPTION` for another option that cannot, or
 *   one that there is not.
 */
export function createServer(routes: Routes, options?: ServerOptions): Server;
