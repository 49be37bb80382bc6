import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import { routeTable } from './banner.js';
import { type Order, PORTS_ARE_SHARED, type Report } from './messages.js';
import type { ServeOptions } from './options.js';

/** Event streams and slow handlers must not hold up a restart. */
const STOP_DEADLINE_MS = 1_000;

type Listening = Extract<Report, { type: 'listening' }>;

/**
 * Keeps one process serving. A restart loads the routes in a new process while the old one goes on
 * serving, and changes over only once they have loaded: a mistake leaves the last good routes up.
 * The old one stops when the new one listens, so that nobody is refused in between.
 */
export class Supervisor {
  readonly #options: ServeOptions;
  /** The process that serves, or is about to. */
  #serving: ChildProcess | undefined;
  /** The process that loads the routes, to take over. */
  #loading: ChildProcess | undefined;
  /** The process that has loaded them, and is about to listen beside the one that serves. */
  #arriving: ChildProcess | undefined;
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
      else if (message.type === 'listening') this.#onListening(child, message, since);
    });
    child.on('exit', () => this.#onExit(child));
  }

  /** Ends what runs, then this process with 0; at once, with `code`, when called again. */
  stop(code: number): void {
    const others = [this.#loading, this.#arriving];
    if (this.#stopping || !this.#serving) {
      for (const child of [this.#serving, ...others]) child?.kill('SIGKILL');
      process.exit(this.#stopping ? code : 0);
    }
    this.#stopping = true;
    for (const child of others) child?.kill('SIGKILL');
    this.#end(this.#serving);
  }

  #changeOver(child: ChildProcess): void {
    // Overtaken by another restart, or by the end.
    if (child !== this.#loading || this.#stopping) return;
    this.#loading = undefined;
    const takeover = this.#serving !== undefined;
    if (takeover && PORTS_ARE_SHARED) this.#arriving = child;
    else this.#succeed(child);
    tell(child, { type: 'listen', port: this.#port, takeover });
  }

  async #onListening(child: ChildProcess, report: Listening, since: number): Promise<void> {
    if (child === this.#arriving) {
      this.#arriving = undefined;
      // What is asked from then on is answered by the new process only.
      await this.#succeed(child);
    } else if (child !== this.#serving) {
      // Overtaken on its way.
      this.#end(child);
    }
    if (child === this.#serving && !this.#stopping) {
      this.#announce(report, performance.now() - since);
    }
  }

  /** Has `child` serve in place of the process that does; resolves when that one has left. */
  async #succeed(child: ChildProcess): Promise<void> {
    const before = this.#serving;
    this.#serving = child;
    if (before) await this.#end(before);
  }

  /** Ends `child`; resolves when it no longer accepts connections. */
  #end(child: ChildProcess): Promise<void> {
    tell(child, { type: 'stop' });
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_DEADLINE_MS);
    return new Promise((resolve) => {
      child.on('message', ({ type }: Report) => {
        if (type === 'left') resolve();
      });
      child.once('exit', () => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  #announce({ port, url, files }: Listening, ms: number): void {
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
    if (child === this.#loading || child === this.#arriving) {
      if (child === this.#loading) this.#loading = undefined;
      else this.#arriving = undefined;
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
