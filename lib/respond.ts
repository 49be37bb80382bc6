import { ReadStream } from 'node:fs';
import { inspect } from 'node:util';
import type { Outbox } from './bridge/outbox.js';
import { MEDIA_JSON, MEDIA_NONE, MEDIA_TEXT } from './bridge/protocol.js';
import { contentOf } from './content-of.js';
import { currentContext } from './context.js';
import { WapixError } from './errors.js';
import type { Exchange } from './exchange.js';
import { type HeaderText, writeHeaders } from './headers.js';
import type { Hooks } from './hooks.js';
import { http } from './lazy.js';
import { type HttpResult, isResult, isStatus } from './result.js';
import { toReadable } from './source.js';
import { discard, ResponseStream } from './stream.js';
import { fromWebResponse, isWebResponse } from './web-response.js';

/** What every response of a server goes through. */
export interface Responder {
  readonly outbox: Outbox;
  readonly addFields: Hooks['addFields'];
  /** Whether somebody is to hear of the end of each exchange. */
  readonly isFollowed: boolean;
  /** Told, once, why a response that had begun is incomplete. */
  readonly failed: (exchange: Exchange, error: unknown) => void;
}

/**
 * Sends a handler's result.
 *
 * @returns whether the exchange is over; where it is not, Rust tells of its end
 * @throws where the result cannot be sent; nothing has been sent then
 */
export function respond(exchange: Exchange, result: unknown, responder: Responder): boolean {
  if (!isResult(result)) {
    if (!isWebResponse(result)) throw invalidResult(result);
    return respond(exchange, fromWebResponse(result), responder);
  }
  if (!isStatus(result.status)) {
    letGo(result);
    throw new WapixError(
      'WAPIX_INVALID_STATUS',
      `the status of a result is an integer from 200 to 599, not ${inspect(result.status)}`,
    );
  }
  if (result.form === 'stream') return respondStream(exchange, result, responder);
  if (result.form === 'channel') return respondChannel(exchange, result, responder);
  if (exchange.cancelled) return true;

  const headers = writeHeaders(result.headers);
  const media = mediaOf(result, headers);
  const content = hasNoContent(result.status) ? undefined : contentOf(result);
  const { outbox, addFields } = responder;
  let { lines } = headers;
  if (addFields !== undefined) lines = addFields(exchange, lines);
  if (headers.contentLength !== undefined) {
    const length = content === undefined ? 0 : Buffer.byteLength(content);
    const isOfGet = exchange.method === 'HEAD' || result.status === 304;
    if (headers.contentLength !== length && !(isOfGet && length === 0)) {
      throw new WapixError(
        'WAPIX_CONTENT_LENGTH_MISMATCH',
        `Content-Length is ${headers.contentLength}, but the content has ${length} bytes`,
      );
    }
  }
  exchange.status = result.status;
  const isFollowed = exchange.controller !== undefined && exchange.method !== 'HEAD';
  if (!isFollowed || content === undefined) {
    outbox.respond(exchange, result.status, media, lines, content);
    return true;
  }
  // Somebody watches `req.signal`: only a streamed response is followed to its end.
  if (headers.contentLength === undefined) {
    lines += `content-length\n${Buffer.byteLength(content)}\n`;
  }
  outbox.stream(exchange, result.status, media, lines);
  outbox.chunk(exchange, content);
  outbox.end(exchange);
  return false;
}

/** What an error is answered with where nobody else answers for it. */
export function answerTo(error: unknown): { status: number; content: object } {
  if (!(error instanceof WapixError)) return { status: 500, content: { error: reasonOf(500) } };
  const { status, code, message } = error;
  const reason = reasonOf(status);
  return {
    status,
    content: status < 500 ? { error: reason, code, message } : { error: reason },
  };
}

function reasonOf(status: number): string | undefined {
  return http().STATUS_CODES[status];
}

/** Sends an answer of wapix itself, for an error. Never throws. */
export function respondError(exchange: Exchange, error: unknown, responder: Responder): void {
  // Nobody waits; and a server that listens again has other requests in the places of these.
  if (exchange.cancelled) return;
  const { status, content } = answerTo(error);
  const { outbox, addFields } = responder;
  let lines = '';
  try {
    if (addFields !== undefined) lines = addFields(exchange, '');
  } catch {
    // The application's function (`cors.origin`): perhaps the very error that is answered here.
  }
  exchange.status = status;
  outbox.respond(exchange, status, MEDIA_JSON, lines, JSON.stringify(content));
}

