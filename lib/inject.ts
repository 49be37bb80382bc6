import type { ClientRequest, IncomingMessage } from 'node:http';
import { connect, type Socket as NetSocket, Socket } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ReadableStream } from 'node:stream/web';
import { NOBODYS } from './context.js';
import { http } from './lazy.js';
import type { BindingServer } from './native.js';
import { clearTimeout, setTimeout } from './timers.js';

/** Statuses whose `Response` has no body (Fetch Standard, null body status). */
const NULL_BODY = new Set([204, 205, 304]);

/** Windows has no socket pairs, and Bun's sockets take no descriptor. */
const HAS_SOCKET_PAIRS = process.platform !== 'win32' && !('bun' in process.versions);

/** A response of the process's own is no attack: its head may be larger than Node's clients take. */
const LARGEST_HEAD = 2 ** 31 - 1;

/** What a request without an origin is asked of. */
const ORIGIN = 'http://localhost';

/** After how long without a request the server gives back its threads and descriptors, in milliseconds. */
const IDLE = 50;
/** How long what is left of it may take, in milliseconds. */
const CLOSE_DEADLINE = 1000;

/** A server that listens nowhere, asked from within its process. It runs while it is asked: nobody closes it. */
export class Injection {
  readonly #native: BindingServer;
  readonly #onWork: (() => void)[];
  /** While it runs. */
  #connect: (() => NetSocket) | undefined;
  /** How many requests are not over. */
  #asked = 0;
  /** Of the real time, whatever a test makes of its own. */
  #idle: NodeJS.Timeout | undefined;
  #closing: Promise<void> | undefined;
  #onClosed = () => {};

  /** @param onWork - takes what the server has for JavaScript, and tells `onClosed` of its end */
  constructor(native: BindingServer, onWork: (onClosed: () => void) => (() => void)[]) {
    this.#native = native;
    this.#onWork = onWork(() => this.#onClosed());
  }

  #start(): () => NetSocket {
    const native = this.#native;
    if (!HAS_SOCKET_PAIRS) {
      // A port of this machine's own that nobody knows of.
      const { port = 0 } = native.listen({ ip: '127.0.0.1', port: 0 }, this.#onWork);
      native.setRef(false);
      return () => connect(port, '127.0.0.1');
    }
    native.serveNowhere(this.#onWork);
    return () => new Socket({ fd: native.connect(), readable: true, writable: true });
  }

  #isOver(): void {
    this.#asked -= 1;
    if (this.#asked > 0 || !this.#connect) return;
    this.#idle = setTimeout(() => this.#close(), IDLE).unref();
  }

  #close(): void {
    this.#connect = undefined;
    this.#closing = new Promise((resolve) => {
      this.#onClosed = () => {
        this.#native.release();
        this.#closing = undefined;
        resolve();
      };
    });
    this.#native.close(CLOSE_DEADLINE);
  }

  /**
   * Sends a request over a connection of its own.
   *
   * @returns when the response's head has come; rejects where the connection ends before, or there can
   *   be no such request
   */
  async fetch(input: string | URL | Request, init?: RequestInit): Promise<Response> {
    const request = toRequest(input, init);
    const { signal } = request;
    const { pathname, search } = new URL(request.url);
    clearTimeout(this.#idle);
    this.#asked += 1;
    let sent: ClientRequest;
    try {
      while (this.#closing) {
        // Nothing else need keep the process alive.
        this.#native.setRef(true);
        await this.#closing;
      }
      this.#connect ??= NOBODYS.runInAsyncScope(() => this.#start());
      sent = http().request({
        method: request.method,
        path: pathname + search,
        headers: { host: new URL(request.url).host, ...Object.fromEntries(request.headers) },
        createConnection: this.#connect,
        maxHeaderSize: LARGEST_HEAD,
      });
    } catch (error) {
      this.#isOver();
      throw error;
    }
    sent.on('close', () => this.#isOver());
    return new Promise((resolve, reject) => {
      sent.maxHeadersCount = 0;
      const leave = () => sent.destroy(signal.reason);
      if (signal.aborted) leave();
      signal.addEventListener('abort', leave, { once: true });
      sent.on('close', () => signal.removeEventListener('abort', leave));
      sent.on('error', reject);
      sent.on('response', (response) => resolve(toResponse(response, request.method)));
      if (request.body === null) sent.end();
      // As `fetch`, which knows the length of what is no stream, and says so.
      else if (isWhole(init?.body)) {
        const bytes = request.arrayBuffer();
        bytes.then((bytes) => sent.end(Buffer.from(bytes)), reject);
      }
      // Where it fails, so does what is sent, which the listener above hears.
      else pipeline(Readable.fromWeb(request.body as ReadableStream), sent).catch(reject);
    });
  }
}

/** Whether a body is there, and does not come. */
function isWhole(body: RequestInit['body']): boolean {
  if (body === undefined || body === null) return false;
  return typeof body === 'string' || !(Symbol.asyncIterator in body);
}

function toRequest(input: string | URL | Request, init: RequestInit | undefined): Request {
  if (input instanceof Request) return init ? new Request(input, init) : input;
  const url = new URL(input, ORIGIN);
  // A body that is a stream needs it (Fetch Standard).
  const duplex = init?.body instanceof Object ? { duplex: 'half' } : {};
  return new Request(url, { ...duplex, ...init } as RequestInit);
}

function toResponse(message: IncomingMessage, method: string): Response {
  const status = message.statusCode ?? 0;
  const headers = new Headers();
  for (let index = 0; index + 1 < message.rawHeaders.length; index += 2) {
    headers.append(message.rawHeaders[index] as string, message.rawHeaders[index + 1] as string);
  }
  const isNull = NULL_BODY.has(status) || method === 'HEAD';
  if (isNull) message.resume();
  const body = isNull ? null : (Readable.toWeb(message) as ReadableStream<Uint8Array>);
  const { statusMessage = '' } = message;
  return new Response(body as ConstructorParameters<typeof Response>[0], {
    status,
    statusText: statusMessage,
    headers,
  });
}
