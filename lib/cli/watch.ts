import { once } from 'node:events';
import { constants } from 'node:os';
import { createFilter } from './filter.js';
import { linkedPackages } from './linked.js';
import type { ServeOptions, WatchOptions } from './options.js';
import { openPort, PORTS_ARE_INHERITED } from './port.js';
import { report } from './report.js';
import { Supervisor } from './supervisor.js';
import { refreshTypes } from './types.js';

/** An editor that saves several files, or one in several steps, causes one restart. */
const DEBOUNCE_MS = 30;

/** `wapix dev`: serves from a process of its own, a fresh one after each change. */
export async function watch(serve: ServeOptions, options: WatchOptions): Promise<void> {
  const port = PORTS_ARE_INHERITED ? await openPort(serve) : undefined;
  // An ES module only.
  const chokidar = await import('chokidar');
  const project = process.cwd();
  const linked = linkedPackages(project);
  const filter = createFilter(project, serve.routes, linked, options);
  const watcher = chokidar.watch([project, serve.routes, ...linked], {
    ignored: (path) => filter.ignores(path),
    ignoreInitial: true,
  });
  watcher.on('error', (error) => process.exit(report(error)));
  // Before the first start, so that whatever is changed once the URL is printed is noticed.
  await once(watcher, 'ready');

  const supervisor = new Supervisor(serve, port);
  const restart = (): void => {
    supervisor.restart();
    refreshTypes(serve.routes);
  };
  let timer: NodeJS.Timeout | undefined;
  watcher.on('all', (event, path) => {
    if (event === 'addDir' || event === 'unlinkDir' || !filter.restarts(path)) return;
    clearTimeout(timer);
    timer = setTimeout(restart, DEBOUNCE_MS);
  });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => supervisor.stop(128 + constants.signals[signal]));
  }
  restart();
}