/** Lets go of a result that comes too late. */
export function letGo(result: unknown): void {
  const late = isWebResponse(result) ? fromWebResponse(result) : result;
  if (!isResult(late) || late.form !== 'stream') return;
  discard(toReadable(late.body), late.context ?? currentContext());
}

function respondStream(exchange: Exchange, result: HttpResult, responder: Responder): boolean {
  const readable = toReadable(result.body);
  // A web `Response` has none of its own.
  const { context = currentContext() } = result;
  if (exchange.cancelled) {
    discard(readable, context);
    return true;
  }
  const { outbox, addFields } = responder;
  let headers: HeaderText;
  let lines: string;
  try {
    headers = writeHeaders(result.headers);
    lines = headers.lines;
    // A 304 updates what the client has kept (RFC 9111, 4.3.4): it must not say a type of nobody's.
    const isTyped = headers.hasContentType || hasNoContent(result.status);
    if (!isTyped && result.contentType !== undefined) {
      lines = writeHeaders({ 'content-type': result.contentType }).lines + lines;
    }
    if (addFields !== undefined) lines = addFields(exchange, lines);
  } catch (error) {
    discard(readable, context);
    throw error;
  }
  exchange.status = result.status;
  if (exchange.method === 'HEAD' || hasNoContent(result.status)) {
    discard(readable, context);
    outbox.respond(exchange, result.status, MEDIA_NONE, lines, undefined);
    return true;
  }
  exchange.detach();
  // Whether a file can be read is told when it has been, which takes as long as others keep Node's threads busy.
  const awaitsContent = readable instanceof ReadStream;
  outbox.stream(exchange, result.status, MEDIA_NONE, lines, awaitsContent);
  // One would count against a length.
  const isOpen = headers.contentLength === undefined;
  if (isOpen && result.events?.heartbeat) outbox.heartbeat(exchange, result.events.heartbeat);
  exchange.stream = new ResponseStream(
    exchange,
    readable,
    context,
    outbox,
    {
      declared: headers.contentLength,
      isDirect: !exchange.encrypted && exchange.httpVersion !== '2.0',
      encode: result.events?.encode,
    },
    (error) => {
      responder.failed(exchange, error);
    },
  );
  exchange.stream.start();
  return false;
}

/** Has Rust send what is published: nothing more of it comes here, but for its end where it is followed. */
function respondChannel(exchange: Exchange, result: HttpResult, responder: Responder): boolean {
  const subscribing = result.events?.subscribing;
  if (exchange.cancelled || subscribing === undefined) return true;
  const { outbox, addFields } = responder;
  const { lines: given, contentLength } = writeHeaders(result.headers);
  if (contentLength !== undefined) {
    throw new WapixError(
      'WAPIX_CONTENT_LENGTH_MISMATCH',
      `Content-Length is ${contentLength}, but a subscription has no end`,
    );
  }
  let lines = given;
  if (addFields !== undefined) lines = addFields(exchange, lines);
  exchange.status = result.status;
  if (exchange.method === 'HEAD') {
    outbox.respond(exchange, result.status, MEDIA_NONE, lines, undefined);
    return true;
  }
  exchange.detach();
  exchange.presence = subscribing.presence;
  outbox.stream(exchange, result.status, MEDIA_NONE, lines);
  outbox.subscribe(exchange, subscribing);
  const isWatched = exchange.presence !== undefined || exchange.controller !== undefined;
  return !(isWatched || responder.isFollowed);
}

function mediaOf(result: HttpResult, headers: HeaderText): number {
  if (headers.hasContentType || hasNoContent(result.status)) return MEDIA_NONE;
  if (result.form === 'json') return MEDIA_JSON;
  return result.form === 'text' ? MEDIA_TEXT : MEDIA_NONE;
}

/** Statuses whose responses have no content (RFC 9110, 15.3.5, 15.3.6 and 15.4.5). */
function hasNoContent(status: number): boolean {
  return status === 204 || status === 205 || status === 304;
}

function invalidResult(value: unknown): WapixError {
  let what = `a value of type ${typeof value}`;
  if (value === undefined) what = 'nothing';
  if (value === null) what = 'null';
  return new WapixError(
    'WAPIX_INVALID_RESULT',
    `the handler returned ${what}; return json(…), text(…), stream(…), another of wapix's results, or a Response`,
  );
}
