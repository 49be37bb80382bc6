import { EventEmitter } from 'node:events';
import { type AddressInfo, isIP } from 'node:net';
import type { BindingListening } from '../binding/index.js';
import type {
  CloseOptions,
  Server as Contract,
  Routes,
  SecureOptions,
  ServerOptions,
} from '../index.js';
import type { LogEntry } from './access-log.js';
import { NOBODYS } from './context.js';
import { Dispatcher } from './dispatch.js';
import { fromNative, WapixError } from './errors.js';
import type { Route } from './exchange.js';
import { readHooks } from './hooks.js';
import { Injection } from './inject.js';
import {
  bindTo,
  type ListenArguments,
  listenError,
  readListenArguments,
  resolveHost,
} from './listen.js';
import { type BindingServer, createServer as createNative } from './native.js';
import {
  checkNames,
  HAS_EVENT_LOOP,
  readDeadline,
  readFunction,
  readIoThreads,
  readLimits,
  readLivenessPath,
  readTls,
  unknownName,
} from './options.js';
import { readTrust } from './proxy.js';
import { readRouteConfig } from './route-config.js';
import { nextTick } from './timers.js';

/** How to close for a server that another process takes the place of. */
export interface LeaveOptions extends CloseOptions {
  /** The descriptor of the end of a socket pair to leave connections to, the server's from then on. */
  readonly successor: number;
}

type Callback = (error?: Error) => void;

const METHODS = new Set(['get', 'post', 'put', 'patch', 'delete', 'head', 'options']);

export function createServer(routes: Routes, options: ServerOptions = {}): Contract {
  return new Server(readRoutes(routes), options);
}

/** A server that tells `write` of each request, once it is over; `write` must not throw. */
export function createLoggedServer(
  routes: Routes,
  options: ServerOptions,
  write: (entry: LogEntry) => void,
): Contract {
  return new Server(readRoutes(routes), options, write);
}

class Server extends EventEmitter implements Contract {
  readonly #native: BindingServer;
  /** What takes the work of each thread that does I/O. */
  readonly #onWork: (() => void)[];
  /** How many of these threads have ended. */
  #closed = 0;
  readonly #onClose: ServerOptions['onClose'];
  #ca: Buffer | undefined;
  #address: AddressInfo | string | null = null;
  #state: 'idle' | 'resolving' | 'listening' | 'closing' = 'idle';
  /** Where to listen, once its name is resolved. */
  #sought: unknown;
  #referenced = true;
  /** Made when it is first wanted: what `inject` asks, a server of its own that listens nowhere. */
  readonly #makeInjection: () => Injection;
  #injection: Injection | undefined;

