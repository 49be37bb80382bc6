import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import type { Request, RequestHandler, RouteEntry, Routes, ServerOptions } from '../../index.js';
import { logFailure } from '../failure-log.js';
import { answerTo } from '../respond.js';
import { noContent, notFound, status, stream } from '../result.js';
import { renderErrorPage } from './error-page.js';
import { type Mistake, toMistake } from './mistake.js';
import { reportFrame } from './report.js';

type Result = ReturnType<RequestHandler>;

/** The header field by which a page that is shown asks for word of the next change. */
const WATCH = 'wapix-dev';

/**
 * What `wapix dev` shows in a browser: a page in place of the 500 where a handler fails and, while
 * the routes cannot be loaded, a page wherever it goes. Whoever is no browser that goes somewhere gets
 * what the routes answer.
 */
export class ErrorPages {
  /** Why the routes could not be loaded the last time, where they could not. */
  #mistake: Mistake | undefined;
  /** A page that was made at another time is out of date. */
  #version = 0;
  #isAlone = false;
  readonly #watching = new Set<Readable>();

  /** Shows `mistake` from now on. */
  show(mistake: Mistake): void {
    this.#mistake = mistake;
    this.#version += 1;
    for (const readable of this.#watching) readable.push(null);
    this.#watching.clear();
  }

  /** `routes` with the pages before them. */
  before(routes: Routes): Routes {
    const wrap =
      (handler: RequestHandler): RequestHandler =>
      (req) =>
        this.#answer(req) ?? handler(req);
    const entries = Object.entries(routes).map(([path, handlers]) => {
      const wrapped = Object.entries(handlers as Record<string, RouteEntry>).map(
        ([method, entry]) => [
          method,
          typeof entry === 'function' ? wrap(entry) : { ...entry, handler: wrap(entry.handler) },
        ],
      );
      return [path, Object.fromEntries(wrapped)];
    });
    return Object.fromEntries(entries);
  }

  /** `options` with the pages in place of what the server itself would answer. */
  within(options: ServerOptions): ServerOptions {
    const { onNotFound = () => notFound({ error: 'Not Found' }), onError } = options;
    return {
      ...options,
      onError: onError ?? ((error, req) => this.#recover(error, req)),
      onNotFound: (req) => this.#answer(req) ?? onNotFound(req),
    };
  }

  /** Of a server that has nothing but the mistake to show. */
  alone(): ServerOptions {
    this.#isAlone = true;
    const unavailable = { error: 'Service Unavailable', message: 'wapix dev waits for a change' };
    return { onNotFound: (req) => this.#answer(req) ?? status(503, unavailable) };
  }

  #answer(req: Request): Result | undefined {
    if (req.headers[WATCH] !== undefined) return this.#watch(req.headers[WATCH]);
    if (!this.#mistake || !isNavigation(req)) return undefined;
    const note = this.#isAlone
      ? 'There are no routes to serve.'
      : 'A client that is no browser gets what the routes from before the change answer.';
    return this.#page('The last change cannot be served.', this.#mistake, note);
  }

  #recover(error: unknown, req: Request): Result {
    logFailure(req, error);
    reportFrame(error);
    const { status: code, content } = answerTo(error);
    if (!isNavigation(req)) return status(code, content);
    const note = `A client that is no browser gets ${code} ${JSON.stringify(content)}.`;
    return this.#page(`${req.method} ${req.url} failed.`, toMistake(error), note, code);
  }

  /** Ends at the next change: with another mistake, or with this process's serving. */
  #watch(version: unknown): Result {
    if (version !== this.#shown) return noContent();
    const readable = new Readable({ read() {} });
    this.#watching.add(readable);
    readable.once('close', () => this.#watching.delete(readable));
    return stream(readable, 'text/event-stream');
  }

  #page(what: string, mistake: Mistake, note: string, code = 500): Response {
    const nonce = randomBytes(16).toString('base64');
    const page = renderErrorPage({ what, mistake, note, watch: [WATCH, this.#shown], nonce });
    const allowed = `'nonce-${nonce}'`;
    return new Response(page, {
      status: code,
      headers: {
        'content-type': 'text/html; charset=utf-8',
        'cache-control': 'no-store',
        'content-security-policy': `default-src 'none'; connect-src 'self'; img-src data:; script-src ${allowed}; style-src ${allowed}`,
      },
    });
  }

  get #shown(): string {
    return `${process.pid}.${this.#version}`;
  }
}

/** Whether a browser goes to a page; over plain HTTP some say so by what they accept only. */
function isNavigation({ headers }: Request): boolean {
  const mode = headers['sec-fetch-mode'];
  if (mode !== undefined) return mode === 'navigate';
  return headers.accept?.includes('text/html') ?? false;
}
