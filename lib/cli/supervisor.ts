import { type ChildProcess, fork } from 'node:child_process';
import { closeSync } from 'node:fs';
import { join } from 'node:path';
import { routeTable } from './banner.js';
import type { DebuggerPort } from './debugger.js';
import type { Order, Report } from './messages.js';
import type { Mistake } from './mistake.js';
import type { ServeOptions } from './options.js';
import type { Port } from './port.js';

/** Event streams and slow handlers must not hold up the end. */
const STOP_DEADLINE_MS = 1_000;
/** Somewhat more than a process that leaves lets requests in flight finish. */
const LEAVE_DEADLINE_MS = 11_000;

type Listening = Extract<Report, { type: 'listening' }>;

/**
 * Keeps one process serving. A restart loads the routes in a new process while the old one goes on
 * serving, and changes over only once they have loaded: a mistake leaves the last good routes up.
 * All share one listening socket, so that nobody is refused in between, and the old process hands its
 * idle connections to the new one.
 */
export class Supervisor {
  readonly #options: ServeOptions;
  readonly #shared: Port | undefined;
  readonly #debuggerPort: DebuggerPort | undefined;
  /** A process that has been started to load the routes at the next change. */
  #spare: ChildProcess | undefined;
  /** The process that loads the routes, to take over. */
  #loading: ChildProcess | undefined;
  /** The process that serves, or is about to. */
  #serving: ChildProcess | undefined;
  /** Whether it serves routes, and not why there are none. */
  #servesRoutes = false;
  #port: number;
  #started = false;
  #stopping = false;
  #table: string | undefined;

  /**
   * @param shared - what to listen on; without it, each process listens by itself
   * @param debuggerPort - where the process that serves waits for a debugger, if it is to
   */
  constructor(
    options: ServeOptions,
    shared: Port | undefined,
    debuggerPort: DebuggerPort | undefined,
  ) {
    this.#options = options;
    this.#shared = shared;
    this.#debuggerPort = debuggerPort;
    this.#port = shared?.number ?? options.port;
  }

