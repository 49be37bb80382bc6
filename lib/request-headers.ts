import type { IncomingHttpHeaders } from 'node:http';

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

/** How many sequences of names are kept: clients of one kind send the same ones again and again. */
const MOST_KNOWN = 256;

/** The names of a request's header fields, in the order in which they came. */
interface Names {
  readonly list: readonly string[];
  /** Each stands there once, and has one value. */
  readonly areDistinct: boolean;
}

const known = new Map<string, Names>();

/** The header fields of a request as they crossed the bridge: names, an empty line, values; in lines. */
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

  /** Joined as Node's `message.headers` are. */
  join(): IncomingHttpHeaders {
    const { list, areDistinct } = this.#names;
    const headers: IncomingHttpHeaders = Object.create(null);
    let at = this.#valuesAt;
    for (const name of list) {
      const end = this.#text.indexOf('\n', at);
      const value = this.#text.slice(at, end);
      at = end + 1;
      if (areDistinct) headers[name] = value;
      else add(headers, name, value);
    }
    return headers;
  }

  /** Names and values in turn, as they came. */
  get raw(): string[] {
    const lines: string[] = [];
    let at = this.#valuesAt;
    for (const name of this.#names.list) {
      const end = this.#text.indexOf('\n', at);
      lines.push(name, this.#text.slice(at, end));
      at = end + 1;
    }
    return lines;
  }
}

function namesOf(lines: string): Names {
  const found = known.get(lines);
  if (found !== undefined) return found;
  // In memory of their own, where V8 would keep the whole batch that they are a slice of.
  const own = Buffer.from(lines, 'latin1').toString('latin1');
  const list = own.split('\n').slice(0, -1);
  const areDistinct = new Set(list).size === list.length && !list.includes('set-cookie');
  const names = { list, areDistinct };
  if (known.size === MOST_KNOWN) known.clear();
  known.set(own, names);
  return names;
}

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
