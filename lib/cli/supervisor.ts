import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import { routeTable } from './banner.js';
import type { Order, Report } from './messages.js';
import type { ServeOptions } from './options.js';

/** Event streams and slow handlers must not hold up a restart. */
const STOP_DEADLINE_MS = 1_000;

/**
 * Keeps one process serving. A restart loads the routes in a new process while the old one goes on
 * serving, and changes over only once they have loaded: a mistake leaves the last good routes up.
 */
export class Supervisor {
  readonly #options: ServeOptions;
  /** The process that serves, or is about to. */
  #serving: ChildProcess | undefined;
  /** The process that loads the routes, to take over. */
  #loading: ChildProcess | undefined;
  #port: number;
  #started = false;
  #stopping = false;
  #table: string | undefined;

  constructor(options: ServeOptions) {
    this.#options = options;
    this.#port = options.port;
  }

  /** Loads the routes, and serves them in place of those there are. */
  restart(): void {
    if (this.#stopping) return;
    const since = performance.now();
    this.#loading?.kill('SIGKILL');
    const child = fork(join(__dirname, 'child.js'), [JSON.stringify(this.#options)]);
    this.#loading = child;
    child.on('message', (message: Report) => {
      if (message.type === 'loaded') this.#changeOver(child);
      else this.#announce(message, performance.now() - since);
    });
    child.on('exit', () => this.#onExit(child));
  }

  /** Ends what runs, then this process with 0; at once, with `code`, when called again. */
  stop(code: number): void {
    const children = [this.#serving, this.#loading].filter((child) => child !== undefined);
    if (this.#stopping || !this.#serving) {
      for (const child of children) child.kill('SIGKILL');
      process.exit(this.#stopping ? code : 0);
    }
    this.#stopping = true;
    this.#loading?.kill('SIGKILL');
    this.#end(this.#serving);
  }

  #changeOver(child: ChildProcess): void {
    // Overtaken by another restart, or by the end.
    if (child !== this.#loading || this.#stopping) return;
    const before = this.#serving;
    this.#serving = child;
    this.#loading = undefined;
    if (before) this.#end(before);
    tell(child, { type: 'listen', port: this.#port, takeover: before !== undefined });
  }

  #end(child: ChildProcess): void {
    tell(child, { type: 'stop' });
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_DEADLINE_MS);
    child.once('exit', () => clearTimeout(timer));
  }

  #announce({ port, url, files }: Extract<Report, { type: 'listening' }>, ms: number): void {
    const table = routeTable(files);
    const changed = table !== this.#table;
    this.#table = table;
    this.#port = port;
    if (changed) process.stdout.write(`${table || '  No route files yet.\n'}\n`);
    process.stdout.write(
      this.#started ? `  ${url}  restarted in ${Math.round(ms)} ms\n` : `  ${url}\n`,
    );
    this.#started = true;
  }

  #onExit(child: ChildProcess): void {
    if (child === this.#loading) {
      this.#loading = undefined;
      if (this.#stopping) return;
      process.stderr.write(
        this.#serving
          ? '  The routes from before the change are still served.\n'
          : '  Waiting for a change.\n',
      );
    } else if (child === this.#serving) {
      this.#serving = undefined;
      if (this.#stopping) process.exit(0);
      // It could not listen: no change of a file will help.
      if (!this.#started) process.exit(child.exitCode ?? 1);
      process.stderr.write('  The server has ended. Waiting for a change.\n');
    }
  }
}

function tell(child: ChildProcess, order: Order): void {
  // With a callback, so that a child that ends just now is no error.
  if (child.connected) child.send(order, () => {});
}
