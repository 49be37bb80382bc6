import { once } from 'node:events';
import type { Server } from '../../index.js';
import type { ServeOptions } from './options.js';
import { report } from './report.js';
import { readSecureContext } from './serve.js';

/** By looking: of a link, which is what renewals change, the system watches only what it leads to. */
const WATCH = { ignoreInitial: true, usePolling: true, interval: 500 };
/** A key and its certificate are renewed as two files: both are there then. */
const DEBOUNCE_MS = 200;

/** Has `server` use the key and certificate of the command line whenever their files change. */
export async function renewCertificates(
  server: Server,
  options: ServeOptions,
  say: (message: string) => void,
): Promise<void> {
  const { key, cert, ca } = options;
  if (key === undefined || cert === undefined) return;
  // An ES module only.
  const chokidar = await import('chokidar');
  const watcher = chokidar.watch([key, cert, ...(ca === undefined ? [] : [ca])], WATCH);
  let timer: NodeJS.Timeout | undefined;
  const renew = (): void => {
    try {
      const secure = readSecureContext(options);
      if (secure) server.setSecureContext(secure);
      say('The new certificate is in use.');
    } catch (error) {
      // The other file may be about to follow; until then the old ones serve.
      report(error);
    }
  };
  watcher.on('all', () => {
    clearTimeout(timer);
    timer = setTimeout(renew, DEBOUNCE_MS);
  });
  watcher.on('error', report);
  // Whatever is changed once the URL is printed is noticed.
  await once(watcher, 'ready');
  server.once('close', () => watcher.close());
}