  constructor(own: readonly Route[], options: ServerOptions, write?: (entry: LogEntry) => void) {
    super();
    checkNames(options);
    this.#onClose = readFunction('onClose', options.onClose);
    const { routes, unmatched, hooks } = readHooks(own, options, write);
    const trust = readTrust(options.trustProxy);
    const secure = options.https && readTls(options.https);
    this.#ca = secure?.ca;
    const ioThreads = readIoThreads(options);
    const livenessPath = readLivenessPath(options);
    const table = routes.map(({ method, pattern, config: { bodyLimit, streamBody } }) => ({
      method,
      pattern,
      ...(bodyLimit !== undefined && { bodyLimit }),
      ...(streamBody !== undefined && { streamsBody: streamBody }),
    }));
    const settings = {
      ...readLimits(options),
      hasEventLoop: HAS_EVENT_LOOP,
      ...(ioThreads !== undefined && { ioThreads }),
      ...(livenessPath !== undefined && { livenessPath }),
      ...(unmatched && { takesUnmatched: true }),
    };
    const served = unmatched ? [...routes, unmatched] : routes;
    try {
      this.#native = createNative(table, { ...settings, ...secure });
    } catch (error) {
      throw fromNative(error);
    }
    const onWorkOf = (native: BindingServer, onClosed: () => void) =>
      native
        .bridges()
        .map((bridge) => new Dispatcher(bridge, served, trust, hooks, onClosed).onWork);
    this.#onWork = onWorkOf(this.#native, () => this.#onClosed());
    this.#makeInjection = () => {
      // A test's requests are no load for more than one thread.
      const native = createNative(table, { ...settings, ...(ioThreads && { ioThreads: 1 }) });
      return new Injection(native, (onClosed) => onWorkOf(native, onClosed));
    };
  }

  get listening(): boolean {
    return this.#state === 'listening';
  }

  listen(...args: unknown[]): this {
    const where = readListenArguments(args);
    if (this.#state !== 'idle') {
      const error = new Error('Listen method has been called more than once without closing.');
      throw Object.assign(error, { code: 'ERR_SERVER_ALREADY_LISTEN' });
    }
    if (where.callback) this.once('listening', where.callback);
    if (where.path !== undefined || where.host === undefined || isIP(where.host)) {
      this.#bind(where, where.host);
      return this;
    }
    this.#state = 'resolving';
    this.#sought = where;
    resolveHost(where.host, (error, ip) => {
      // Closed meanwhile; and perhaps to listen elsewhere.
      if (this.#state !== 'resolving' || this.#sought !== where) return;
      this.#state = 'idle';
      if (error) this.emit('error', error);
      else this.#bind(where, ip);
    });
    return this;
  }

  close(first?: CloseOptions | LeaveOptions | Callback, second?: Callback): this {
    const [options, callback] = typeof first === 'function' ? [undefined, first] : [first, second];
    const { successor, ...given } = { successor: undefined, ...options };
    const deadline = readDeadline(typeof options === 'object' ? given : options);
    if (this.#state === 'resolving') {
      this.#state = 'idle';
      nextTick(() => this.emit('close'));
      if (callback) this.once('close', () => callback());
      return this;
    }
    if (this.#state !== 'listening') {
      const error = Object.assign(new Error('Server is not running.'), {
        code: 'ERR_SERVER_NOT_RUNNING',
      });
      if (callback && this.#state === 'closing') this.once('close', () => callback(error));
      else if (callback) nextTick(callback, error);
      return this;
    }
    if (callback) this.once('close', () => callback());
    this.#state = 'closing';
    this.#address = null;
    if (successor !== undefined) this.#native.leave(deadline, successor);
    else this.#native.close(deadline);
    return this;
  }

  inject(input: string | URL | globalThis.Request, init?: RequestInit): Promise<Response> {
    this.#injection ??= this.#makeInjection();
    return this.#injection.fetch(input, init);
  }

  setSecureContext(options: SecureOptions): this {
    // Another certificate lets nobody in whom the one before kept out.
    const { key, cert, ca = this.#ca } = readTls(options);
    try {
      this.#native.setSecureContext(key, cert, ca);
    } catch (error) {
      throw fromNative(error);
    }
    this.#ca = ca;
    return this;
  }

  address(): AddressInfo | string | null {
    return this.#address;
  }

  ref(): this {
    this.#referenced = true;
    this.#native.setRef(true);
    return this;
  }

  unref(): this {
    this.#referenced = false;
    this.#native.setRef(false);
    return this;
  }

  #bind(where: ListenArguments, ip: string | undefined): void {
    const { path, backlog } = where;
    const place = where.inherited ?? (path === undefined ? { port: where.port ?? 0 } : { path });
    const bound = bindTo(
      ip,
      (ip) => {
        const options = {
          ...place,
          ip,
          ...(backlog === undefined ? {} : { backlog }),
          ...(where.reusePort ? { reusePort: true } : {}),
        };
        return NOBODYS.runInAsyncScope(() => this.#native.listen(options, this.#onWork));
      },
      ({ errno }) => errno,
    );
    if (bound.errno !== undefined) {
      const error = listenError(bound.errno, ip === undefined ? where : { ...where, host: ip });
      nextTick(() => this.emit('error', error));
      return;
    }
    this.#state = 'listening';
    this.#native.setRef(this.#referenced);
    this.#address = toAddress(bound);
    nextTick(() => {
      // Closed in the meantime: nobody is told that it listens.
      if (this.#state === 'listening') this.emit('listening');
    });
  }

  /** One of the threads that do I/O has ended. */
  #onClosed(): void {
    this.#closed += 1;
    if (this.#closed < this.#onWork.length) return;
    this.#closed = 0;
    this.#native.release();
    this.#address = null;
    const told = () => {
      this.#state = 'idle';
      // Called from the addon, or in a promise, through which no listener may throw.
      nextTick(() => this.emit('close'));
    };
    if (this.#onClose) nextTick(closing, this.#onClose, told);
    else told();
  }
}

/** What closes with the server; then it is told. */
async function closing(onClose: () => unknown, told: () => void): Promise<void> {
  try {
    await onClose();
  } catch (error) {
    console.error('wapix: onClose failed:', error);
  }
  told();
}

function readRoutes(routes: Routes): Route[] {
  const table: Route[] = [];
  if (typeof routes !== 'object' || routes === null) {
    const message = `expected routes by path, { '/': { get } }, not a value of type ${typeof routes}`;
    throw new WapixError('WAPIX_INVALID_ROUTE', message);
  }
  for (const [pattern, handlers] of Object.entries(routes)) {
    if (typeof handlers !== 'object' || handlers === null) {
      const message = `${pattern}: expected handlers by method, { get, post, … }`;
      throw new WapixError('WAPIX_INVALID_ROUTE', message);
    }
    for (const [method, entry] of Object.entries(handlers)) {
      if (entry === undefined) continue;
      const which = `${method.toUpperCase()} ${pattern}`;
      if (!METHODS.has(method)) {
        const known = [...METHODS].join(', ');
        const message = `${pattern}: ${JSON.stringify(method)} is not one of the methods ${known}`;
        throw new WapixError('WAPIX_INVALID_ROUTE', message);
      }
      const { handler, config, ...others } =
        typeof entry === 'object' && entry !== null ? entry : { handler: entry };
      const unknown = unknownName(others, { handler, config });
      if (unknown !== undefined) {
        throw new WapixError('WAPIX_INVALID_ROUTE', `${which}: ${unknown}`);
      }
      if (typeof handler !== 'function') {
        const message = `${which}: the handler is no function but of type ${typeof handler}`;
        throw new WapixError('WAPIX_INVALID_ROUTE', message);
      }
      const parameterNames = pattern
        .split('/')
        .filter((segment) => segment.startsWith(':') || segment.startsWith('*'))
        .map((segment) => segment.slice(1));
      table.push({
        method: method.toUpperCase(),
        pattern,
        handler,
        parameterNames,
        config: readRouteConfig(which, config),
      });
    }
  }
  return table;
}

function toAddress(bound: BindingListening): AddressInfo | string {
  if (bound.path !== undefined) return bound.path;
  const address = bound.ip ?? '';
  return { address, family: isIP(address) === 6 ? 'IPv6' : 'IPv4', port: bound.port ?? 0 };
}
