import { inspect } from 'node:util';
import type { CloseOptions, SecureOptions, ServerOptions } from '../index.js';
import { WapixError } from './errors.js';
import { crypto } from './lazy.js';

/** Options that are numbers, and what they count. */
export const LIMITS = {
  bodyLimit: 'bytes',
  maxHeaderSize: 'bytes',
  maxHeadersCount: 'header fields',
  maxUrlLength: 'bytes',
  maxConnections: 'connections',
  maxConcurrentRequests: 'requests',
  headersTimeout: 'milliseconds',
  requestTimeout: 'milliseconds',
  keepAliveTimeout: 'milliseconds',
  writeTimeout: 'milliseconds',
} as const;

const NAMES = {
  ...LIMITS,
  cors: '',
  https: '',
  ioThreads: '',
  livenessPath: '',
  onClose: '',
  onError: '',
  onNotFound: '',
  securityHeaders: '',
  trustProxy: '',
} satisfies Record<keyof ServerOptions, string>;

/** @throws `WAPIX_INVALID_OPTION` for one that there is not: a misspelt limit would be none */
export function checkNames(options: ServerOptions): void {
  if (typeof options !== 'object' || options === null) {
    const message = `the options are an object, not ${inspect(options, { depth: 0 })}`;
    throw new WapixError('WAPIX_INVALID_OPTION', message);
  }
  const reason = unknownName(options, NAMES);
  if (reason !== undefined) throw new WapixError('WAPIX_INVALID_OPTION', reason);
}

/** What is wrong with `options`, where one of them is not among the keys of `known`. */
export function unknownName(options: object, known: object): string | undefined {
  const unknown = Object.keys(options).find((name) => !Object.hasOwn(known, name));
  if (unknown === undefined) return undefined;
  return `${JSON.stringify(unknown)} is none of the options ${Object.keys(known).sort().join(', ')}`;
}

/** @throws `WAPIX_INVALID_OPTION` for one that is no function */
export function readFunction<T>(name: string, option: T | undefined): T | undefined {
  if (option === undefined || typeof option === 'function') return option;
  const message = `${name} is a function, not of type ${typeof option}`;
  throw new WapixError('WAPIX_INVALID_OPTION', message);
}

export type Limits = Partial<Record<keyof typeof LIMITS, number>>;

/** @throws `WAPIX_INVALID_OPTION` for one that is no number from 0 on */
export function readLimits(options: ServerOptions): Limits {
  const limits: Limits = {};
  for (const [name, unit] of Object.entries(LIMITS) as [keyof Limits, string][]) {
    const limit = options[name];
    if (limit === undefined) continue;
    if (typeof limit !== 'number' || !(limit >= 0)) {
      const message = `${name} is a number of ${unit}, not ${inspect(limit)}`;
      throw new WapixError('WAPIX_INVALID_OPTION', message);
    }
    limits[name] = limit;
  }
  return limits;
}

/** After how long without an event a comment is sent where nobody says, in milliseconds. */
export const HEARTBEAT = 15_000;
/** What a number of 32 bits can hold: seven weeks of milliseconds. */
const LONGEST = 0xffff_ffff;

/**
 * An option that is a number, as the property `key`; nothing where it is not given.
 *
 * @throws `WAPIX_INVALID_OPTION` for one that is no number from 0 on
 */
export function readLimit<Key extends string>(
  key: Key,
  name: string,
  unit: string,
  value: number | undefined,
): { [key in Key]?: number } {
  if (value === undefined) return {};
  if (typeof value !== 'number' || !(value >= 0)) {
    const message = `${name} is a number of ${unit}, not ${inspect(value)}`;
    throw new WapixError('WAPIX_INVALID_OPTION', message);
  }
  const limit = unit === 'milliseconds' ? Math.min(Math.ceil(value), LONGEST) : value;
  return { [key]: limit } as { [key in Key]?: number };
}

/** What says where I/O is done, where the options do not. */
const IO_THREADS = 'WAPIX_IO_THREADS';

/** As many as the cores of a large machine. */
const MOST_IO_THREADS = 64;

/** What `ioThreads` may be. */
export const IO_THREADS_RANGE = `a whole number from 0 to ${MOST_IO_THREADS}`;

/** Whether there is an event loop to serve in; Bun has libuv's functions only to abort in them. */
export const HAS_EVENT_LOOP = !('bun' in process.versions || 'deno' in process.versions);

