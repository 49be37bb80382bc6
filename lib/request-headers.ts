import type { IncomingHttpHeaders } from 'node:http';
import { LONG_VALUE } from './bridge/protocol.js';
import { ownText } from './own-text.js';

/** Fields of which only the first counts when they are repeated, as in Node's `message.headers`. */
const FIRST_COUNTS = new Set([
  'age',
  'authorization',
  'content-length',
  'content-type',
  'etag',
  'expires',
  'from',
  'host',
  'if-modified-since',
  'if-unmodified-since',
  'last-modified',
  'location',
  'max-forwards',
  'proxy-authorization',
  'referer',
  'retry-after',
  'server',
  'user-agent',
]);

/**
 * Inherits nothing, as an object of `Object.create(null)`: a header may have any name. But V8 does not keep it as a
 * hash table, which takes three times as long to fill.
 */
const Fields = function Fields() {} as unknown as new () => object;
Fields.prototype = Object.create(null);

/** How many sequences of names are kept: clients of one kind send the same ones again and again. */
const MOST_KNOWN = 256;

/** The names of a request's header fields, in the order in which they came. */
interface Names {
  readonly list: readonly string[];
  /** Each stands there once, and has one value. */
  readonly areDistinct: boolean;
}

const known = new Map<string, Names>();

/** The header fields of a request as they crossed the bridge: names, each in a line, an empty line, values. */
export class HeaderFields {
  readonly #names: Names;
  readonly #text: string;
  readonly #valuesAt: number;

  /** @param start - where the names begin in `text` */
  constructor(text: string, start: number) {
    // No name is empty.
    const end = text.charCodeAt(start) === 10 ? start : text.indexOf('\n\n', start) + 1;
    this.#names = namesOf(text.slice(start, end));
    this.#text = text;
    this.#valuesAt = end + 1;
  }

  /** Whether none was sent twice, and each has a value of its own that is a string. */
  get areDistinct(): boolean {
    return this.#names.areDistinct;
  }

  /** The value of one, the first where it came more than once. */
  first(wanted: string): string | undefined {
    const text = this.#text;
    let at = this.#valuesAt;
    for (const name of this.#names.list) {
      const length = lengthAt(text, at);
      at += length < LONG_VALUE ? 1 : 5;
      if (name === wanted) return text.slice(at, at + length);
      at += length;
    }
    return undefined;
  }

  /** Joined as Node's `message.headers` are. */
  join(): IncomingHttpHeaders {
    const headers = new Fields() as IncomingHttpHeaders;
    this.#each(this.#names.areDistinct ? set : add, headers);
    Object.setPrototypeOf(headers, null);
    return headers;
  }

  /** Names and values in turn, as they came. */
  get raw(): string[] {
    const lines: string[] = [];
    this.#each(push, lines);
    return lines;
  }

  /** Has `put` put every name and value, one after the other, into `to`: without a closure, which costs more. */
  #each<T>(put: (to: T, name: string, value: string) => void, to: T): void {
    const text = this.#text;
    let at = this.#valuesAt;
    for (const name of this.#names.list) {
      const length = lengthAt(text, at);
      at += length < LONG_VALUE ? 1 : 5;
      put(to, name, text.slice(at, at + length));
      at += length;
    }
  }
}

/** Those that a client sends with one request after the other, in memory of their own. */
export class RepeatedHeaderFields {
  readonly #fields: HeaderFields;
  #joined: IncomingHttpHeaders | undefined;

  constructor(text: string) {
    this.#fields = new HeaderFields(ownText(text), 0);
  }

  /** Joined as Node's `message.headers` are: an object of the request's own, which its handler may change. */
  join(): IncomingHttpHeaders {
    if (!this.#fields.areDistinct) return this.#fields.join();
    this.#joined ??= this.#fields.join();
    // V8 copies it as memory, in a third of the time that it takes to fill one.
    const headers = { ...this.#joined };
    Object.setPrototypeOf(headers, null);
    return headers;
  }

  first(wanted: string): string | undefined {
    return this.#fields.first(wanted);
  }

  get raw(): string[] {
    return this.#fields.raw;
  }
}

/** Of the value behind it: one byte, or `LONG_VALUE` and four. */
function lengthAt(text: string, at: number): number {
  const byte = (index: number) => text.charCodeAt(at + index);
  const first = byte(0);
  if (first < LONG_VALUE) return first;
  return byte(1) + (byte(2) << 8) + (byte(3) << 16) + byte(4) * 0x1000000;
}

function namesOf(lines: string): Names {
  const found = known.get(lines);
  if (found !== undefined) return found;
  const own = ownText(lines);
  const list = own.split('\n').slice(0, -1);
  const areDistinct = new Set(list).size === list.length && !list.includes('set-cookie');
  const names = { list, areDistinct };
  if (known.size === MOST_KNOWN) known.clear();
  known.set(own, names);
  return names;
}

function push(lines: string[], name: string, value: string): void {
  lines.push(name, value);
}

function set(headers: IncomingHttpHeaders, name: string, value: string): void {
  headers[name] = value;
}

/** Joins it with what came of that name before. */
function add(headers: IncomingHttpHeaders, name: string, value: string): void {
  const earlier = headers[name];
  if (name === 'set-cookie') {
    headers[name] = [...(earlier ?? []), value];
  } else if (earlier === undefined) {
    headers[name] = value;
  } else if (!FIRST_COUNTS.has(name)) {
    headers[name] = `${earlier}${name === 'cookie' ? '; ' : ', '}${value}`;
  }
}
