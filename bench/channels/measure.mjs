// One server, its subscribers, and what an event to all of them costs.
import { setTimeout as delay } from 'node:timers/promises';
import { start, used } from '../lib/server.mjs';
import { subscribe } from './subscribers.mjs';

/** Until what was needed to accept the subscribers has been let go of, in milliseconds. */
const SETTLES = 3000;
/** Until events flow as they will. */
const WARMS_UP = 1000;

const sum = (values) => values.reduce((total, value) => total + value, 0);

/**
 * Figures of servers that publish to `count` subscribers each, of the same events: the first one does the
 * publishing.
 *
 * @param {{ name: string, env?: object }[]} processes
 */
export async function measure(processes, count, { rate, seconds }) {
  const servers = [];
  const clients = [];
  try {
    for (const { name, env } of processes) {
      servers.push(await start('channels', name, { BENCH_RATE: rate, ...env }));
    }
    await delay(WARMS_UP);
    const memory = () => sum(servers.map((server) => server.memory()));
    const empty = memory();
    for (const server of servers) clients.push(await subscribe(server.port, count));
    await delay(SETTLES);
    const all = count * servers.length;
    const kibibytes = (memory() - empty) / all / 1024;
    servers[0].begin();
    await delay(WARMS_UP);
    const counted = () => Promise.all(clients.map((client) => client.counted()));
    await counted();
    const began = performance.now();
    const before = servers.map((server) => server.cpu());
    await delay(seconds * 1000);
    const cpu = servers.map((server, index) => used(before[index], server.cpu()));
    const took = (performance.now() - began) / 1000;
    const received = await counted();
    const events = sum(received.map((of) => of.events));
    const closed = sum(received.map((of) => of.closed));
    return {
      total: sum(cpu.map((of) => of.total)) / events,
      javascript: sum(cpu.map((of) => of.javascript)) / events,
      kibibytes,
      p50: Math.max(...received.map((of) => of.p50)) / 1000,
      p99: Math.max(...received.map((of) => of.p99)) / 1000,
      rate: closed > 0 ? 0 : events / all / took,
    };
  } finally {
    for (const client of clients) await client.stop();
    for (const server of servers) await server.stop();
  }
}

/** CPU microseconds that the JavaScript thread needs for an event that nobody gets. */
export async function measureTimer(rate, seconds) {
  const server = await start('channels', 'timer', { BENCH_RATE: rate });
  server.begin();
  await delay(WARMS_UP);
  const before = server.cpu();
  await delay(seconds * 1000);
  const { javascript } = used(before, server.cpu());
  await server.stop();
  return javascript / (rate * seconds);
}