  /** Loads the routes, and serves them in place of those there are. */
  restart(): void {
    if (this.#stopping) return;
    const since = performance.now();
    this.#loading?.kill('SIGKILL');
    const child = this.#takeSpare();
    this.#loading = child;
    let before: Promise<void> | undefined;
    child.on('message', (message: Report) => {
      if (message.type === 'loaded') before = this.#changeOver(child);
      else if (message.type === 'failed' && child === this.#loading) {
        this.#onMistake(child, message.mistake);
      } else if (message.type === 'listening') {
        before?.then(() => this.#announce(child, message, performance.now() - since));
      }
    });
    tell(child, { type: 'load' });
  }

  /** Ends what runs, then this process with 0; at once, with `code`, when called again. */
  stop(code: number): void {
    if (this.#stopping || !this.#serving) {
      for (const child of [this.#serving, this.#loading, this.#spare]) child?.kill('SIGKILL');
      process.exit(this.#stopping ? code : 0);
    }
    this.#stopping = true;
    for (const child of [this.#loading, this.#spare]) child?.kill('SIGKILL');
    // Else the system would go on letting clients connect to a port that nobody serves.
    for (const descriptor of this.#shared?.descriptors ?? []) closeSync(descriptor);
    this.#end(this.#serving, { type: 'stop' }, STOP_DEADLINE_MS);
  }

  #takeSpare(): ChildProcess {
    const child = this.#spare ?? this.#fork();
    this.#spare = undefined;
    return child;
  }

  #fork(): ChildProcess {
    const { descriptors = [] } = this.#shared ?? {};
    const child = fork(join(__dirname, 'child.js'), [JSON.stringify(this.#options)], {
      stdio: ['inherit', 'inherit', 'inherit', 'ipc', ...descriptors],
    });
    child.on('exit', () => this.#onExit(child));
    return child;
  }

  /** Has `child` serve in place of the process that does; resolves when that one has left. */
  async #changeOver(child: ChildProcess): Promise<void> {
    // Overtaken by another restart, or by the end.
    if (child !== this.#loading || this.#stopping) return;
    this.#loading = undefined;
    const before = this.#serving;
    this.#serving = child;
    this.#servesRoutes = true;
    const left = before && this.#end(before, { type: 'leave' }, LEAVE_DEADLINE_MS);
    tell(child, { type: 'listen', port: this.#port, takeover: before !== undefined });
    await left;
  }

  /**
   * The routes could not be loaded: those before go on serving, and show why in a browser. Where there
   * are none, `child` shows it.
   */
  #onMistake(child: ChildProcess, mistake: Mistake): void {
    this.#loading = undefined;
    if (this.#stopping) return;
    if (this.#serving) {
      tell(this.#serving, { type: 'show', mistake });
      child.kill('SIGKILL');
    } else {
      this.#serveMistake(child, mistake);
    }
    this.#spare ??= this.#fork();
    process.stderr.write(
      this.#servesRoutes
        ? '  The routes from before the change are still served.\n'
        : '  Waiting for a change.\n',
    );
  }

  #serveMistake(child: ChildProcess, mistake: Mistake): void {
    this.#serving = child;
    this.#servesRoutes = false;
    tell(child, { type: 'show', mistake });
    tell(child, { type: 'listen', port: this.#port, takeover: false });
  }

  /** Ends `child`; resolves when it no longer accepts connections. */
  #end(child: ChildProcess, order: Order, deadline: number): Promise<void> {
    tell(child, order);
    const timer = setTimeout(() => child.kill('SIGKILL'), deadline);
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

  #announce(child: ChildProcess, { port, url, files }: Listening, ms: number): void {
    if (child !== this.#serving || this.#stopping || !files) return;
    if (this.#debuggerPort) tell(child, { type: 'debug', at: this.#debuggerPort });
    const table = routeTable(files);
    const changed = table !== this.#table;
    this.#table = table;
    this.#port = port;
    if (changed) process.stdout.write(`${table || '  No route files yet.\n'}\n`);
    process.stdout.write(
      this.#started ? `  ${url}  restarted in ${Math.round(ms)} ms\n` : `  ${url}\n`,
    );
    this.#started = true;
    this.#spare ??= this.#fork();
  }

  #onExit(child: ChildProcess): void {
    if (child === this.#spare) this.#spare = undefined;
    else if (child === this.#loading && !this.#stopping) {
      const title = 'The routes could not be loaded';
      process.stderr.write(`  ${title}: the process has ended ${how(child)}.\n`);
      const mistake = ended(title, child);
      this.#onMistake(this.#serving ? child : this.#takeSpare(), mistake);
    } else if (child === this.#serving) {
      this.#serving = undefined;
      if (this.#stopping) process.exit(0);
      // It could not listen: no change of a file will help.
      if (!this.#started && !this.#shared) process.exit(child.exitCode ?? 1);
      process.stderr.write(`  The server has ended ${how(child)}. Waiting for a change.\n`);
      // Not once more where it was the mistake that could not be shown.
      if (!this.#servesRoutes) return;
      this.#serveMistake(this.#takeSpare(), ended('The server has ended', child));
      this.#spare = this.#fork();
    }
  }
}

/** What there is to say of a process that has ended by itself. */
function ended(title: string, child: ChildProcess): Mistake {
  return { title, text: `The process has ended ${how(child)}. The terminal may say why.` };
}

function how({ exitCode, signalCode }: ChildProcess): string {
  return exitCode === null ? `by ${signalCode}` : `with exit code ${exitCode}`;
}

function tell(child: ChildProcess, order: Order): void {
  // With a callback, so that a child that ends just now is no error.
  if (child.connected) child.send(order, () => {});
}
