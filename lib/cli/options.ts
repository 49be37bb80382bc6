import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { type ParseArgsConfig, parseArgs } from 'node:util';
import { WapixError } from '../errors.js';
import { IO_THREADS_RANGE, isIoThreads, LIMITS, type Limits } from '../options.js';

/** What to serve and where; plain data, as it is handed to the process that serves. */
export interface ServeOptions {
  readonly port: number;
  readonly host?: string;
  /** The routes directory, an absolute path. */
  readonly routes: string;
  /** Files. */
  readonly key?: string;
  readonly cert?: string;
  readonly ca?: string;
  readonly limits: Limits;
  readonly trustProxy?: true | readonly string[];
  readonly ioThreads?: number;
  readonly livenessPath?: string;
  /** How long requests in flight may take to finish once it is stopped, in milliseconds. */
  readonly closeDeadline?: number;
  /** Whether each request is logged. */
  readonly log?: true;
}

/** Globs of the files whose changes restart the server. */
export interface WatchOptions {
  readonly include: readonly string[];
  readonly exclude: readonly string[];
}

/** A command line, understood. */
export type Command =
  | { readonly name: 'help' }
  | { readonly name: 'version' }
  /** With the routes directory, an absolute path. */
  | { readonly name: 'types'; readonly routes: string }
  | {
      readonly name: 'routes';
      /** The routes directory, an absolute path. */
      readonly routes: string;
      readonly notice?: string;
    }
  | {
      readonly name: 'start';
      readonly serve: ServeOptions;
      readonly watch?: WatchOptions;
      /** Something the user did not ask for in so many words. */
      readonly notice?: string;
    };

const ROUTES_OPTIONS = {
  routes: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean', short: 'v' },
} as const;

const START_OPTIONS = {
  ...ROUTES_OPTIONS,
  port: { type: 'string', short: 'p' },
  host: { type: 'string' },
  watch: { type: 'boolean' },
  key: { type: 'string' },
  cert: { type: 'string' },
  ca: { type: 'string' },
  'trust-proxy': { type: 'string', multiple: true },
  'close-deadline': { type: 'string' },
  'io-threads': { type: 'string' },
  'liveness-path': { type: 'string' },
  log: { type: 'boolean' },
} as const;

