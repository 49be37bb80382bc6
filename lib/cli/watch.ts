import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { leaveDebuggerPort } from './debugger.js';
import { createFilter, type WatchFilter } from './filter.js';
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
  const debuggerPort = leaveDebuggerPort();
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

  const supervisor = new Supervisor(serve, port, debuggerPort);
  const restart = (): void => {
    supervisor.restart();
    refreshTypes(serve.routes);
  };
  let timer: NodeJS.Timeout | undefined;
  let isChanged = false;
  const added = new Set<string>();
  const settle = (): void => {
    const missed = missedIn(added, watcher.getWatched(), filter);
    added.clear();
    watcher.add(missed);
    if (isChanged || missed.length > 0) restart();
    isChanged = false;
  };
  watcher.on('all', (event, path) => {
    if (event === 'addDir') added.add(path);
    else if (event !== 'unlinkDir' && filter.restarts(path)) isChanged = true;
    else return;
    clearTimeout(timer);
    timer = setTimeout(settle, DEBOUNCE_MS);
  });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => supervisor.stop(128 + constants.signals[signal]));
  }
  restart();
}

/**
 * What is in new directories and is not watched: chokidar reads a directory before it watches it, and
 * what comes in between it never sees.
 */
function missedIn(
  directories: ReadonlySet<string>,
  watched: Readonly<Record<string, readonly string[]>>,
  filter: WatchFilter,
): string[] {
  return [...directories].flatMap((directory) => {
    const known = new Set(watched[directory]);
    return namesIn(directory)
      .filter((name) => !known.has(name))
      .map((name) => join(directory, name))
      .filter((path) => !filter.ignores(path));
  });
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    // It is gone again.
    return [];
  }
}
