/**
 * The process that serves under `wapix dev`. It loads the routes, says so, and listens when the
 * supervisor tells it to: until then the process before it serves.
 */
import { setTimeout } from 'node:timers/promises';
import type { Order, Report } from './messages.js';
import type { ServeOptions } from './options.js';
import { report } from './report.js';

const TAKEOVER_DEADLINE_MS = 2_000;
const TAKEOVER_RETRY_MS = 10;

async function run(options: ServeOptions): Promise<void> {
  process.on('disconnect', () => process.exit());
  // A terminal signals the whole process group. When to end is for the supervisor to say.
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => {});

  // Imported here so that what loading it may throw (a missing binary) is reported as well.
  const { listen, prepare } = await import('./serve.js');
  // The channel must not hide that loading has come to nothing (an await that never settles).
  process.channel?.unref();
  const { server, files } = await prepare(options);
  process.channel?.ref();

  process.on('message', async (order: Order) => {
    if (order.type === 'stop') {
      server.close(() => process.exit());
      return;
    }
    try {
      const tryToListen = () => listen(server, { ...options, port: order.port });
      const listening = await (order.takeover ? takeOver(tryToListen) : tryToListen());
      send({ type: 'listening', ...listening, files });
    } catch (error) {
      process.exit(report(error));
    }
  });
  send({ type: 'loaded' });
}

/** Listens as soon as the process before has let go of the port. */
async function takeOver<T>(tryToListen: () => Promise<T>): Promise<T> {
  const deadline = performance.now() + TAKEOVER_DEADLINE_MS;
  for (;;) {
    try {
      return await tryToListen();
    } catch (error) {
      const inUse = (error as NodeJS.ErrnoException).code === 'EADDRINUSE';
      if (!inUse || performance.now() > deadline) throw error;
      await setTimeout(TAKEOVER_RETRY_MS);
    }
  }
}

function send(message: Report): void {
  process.send?.(message);
}

run(JSON.parse(process.argv[2] as string)).catch((error) => process.exit(report(error)));
