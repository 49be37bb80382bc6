import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import type { SecureOptions, Server } from '../../index.js';
import { WapixError } from '../errors.js';
import { loadRoutes } from '../routes/load.js';
import type { RouteFile } from '../routes/scan.js';
import { createLoggedServer, createServer } from '../server.js';
import type { Log } from './log.js';
import type { ServeOptions } from './options.js';

/** Does all that can fail without a port: reads the key, loads the routes, makes the server. */
export async function prepare(
  options: ServeOptions,
): Promise<{ server: Server; files: readonly RouteFile[]; log?: Log }> {
  const https = readSecureContext(options);
  const { routes, files } = await loadRoutes(options.routes);
  const { limits, trustProxy, ioThreads, livenessPath } = options;
  const serverOptions = {
    ...limits,
    ...(trustProxy !== undefined && { trustProxy }),
    ...(ioThreads !== undefined && { ioThreads }),
    ...(livenessPath !== undefined && { livenessPath }),
    ...(https && { https }),
  };
  if (!options.log) return { server: createServer(routes, serverOptions), files };
  const log = (await import('./log.js')).openLog();
  return { server: createLoggedServer(routes, serverOptions, log.request), files, log };
}

/** The key and certificates that `--key`, `--cert` and `--ca` name, as they are now. */
export function readSecureContext({ key, cert, ca }: ServeOptions): SecureOptions | undefined {
  if (!key || !cert) return undefined;
  return {
    key: readPem('--key', key),
    cert: readPem('--cert', cert),
    ...(ca && { ca: readPem('--ca', ca) }),
  };
}

/** Where a server listens. */
export interface Listening {
  readonly port: number;
  readonly url: string;
}

/** Listens on `options.port` and `options.host`, together with others if `reusePort`. */
export function listen(
  server: Server,
  options: ServeOptions,
  reusePort = false,
): Promise<Listening> {
  const { port, host } = options;
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port, ...(host !== undefined && { host }), reusePort }, () => {
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
