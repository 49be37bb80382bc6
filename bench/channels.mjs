// What one event to many clients costs.
//
//   node channels.mjs [--rounds 3] [--seconds 5] [--clients 1000,5000] [--servers a,b]
//
// Every round runs every server once, one after the other. CPU time and memory come from /proc, so
// this runs on Linux. The clients are a process of their own and are not counted; the latency is theirs, too.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { interleave, start, used } from './lib/server.mjs';
import { mediansOf } from './lib/statistics.mjs';

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '5' },
    clients: { type: 'string', default: '1000,5000' },
    servers: { type: 'string', default: 'wapix,wapix-in-loop,node-http' },
  },
});
const servers = options.servers.split(',');

async function measure(name, clients) {
  const server = await start('channels', name);
  await delay(1000);
  const idle = server.memory();
  const script = join(import.meta.dirname, 'channels/client.mjs');
  const child = spawn(process.execPath, [script, server.port, clients], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const line = async () => (await lines.next()).value;
  const ask = () => {
    child.stdin.write('\n');
    return line();
  };
  try {
    await line();
    await delay(2000);
    const memory = (server.memory() - idle) / clients;
    await ask();
    const before = server.cpu();
    await delay(Number(options.seconds) * 1000);
    const { total, javascript } = used(before, server.cpu());
    const [events, middle, slowest] = (await ask()).split(' ').map(Number);
    return {
      total: total / events,
      javascript: javascript / events,
      memory: memory / 1024,
      middle: middle / 1000,
      slowest: slowest / 1000,
    };
  } finally {
    child.kill('SIGKILL');
    await once(child, 'exit');
    await server.stop();
  }
}

for (const clients of options.clients.split(',').map(Number)) {
  const rounds = await interleave(servers, Number(options.rounds), (name) =>
    measure(name, clients),
  );
  const medians = mediansOf(rounds);
  const base = medians['node-http'] ?? medians[servers[0]];
  console.log(
    `${clients} subscribers, 10 events/s: CPU µs/delivered event, KiB/subscriber, latency ms`,
  );
  console.table(
    Object.fromEntries(
      servers.map((name) => {
        const { total, javascript, memory, middle, slowest } = medians[name];
        return [
          name,
          {
            CPU: total.toFixed(2),
            '/ node:http': (total / base.total).toFixed(2),
            'JavaScript / node:http': (javascript / base.total).toFixed(3),
            'KiB/subscriber': memory.toFixed(1),
            p50: middle.toFixed(1),
            p99: slowest.toFixed(1),
          },
        ];
      }),
    ),
  );
}
