import { isIP } from 'node:net';
import { bindTo, listenError, resolveHost } from '../listen.js';
import { openPort as openNative } from '../native.js';
import type { ServeOptions } from './options.js';

/**
 * Whether processes can be started with a socket that listens, and hand each other connections. Where
 * they cannot, each listens by itself, and the next one tries until the port is free.
 */
export const PORTS_ARE_INHERITED = process.platform !== 'win32';

/** The descriptors of a port, where a process that is started with it finds them. */
export const INHERITED = { listener: 4, arrivals: 5, successor: 6 } as const;

/** A port that somebody listens on and nobody accepts: whoever connects waits until one does. */
export interface Port {
  readonly number: number;
  /** In the order of {@link INHERITED}. */
  readonly descriptors: readonly number[];
}

/** Listens. @throws as `listen` does: `EADDRINUSE` and its like */
export async function openPort({ port, host }: ServeOptions): Promise<Port> {
  const ip = host === undefined || isIP(host) ? host : await lookUp(host);
  const { listening, listener, arrivals, successor } = bindTo(
    ip,
    (ip) => openNative({ ip, port }),
    ({ listening }) => listening.errno,
  );
  if (listening.errno !== undefined) {
    throw listenError(listening.errno, { port, ...(ip !== undefined && { host: ip }) });
  }
  const descriptors = [listener, arrivals, successor].map((descriptor) => descriptor as number);
  return { number: listening.port as number, descriptors };
}

function lookUp(host: string): Promise<string> {
  return new Promise((resolve, reject) => {
    resolveHost(host, (error, ip) => (error ? reject(error) : resolve(ip)));
  });
}
