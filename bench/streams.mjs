// What streaming costs: a download, a file, many small chunks, and events to many clients.
//
//   node streams.mjs [--rounds 3] [--seconds 5] [--clients 1000] [--servers a,b] [--cases a,b]
//
// Every round runs every server once, one after the other. CPU time and memory come from /proc, so
// this runs on Linux. The clients are a process of their own and are not counted.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { interleave, start, used } from './lib/server.mjs';
import { mediansOf } from './lib/statistics.mjs';
import { DOWNLOAD_BYTES, EVENTS_PER_SECOND, SMALL_CHUNKS } from './streams/sources.mjs';

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '5' },
    clients: { type: 'string', default: '1000' },
    servers: { type: 'string', default: 'wapix,wapix-in-loop,node-http,fastify,bun,deno' },
    cases: { type: 'string', default: 'download,file,small,events' },
  },
});
const servers = options.servers.split(',');
const folder = mkdtempSync(join(tmpdir(), 'wapix-bench-'));
process.env.BENCH_FILE = join(folder, 'download');
writeFileSync(process.env.BENCH_FILE, Buffer.alloc(DOWNLOAD_BYTES, 'x'));

const SECOND = 1_000_000;

function client(port, path, connections) {
  const script = join(import.meta.dirname, 'streams/client.mjs');
  const child = spawn(process.execPath, [script, port, path, connections], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  return {
    line: async () => (await lines.next()).value,
    async received() {
      child.stdin.write('\n');
      return Number(await this.line());
    },
    async stop() {
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  };
}

/** CPU seconds that one whole response takes, per `unit` bytes or chunks of it. */
async function whole(name, path, expected, units) {
  const server = await start('streams', name);
  try {
    const taker = client(server.port, path, 1);
    const before = server.cpu();
    await taker.line();
    const received = Number(await taker.line());
    if (received < expected) throw new Error(`${name} ${path}: ${received} bytes`);
    const { total, javascript } = used(before, server.cpu());
    return { total: total / SECOND / units, javascript: javascript / SECOND / units };
  } finally {
    await server.stop();
  }
}

/** CPU seconds per million events delivered, and memory per connection, with many clients. */
async function fanOut(name) {
  const clients = Number(options.clients);
  const server = await start('streams', name);
  const idle = server.memory();
  const taker = client(server.port, '/events', clients);
  try {
    await taker.line();
    // Idle: what only the burst of requests needed has been given back.
    await delay(3000);
    const memory = (server.memory() - idle) / clients;
    const bytes = await taker.received();
    const before = server.cpu();
    await delay(Number(options.seconds) * 1000);
    const { total, javascript } = used(before, server.cpu());
    const events = clients * EVENTS_PER_SECOND * Number(options.seconds);
    const perEvent = ((await taker.received()) - bytes) / events;
    if (perEvent < 50) throw new Error(`${name}: ${perEvent} bytes an event`);
    const millions = events / 1e6;
    return {
      total: total / SECOND / millions,
      javascript: javascript / SECOND / millions,
      memory: memory / 1024,
    };
  } finally {
    await taker.stop();
    await server.stop();
  }
}

const GIGABYTES = DOWNLOAD_BYTES / 1e9;
const cases = {
  download: {
    title: '512 MiB in 64 KiB chunks: CPU s/GB',
    measure: (name) => whole(name, '/download', DOWNLOAD_BYTES, GIGABYTES),
  },
  file: {
    title: 'a file of 512 MiB: CPU s/GB',
    measure: (name) => whole(name, '/file', DOWNLOAD_BYTES, GIGABYTES),
  },
  small: {
    title: '1,000,000 chunks of 100 bytes: CPU s/million',
    measure: (name) => whole(name, '/small', SMALL_CHUNKS * 100, SMALL_CHUNKS / 1e6),
  },
  events: {
    title: `${options.clients} event streams, 10 events/s each: CPU s/million events, KiB/connection`,
    measure: fanOut,
  },
};

try {
  for (const key of options.cases.split(',')) {
    const { title, measure } = cases[key];
    const medians = mediansOf(await interleave(servers, Number(options.rounds), measure));
    const base = medians['node-http'] ?? medians[servers[0]];
    console.log(title);
    console.table(
      Object.fromEntries(
        servers.map((name) => {
          const { total, javascript, memory } = medians[name];
          return [
            name,
            {
              CPU: total.toFixed(2),
              'of which JavaScript': javascript.toFixed(2),
              '/ node:http': (total / base.total).toFixed(2),
              'JavaScript / node:http': (javascript / base.javascript).toFixed(2),
              ...(memory === undefined
                ? {}
                : {
                    'KiB/connection': memory.toFixed(1),
                    'memory / node:http': (memory / base.memory).toFixed(2),
                  }),
            },
          ];
        }),
      ),
    );
  }
} finally {
  rmSync(folder, { recursive: true });
}
