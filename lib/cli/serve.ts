import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import type { SecureOptions, Server, ServerOptions } from '../../index.js';
import { WapixError } from '../errors.js';
import type { InheritedPort, ListenArguments } from '../listen.js';
import { loadRoutes } from '../routes/load.js';
import type { RouteFile } from '../routes/scan.js';
import { createLoggedServer, createServer } from '../server.js';
import type { ErrorPages } from './error-pages.js';
import type { Log } from './log.js';
import type { ServeOptions } from './options.js';

/** What is ready to serve. */
export interface Prepared {
  readonly server: Server;
  readonly files: readonly RouteFile[];
  readonly log?: Log;
}

/** Does all that can fail without a port: reads the key, loads the routes, makes the server. */
export async function prepare(options: ServeOptions, pages?: ErrorPages): Promise<Prepared> {
  const { routes, files, options: fromFile } = await loadRoutes(options.routes);
  const own = { ...fromFile, ...serverOptions(options) };
  const served = pages ? pages.before(routes) : routes;
  const settings = pages ? pages.within(own) : own;
  if (!options.log) return { server: createServer(served, settings), files };
  const log = (await import('./log.js')).openLog();
  return { server: createLoggedServer(served, settings, log.request), files, log };
}

/** A server that has nothing but an error page. */
export function prepareAlone(options: ServeOptions, pages: ErrorPages): Server {
  return createServer({}, { ...serverOptions(options), ...pages.alone() });
}

function serverOptions(options: ServeOptions): ServerOptions {
  const https = readSecureContext(options);
  const { limits, trustProxy, ioThreads, livenessPath } = options;
  return {
    ...limits,
    ...(trustProxy !== undefined && { trustProxy }),
    ...(ioThreads !== undefined && { ioThreads }),
    ...(livenessPath !== undefined && { livenessPath }),
    ...(https && { https }),
  };
}

/** The key and certificates that `--key`, `--cert` and `--ca` name, as they are now. */
export function readSecureContext({ key, cert, ca }: ServeOptions): SecureOptions | undefined {
  if (key === undefined || cert === undefined) return undefined;
  return {
    key: readPem('--key', key),
    cert: readPem('--cert', cert),
    ...(ca !== undefined && { ca: readPem('--ca', ca) }),
  };
}

/** Where a server listens. */
export interface Listening {
  readonly port: number;
  readonly url: string;
}

/** Listens on `options.port` and `options.host`, or on the port that this process was started with. */
export function listen(
  server: Server,
  options: ServeOptions,
  inherited?: InheritedPort,
): Promise<Listening> {
  const { port, host } = options;
  const where: ListenArguments = inherited
    ? { inherited }
    : { port, ...(host !== undefined && { host }) };
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(where, () => {
      server.off('error', reject);
      const { port } = server.address() as AddressInfo;
      resolve({ port, url: urlOf(options, port) });
    });
  });
}

function urlOf({ host, key }: ServeOptions, port: number): string {
  const everywhere = host === undefined || host === '' || host === '0.0.0.0' || host === '::';
  const name = everywhere ? 'localhost' : host.includes(':') ? `[${host}]` : host;
  return `${key ? 'https' : 'http'}://${name}:${port}`;
}

function readPem(option: string, file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    const reason = (cause as Error).message;
    throw new WapixError('WAPIX_INVALID_OPTION', `${option} cannot be read: ${reason}`);
  }
}