/**
 * How many threads do I/O, where anybody says, or there is no choice.
 *
 * @throws `WAPIX_INVALID_OPTION` for anything but a whole number from 0 to 64
 */
export function readIoThreads(options: ServerOptions): number | undefined {
  // Empty is as good as not set, as of PORT.
  const fromEnvironment = process.env[IO_THREADS] || undefined;
  const [name, threads, given] =
    options.ioThreads !== undefined || fromEnvironment === undefined
      ? ['ioThreads', options.ioThreads, options.ioThreads]
      : [IO_THREADS, Number(fromEnvironment), fromEnvironment];
  if (threads === undefined || isIoThreads(threads)) return threads;
  const message = `${name} is ${IO_THREADS_RANGE}, not ${inspect(given)}`;
  throw new WapixError('WAPIX_INVALID_OPTION', message);
}

/** Whether there can be so many threads that do I/O. */
export function isIoThreads(threads: number): boolean {
  return Number.isInteger(threads) && threads >= 0 && threads <= MOST_IO_THREADS;
}

/**
 * The path that is answered as long as the server lives, where one is wanted.
 *
 * @throws `WAPIX_INVALID_OPTION` for what no request could ask for
 */
export function readLivenessPath({ livenessPath }: ServerOptions): string | undefined {
  if (livenessPath === undefined) return undefined;
  if (
    typeof livenessPath === 'string' &&
    /^\/[!-~]*$/.test(livenessPath) &&
    !/[?#]/.test(livenessPath)
  ) {
    return livenessPath;
  }
  throw new WapixError(
    'WAPIX_INVALID_OPTION',
    `livenessPath is a path such as '/healthz', not ${JSON.stringify(livenessPath)}`,
  );
}

/** How long `close` lets requests in flight finish where nobody says, in milliseconds. */
const CLOSE_DEADLINE = 10_000;

const CLOSE_NAMES = { deadline: '' } satisfies Record<keyof CloseOptions, string>;

/** @throws `WAPIX_INVALID_OPTION` for one that is no number from 0 on, and for what is none of the options */
export function readDeadline(options: CloseOptions | undefined): number {
  if (typeof options !== 'object' && options !== undefined) {
    const message = `close takes { deadline }, and a callback, not ${inspect(options)}`;
    throw new WapixError('WAPIX_INVALID_OPTION', message);
  }
  const unknown = unknownName(options ?? {}, CLOSE_NAMES);
  if (unknown !== undefined) throw new WapixError('WAPIX_INVALID_OPTION', unknown);
  const deadline = options?.deadline ?? CLOSE_DEADLINE;
  if (typeof deadline !== 'number' || !(deadline >= 0)) {
    const message = `deadline is a number of milliseconds, not ${inspect(deadline)}`;
    throw new WapixError('WAPIX_INVALID_OPTION', message);
  }
  return Math.min(deadline, LONGEST);
}

/** What HTTPS needs, as Rust reads it (PEM). */
export interface SecureContext {
  readonly key: Buffer;
  readonly cert: Buffer;
  readonly ca?: Buffer;
}

/**
 * Reads `https`, the key decrypted.
 *
 * @throws `WAPIX_INVALID_TLS` where one is missing, or the passphrase is not the key's
 */
export function readTls(options: SecureOptions): SecureContext {
  const { key, cert, ca, passphrase } = options;
  if (!key || !cert) {
    const missing = key ? 'cert' : 'key';
    const message = `https: \`${missing}\` is missing; HTTPS needs \`key\` and \`cert\` (PEM)`;
    throw new WapixError('WAPIX_INVALID_TLS', message);
  }
  return {
    key: passphrase === undefined ? Buffer.from(key) : decrypt(key, passphrase),
    cert: Buffer.from(cert),
    ...(ca !== undefined && { ca: Buffer.from(ca) }),
  };
}

function decrypt(key: string | Buffer, passphrase: string): Buffer {
  try {
    const decrypted = crypto().createPrivateKey({ key, passphrase });
    return Buffer.from(decrypted.export({ type: 'pkcs8', format: 'pem' }));
  } catch (cause) {
    const reason = (cause as Error).message;
    throw new WapixError(
      'WAPIX_INVALID_TLS',
      `\`key\` cannot be decrypted with \`passphrase\`: ${reason}`,
      { cause },
    );
  }
}
