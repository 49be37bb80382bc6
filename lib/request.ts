import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { type InspectOptions, inspect } from 'node:util';
import type { Request as Contract } from '../index.js';
import { currentContext } from './context.js';
import { parseCookies } from './cookies.js';
import type { Exchange } from './exchange.js';
import { clientIp, clientProtocol, type Trust } from './proxy.js';
import { parseQueryString } from './querystring.js';
import { toIncomingMessage } from './raw.js';

/** What a handler is given. Each property is computed when it is first read. */
export class Request implements Contract {
  readonly #exchange: Exchange;
  readonly #trust: Trust;

  constructor(exchange: Exchange, trust: Trust) {
    this.#exchange = exchange;
    this.#trust = trust;
  }

  get params(): Record<string, string> {
    const exchange = this.#exchange;
    exchange.params ??= readParams(exchange);
    return exchange.params;
  }

  get query(): Record<string, string> {
    const exchange = this.#exchange;
    exchange.query ??= readQuery(exchange.url);
    return exchange.query;
  }

  // biome-ignore lint/suspicious/noExplicitAny: the body's type is the client's until the user states it
  get body(): any {
    const { route, body } = this.#exchange;
    return route.config.streamBody ? this.raw : body;
  }

  get headers(): IncomingHttpHeaders {
    const exchange = this.#exchange;
    exchange.headers ??= exchange.headerFields.join();
    return exchange.headers;
  }

  get cookies(): Record<string, string | undefined> {
    const exchange = this.#exchange;
    exchange.cookies ??= parseCookies(this.headers.cookie);
    return exchange.cookies;
  }

  get method(): string {
    return this.#exchange.method;
  }

  get url(): string {
    return this.#exchange.url;
  }

  get raw(): IncomingMessage {
    const exchange = this.#exchange;
    exchange.raw ??= toIncomingMessage(exchange);
    return exchange.raw;
  }

  get signal(): AbortSignal {
    const exchange = this.#exchange;
    if (exchange.controller === undefined) {
      exchange.controller = new AbortController();
      exchange.context = currentContext();
      if (exchange.expired) exchange.controller.abort(exchange.expired);
      else if (exchange.cancelled || exchange.isBroken) exchange.controller.abort();
    }
    return exchange.controller.signal;
  }

  get lastEventId(): string | undefined {
    const id = this.headers['last-event-id'];
    // What an event had: UTF-8, though header fields cross as Latin-1.
    return id === undefined ? undefined : utf8(String(id));
  }

  get ip(): string {
    const { ip } = this.#exchange;
    if (!this.#trust(ip)) return ip;
    return clientIp(ip, String(this.headers['x-forwarded-for'] ?? ''), this.#trust);
  }

  get protocol(): 'http' | 'https' {
    const { ip, encrypted } = this.#exchange;
    const said = this.#trust(ip) ? String(this.headers['x-forwarded-proto'] ?? '') : '';
    return clientProtocol(said) ?? (encrypted ? 'https' : 'http');
  }

  get rawBody(): Buffer {
    return this.#exchange.content;
  }

  /** What `console.log` shows, which passes over getters. */
  [inspect.custom](_depth: number, options: InspectOptions): string {
    const { method, url, ip, params, query, headers } = this;
    const { body } = this.#exchange;
    return `Request ${inspect({ method, url, ip, params, query, headers, body }, options)}`;
  }

  /** The methods of the path of a request that no route matched, or a handler of OPTIONS has. */
  static allowedOf(request: Request): readonly string[] {
    return request.#exchange.allowed;
  }
}

function readParams(exchange: Exchange): Record<string, string> {
  const params: Record<string, string> = Object.create(null);
  const { parameterNames } = exchange.route;
  for (let index = 0; index < parameterNames.length; index++) {
    params[parameterNames[index] as string] = exchange.parameter(index);
  }
  return params;
}

function readQuery(url: string): Record<string, string> {
  const start = url.indexOf('?');
  const parsed = start < 0 ? {} : parseQueryString(utf8(url.slice(start + 1)));
  const query: Record<string, string> = Object.create(null);
  for (const [key, value] of Object.entries(parsed)) {
    query[key] = (Array.isArray(value) ? value.at(-1) : value) ?? '';
  }
  return query;
}

/** What is not escaped in a URL crosses as bytes, each a character; they mean UTF-8. */
function utf8(latin1: string): string {
  return /[^\0-\x7f]/.test(latin1) ? Buffer.from(latin1, 'latin1').toString() : latin1;
}
