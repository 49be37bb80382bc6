/**
 * A process of `wapix dev`. It is started before it is needed, loads the routes when it is told to, and
 * serves them when it is told to: until then the process before it serves.
 */
import { readdirSync, statSync } from 'node:fs';
import type inspector from 'node:inspector';
import { setTimeout } from 'node:timers/promises';
import type { Server } from '../../index.js';
import type { RouteFile } from '../routes/scan.js';
import type { DebuggerPort } from './debugger.js';
import { ErrorPages } from './error-pages.js';
import type { Order, Report } from './messages.js';
import { toMistake } from './mistake.js';
import type { ServeOptions } from './options.js';
import { INHERITED, PORTS_ARE_INHERITED } from './port.js';
import { report } from './report.js';
import type { Listening } from './serve.js';

const TAKEOVER_DEADLINE_MS = 2_000;
const TAKEOVER_RETRY_MS = 10;
/** How long requests in flight may take to finish when another process takes over. */
const LEAVE_DEADLINE_MS = 10_000;

class Child {
  readonly #options: ServeOptions;
  readonly #pages = new ErrorPages();
  #server: Server | undefined;
  #files: readonly RouteFile[] | undefined;
  #inspector: typeof inspector | undefined;

  constructor(options: ServeOptions) {
    this.#options = options;
  }

  async follow(order: Order): Promise<void> {
    if (order.type === 'load') await this.#load();
    else if (order.type === 'show') this.#pages.show(order.mistake);
    else if (order.type === 'listen') await this.#listen(order);
    else if (order.type === 'debug') await this.#debug(order.at);
    else this.#end(order.type === 'leave');
  }

  /** Loads what loading routes takes: done before there is a hurry. */
  async warmUp(): Promise<void> {
    // Imported here so that what loading it may throw (a missing binary) is reported as well.
    await import('./serve.js');
    if (!hasTypeScript(this.#options.routes)) return;
    const { warmUp } = await import('../routes/typescript.js');
    await warmUp();
  }

  async #load(): Promise<void> {
    const { prepare } = await import('./serve.js');
    // The channel must not hide that loading has come to nothing (an await that never settles).
    process.channel?.unref();
    try {
      const { server, files } = await prepare(this.#options, this.#pages);
      this.#server = server;
      this.#files = files;
      send({ type: 'loaded' });
    } catch (error) {
      report(error);
      send({ type: 'failed', mistake: toMistake(error) });
    } finally {
      process.channel?.ref();
    }
  }

  async #debug({ port, host }: DebuggerPort): Promise<void> {
    this.#inspector = (await import('node:inspector')).default;
    this.#inspector.open(port, host);
  }

  async #listen({ port, takeover }: Extract<Order, { type: 'listen' }>): Promise<void> {
    const { listen, prepareAlone } = await import('./serve.js');
    const server = this.#server ?? prepareAlone(this.#options, this.#pages);
    this.#server = server;
    const where = { ...this.#options, port };
    const listening = await (PORTS_ARE_INHERITED
      ? listen(server, where, INHERITED)
      : takeover
        ? takeOver(() => listen(server, where))
        : listen(server, where));
    send({ type: 'listening', ...listening, ...(this.#files && { files: this.#files }) });
  }

  #end(isSucceeded: boolean): void {
    if (!this.#server) process.exit();
    const { successor } = INHERITED;
    const leave = { deadline: LEAVE_DEADLINE_MS, successor };
    this.#server.close(isSucceeded && PORTS_ARE_INHERITED ? leave : {}, () => process.exit());
    // Its port is the next process's.
    this.#inspector?.close();
    // Since it has returned, nobody else is accepted.
    send({ type: 'left' });
  }
}

/** Listens as soon as the process before has let go of the port. */
async function takeOver(listen: () => Promise<Listening>): Promise<Listening> {
  const deadline = performance.now() + TAKEOVER_DEADLINE_MS;
  for (;;) {
    try {
      return await listen();
    } catch (error) {
      const inUse = (error as NodeJS.ErrnoException).code === 'EADDRINUSE';
      if (!inUse || performance.now() > deadline) throw error;
      await setTimeout(TAKEOVER_RETRY_MS);
    }
  }
}

function hasTypeScript(routes: string): boolean {
  const isDirectory = statSync(routes, { throwIfNoEntry: false })?.isDirectory();
  if (!isDirectory) return false;
  return readdirSync(routes, { recursive: true }).some((name) => /\.[cm]?ts$/.test(`${name}`));
}

function send(message: Report): void {
  process.send?.(message);
}

function run(options: ServeOptions): void {
  process.on('disconnect', () => process.exit());
  // A terminal signals the whole process group. When to end is for the supervisor to say.
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => {});
  const child = new Child(options);
  let done = Promise.resolve();
  const then = (next: () => Promise<void>): void => {
    done = done.then(next).catch((error) => process.exit(report(error)));
  };
  process.on('message', (order: Order) => then(() => child.follow(order)));
  then(() => child.warmUp());
}

run(JSON.parse(process.argv[2] as string));
