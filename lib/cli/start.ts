import { constants } from 'node:os';
import type { Server } from '../../index.js';
import { WapixError } from '../errors.js';
import { show } from '../routes/show.js';
import { routeTable } from './banner.js';
import type { ServeOptions } from './options.js';
import { report } from './report.js';
import { listen, prepare } from './serve.js';

/** `wapix start`: serves until a signal ends it. */
export async function start(options: ServeOptions): Promise<void> {
  let server: Server | undefined;
  let stopping = false;
  const stop = (signal: 'SIGINT' | 'SIGTERM'): void => {
    if (stopping || !server) process.exit(128 + constants.signals[signal]);
    stopping = true;
    server.close(() => process.exit(0));
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);

  const prepared = await prepare(options);
  if (prepared.files.length === 0) {
    throw new WapixError(
      'WAPIX_ROUTES_NOT_FOUND',
      `${show(options.routes)} has no route files.\nA route is a file named after its method: get.ts.`,
    );
  }
  server = prepared.server;
  const { url } = await listen(server, options);
  server.on('error', (error) => process.exit(report(error)));
  process.stdout.write(`${routeTable(prepared.files)}\n  ${url}\n`);
}
