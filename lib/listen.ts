import { constants } from 'node:os';
import { getSystemErrorMap, inspect } from 'node:util';
import type { ListenOptions } from '../index.js';
import { WapixError } from './errors.js';
import { dns } from './lazy.js';
import { unknownName } from './options.js';

/** Descriptors that this process was started with; the server's from then on. */
export interface InheritedPort {
  /** A socket that listens. */
  readonly listener: number;
  /** Where the connections come from that the process before has left. */
  readonly arrivals: number;
}

/** Where to listen, as `listen` was told. */
export interface ListenArguments extends ListenOptions {
  readonly backlog?: number;
  /** In place of an address: what {@link openPort} of another process has opened. */
  readonly inherited?: InheritedPort;
  readonly callback?: () => void;
}

const NAMES = {
  port: '',
  host: '',
  path: '',
  backlog: '',
  reusePort: '',
} satisfies Record<Exclude<keyof ListenArguments, 'inherited' | 'callback'>, string>;

/** Reads the arguments of `listen` as Node's `net.Server` does. */
export function readListenArguments(args: readonly unknown[]): ListenArguments {
  const last = args.at(-1);
  const callback = typeof last === 'function' ? { callback: last as () => void } : {};
  const [first, host, backlog] = args.filter((argument) => typeof argument !== 'function');
  if (typeof first === 'object' && first !== null) {
    const { inherited, ...options } = first as Omit<ListenArguments, 'callback'>;
    // Of Node's some: what is asked for with another is not what would be listened to.
    const unknown = unknownName(options, NAMES);
    if (unknown !== undefined) throw new WapixError('WAPIX_INVALID_OPTION', unknown);
    if (options.path === '') {
      const error = new TypeError("The path of a Unix socket must not be empty. Received ''.");
      throw Object.assign(error, { code: 'ERR_INVALID_ARG_VALUE' });
    }
    return { ...options, ...portOf(options.port), ...(inherited && { inherited }), ...callback };
  }
  if (typeof first === 'string' && !/^\d*$/.test(first)) return { path: first, ...callback };
  return {
    ...portOf(first),
    ...(typeof host === 'string' ? { host } : {}),
    ...(typeof backlog === 'number' ? { backlog } : {}),
    ...callback,
  };
}

function portOf(port: unknown): { port?: number } {
  if (port === undefined || port === null) return {};
  const number = typeof port === 'string' && port.trim() !== '' ? Number(port) : port;
  if (typeof number === 'number' && Number.isInteger(number) && number >= 0 && number < 65536) {
    return { port: number };
  }
  if (typeof number !== 'number' && typeof number !== 'string') {
    const error = new TypeError(`The port must be a number. Received ${String(port)}.`);
    throw Object.assign(error, { code: 'ERR_INVALID_ARG_VALUE' });
  }
  const error = new RangeError(`The port should be >= 0 and < 65536. Received ${inspect(port)}.`);
  throw Object.assign(error, { code: 'ERR_SOCKET_BAD_PORT' });
}

/** Calls back with the IP address of `host`, or with what Node's resolver says. */
export function resolveHost(
  host: string,
  callback: (error: NodeJS.ErrnoException | null, ip: string) => void,
): void {
  dns().lookup(host, callback);
}

/** What binding `::` fails with where the system has no IPv6. */
const NO_IPV6 = new Set(['EAFNOSUPPORT', 'EADDRNOTAVAIL', 'EINVAL']);

/** Binds to `ip`, or to every address: as Node does, every IPv4 address where the system has no IPv6. */
export function bindTo<T>(
  ip: string | undefined,
  bind: (ip: string) => T,
  errnoOf: (bound: T) => number | undefined,
): T {
  const bound = bind(ip ?? '::');
  const errno = errnoOf(bound);
  const isWithoutIpv6 = ip === undefined && errno !== undefined && NO_IPV6.has(nameOf(errno));
  return isWithoutIpv6 ? bind('0.0.0.0') : bound;
}

/** The error that Node's own servers emit where listening fails. */
export function listenError(errno: number, where: ListenOptions): NodeJS.ErrnoException {
  const [number, code, description] = ofLibuv(errno);
  const address = where.path ?? where.host ?? '::';
  const port = where.path === undefined ? where.port : -1;
  const at = port !== undefined && port > 0 ? `${address}:${port}` : address;
  const error: NodeJS.ErrnoException = new Error(`listen ${code}: ${description} ${at}`);
  error.errno = number;
  error.code = code;
  error.syscall = 'listen';
  return Object.assign(error, { address }, port ? { port } : {});
}

/** A number of the system's as libuv's number, name and description: on Windows the numbers differ. */
function ofLibuv(errno: number): readonly [number: number, name: string, description: string] {
  const known = getSystemErrorMap();
  const named = known.get(-errno);
  if (named) return [-errno, ...named];
  const name = nameOf(errno);
  const [number] = [...known].find(([, [candidate]]) => candidate === name) ?? [-errno];
  return [number, ...(known.get(number) ?? ([name, 'unknown error'] as const))];
}

function nameOf(errno: number): string {
  const known = Object.entries(constants.errno).find(
    ([name, value]) => value === errno && !name.startsWith('WSA'),
  );
  const winsock = Object.entries(constants.errno).find(([, value]) => value === errno);
  return known?.[0] ?? winsock?.[0].replace(/^WSA/, '') ?? `E${errno}`;
}