/** The options of `createServer` that are numbers, by the names that they have here. */
const LIMIT_OPTIONS = new Map(
  (Object.keys(LIMITS) as (keyof Limits)[]).map((name) => [
    name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`),
    name,
  ]),
);

const DEV_OPTIONS = {
  ...START_OPTIONS,
  include: { type: 'string', short: 'i', multiple: true },
  exclude: { type: 'string', short: 'e', multiple: true },
} as const;

/**
 * Reads a command line.
 *
 * @param args - what follows `wapix`
 * @throws `WAPIX_INVALID_OPTION` for one that cannot be followed, `WAPIX_ROUTES_NOT_FOUND` where no
 *   routes directory is named and the default ones do not exist
 */
export function readCommand(args: readonly string[], env: NodeJS.ProcessEnv): Command {
  const [command, ...rest] = args;
  if (command === 'types') return readTypes(rest);
  if (command !== 'start' && command !== 'dev' && command !== 'routes') return readBare(args);

  const values = parse(optionsOf(command), rest);
  if (values.help) return { name: 'help' };
  if (values.version) return { name: 'version' };
  if (command === 'routes') {
    const { directory, notice } = findRoutes(values.routes, false);
    return { name: 'routes', routes: directory, ...(notice !== undefined && { notice }) };
  }
  if ((values.key === undefined) !== (values.cert === undefined)) {
    const [given, missing] = values.key !== undefined ? ['--key', '--cert'] : ['--cert', '--key'];
    throw invalid(
      `${given} without ${missing}: HTTPS needs both, and plain HTTP was not asked for.`,
    );
  }
  if (values.ca !== undefined && values.cert === undefined) {
    throw invalid('--ca without --key and --cert: client certificates are of HTTPS.');
  }
  const watch = command === 'dev' || values.watch === true;
  if (watch && values['close-deadline'] !== undefined) {
    throw invalid('--close-deadline is of start: dev always waits a second.');
  }
  const { directory, notice } = findRoutes(values.routes, watch);
  return {
    name: 'start',
    serve: {
      port: readPort(values.port, env.PORT),
      routes: directory,
      ...(values.host !== undefined && { host: values.host }),
      ...(values.key !== undefined && { key: values.key }),
      ...(values.cert !== undefined && { cert: values.cert }),
      ...(values.ca !== undefined && { ca: values.ca }),
      limits: readLimits(values),
      ...(values['trust-proxy'] && { trustProxy: readTrust(values['trust-proxy']) }),
      ...(values['io-threads'] !== undefined && { ioThreads: readIoThreads(values['io-threads']) }),
      ...(values['liveness-path'] !== undefined && { livenessPath: values['liveness-path'] }),
      ...(values['close-deadline'] !== undefined && {
        closeDeadline: readNumber('--close-deadline', values['close-deadline']),
      }),
      ...(values.log && { log: true }),
    },
    ...(watch && { watch: { include: values.include ?? [], exclude: values.exclude ?? [] } }),
    ...(notice !== undefined && { notice }),
  };
}

const TYPES_OPTIONS = {
  routes: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const;

function readTypes(args: string[]): Command {
  const { help, routes } = parse(TYPES_OPTIONS, args);
  if (help) return { name: 'help' };
  // As `wapix dev`: types are of sources.
  return { name: 'types', routes: findRoutes(routes, true).directory };
}

function readBare(args: readonly string[]): Command {
  const [first] = args;
  if (first === '--help' || first === '-h') return { name: 'help' };
  if (first === '--version' || first === '-v') return { name: 'version' };
  throw invalid(
    first === undefined || first.startsWith('-')
      ? 'No command: wapix start, wapix dev, wapix routes or wapix types.'
      : `Unknown command "${first}": wapix start, wapix dev, wapix routes or wapix types.`,
  );
}

interface Values {
  port?: string;
  host?: string;
  routes?: string;
  watch?: boolean;
  key?: string;
  cert?: string;
  ca?: string;
  'trust-proxy'?: string[];
  'close-deadline'?: string;
  'io-threads'?: string;
  'liveness-path'?: string;
  log?: boolean;
  help?: boolean;
  version?: boolean;
  include?: string[];
  exclude?: string[];
}

type Options = NonNullable<ParseArgsConfig['options']>;

function optionsOf(command: 'start' | 'dev' | 'routes'): Options {
  if (command === 'routes') return ROUTES_OPTIONS;
  const options: Options = { ...(command === 'dev' ? DEV_OPTIONS : START_OPTIONS) };
  for (const name of LIMIT_OPTIONS.keys()) options[name] = { type: 'string' };
  return options;
}

function parse(options: Options, args: string[]): Values {
  try {
    return parseArgs({ args, options }).values as Values;
  } catch (error) {
    throw invalid((error as Error).message);
  }
}

function readLimits(values: Values): Limits {
  const limits: Limits = {};
  for (const [option, name] of LIMIT_OPTIONS) {
    const text = (values as Record<string, string | undefined>)[option];
    if (text !== undefined) limits[name] = readNumber(`--${option}`, text);
  }
  return limits;
}

function readNumber(option: string, text: string): number {
  if (!/^\d+$/.test(text)) throw invalid(`${option} is "${text}": it is a whole number from 0 on.`);
  return Number(text);
}

function readIoThreads(text: string): number {
  const threads = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (isIoThreads(threads)) return threads;
  throw invalid(`--io-threads is "${text}": it is ${IO_THREADS_RANGE}.`);
}

function readTrust(words: readonly string[]): true | readonly string[] {
  return words.includes('true') ? true : words;
}

function readPort(option: string | undefined, variable: string | undefined): number {
  const [text, from] = option === undefined ? [variable || '3000', 'PORT'] : [option, '--port'];
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > 65535) {
    throw invalid(`${from} is "${text}": a port is a whole number from 0 to 65535.`);
  }
  return port;
}

function findRoutes(
  option: string | undefined,
  watch: boolean,
): { directory: string; notice?: string } {
  if (option !== undefined) {
    if (existsSync(option)) return { directory: resolve(option) };
    throw notFound(`There is no ${option}`);
  }
  const [source, compiled] = [resolve('src/routes'), resolve('lib/routes')];
  if (!watch && existsSync(compiled)) return { directory: compiled };
  if (existsSync(source)) {
    return watch
      ? { directory: source }
      : { directory: source, notice: 'There is no ./lib/routes: serving ./src/routes.' };
  }
  throw notFound(`There is no ${watch ? './src/routes' : './lib/routes or ./src/routes'}`);
}

function notFound(what: string): WapixError {
  return new WapixError(
    'WAPIX_ROUTES_NOT_FOUND',
    `${what} in ${process.cwd()}.\n` +
      'Create it, with a file such as get.ts in it, or name the directory: --routes DIR.',
  );
}

function invalid(message: string): WapixError {
  return new WapixError('WAPIX_INVALID_OPTION', `${message}\nSee wapix --help.`);
}
