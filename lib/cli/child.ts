/**
 * The process that serves under `wapix dev`. It loads the routes, says so, and listens when the
 * supervisor tells it to: until then the process before it serves.
 */
import { once } from 'node:events';
import { createServer } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { type Order, PORTS_ARE_SHARED, type Report } from './messages.js';
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
      // Once this returns, nobody else is accepted.
      server.close(() => process.exit());
      send({ type: 'left' });
      return;
    }
    try {
      const where = { ...options, port: order.port };
      if (PORTS_ARE_SHARED && !order.takeover) await insistOnFree(where);
      const tryToListen = () => listen(server, where, PORTS_ARE_SHARED);
      const listening = await (order.takeover ? takeOver(tryToListen) : tryToListen());
      send({ type: 'listening', ...listening, files });
    } catch (error) {
      process.exit(report(error));
    }
  });
  send({ type: 'loaded' });
}

/**
 * Fails where anybody listens on the port already. Those who share a port would not notice: another
 * `wapix dev` takes this way, and must be told that the port is in use.
 */
async function insistOnFree({ port, host }: ServeOptions): Promise<void> {
  const probe = createServer();
  probe.listen({ port, ...(host !== undefined && { host }), exclusive: true });
  await once(probe, 'listening');
  probe.close();
  await once(probe, 'close');
}

/** Listens as soon as the process before has let go of the port, where it has to. */
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
