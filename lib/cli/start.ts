import { constants } from 'node:os';
import type { Server } from '../../index.js';
import { noRoutes, routeTable } from './banner.js';
import type { ServeOptions } from './options.js';
import { renewCertificates } from './renew.js';
import { report } from './report.js';
import { listen, prepare } from './serve.js';

/** Interrupts this close to one another are one, in milliseconds. */
const SAME_INTERRUPT = 100;

/** `wapix start`: serves until a signal ends it. */
export async function start(options: ServeOptions): Promise<void> {
  let server: Server | undefined;
  let stoppingSince = Number.NaN;
  const stop = (signal: 'SIGINT' | 'SIGTERM'): void => {
    // Under `npm start` one Ctrl-C comes twice: from the terminal, and passed on by npm.
    const isRepeated = performance.now() - stoppingSince < SAME_INTERRUPT;
    if (signal === 'SIGINT' && isRepeated) return;
    if (!(Number.isNaN(stoppingSince) && server)) process.exit(128 + constants.signals[signal]);
    stoppingSince = performance.now();
    const { closeDeadline: deadline } = options;
    server.close(deadline === undefined ? {} : { deadline }, () => process.exit(0));
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);

  const prepared = await prepare(options);
  if (prepared.files.length === 0) throw noRoutes(options.routes);
  server = prepared.server;
  const { url } = await listen(server, options);
  server.on('error', (error) => process.exit(report(error)));
  const print = (message: string) => process.stdout.write(`${message}\n`);
  // A log of JSON is that from its first line on.
  const say = prepared.log?.say;
  await renewCertificates(server, options, say ?? ((message) => print(`  ${message}`)));
  if (say) say('listening', { url });
  else print(`${routeTable(prepared.files)}\n  ${url}`);
}
