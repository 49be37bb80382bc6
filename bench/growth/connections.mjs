// What a request costs with so many connections open, all of them in use.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { start } from '../lib/server.mjs';
import { answered, ask } from './answer.mjs';

export const LEVELS = [1, 16, 256, 4_000, 15_000];

const WARM_UP_CONNECTIONS = 64;
/** More than any of it takes; wrk is ended before. */
const LONG_SECONDS = 120;
const OPEN_WITHIN_MILLISECONDS = 30_000;
const LOOK_INTERVAL_MILLISECONDS = 200;
const SETTLE_MILLISECONDS = 500;

/**
 * No connection asks anything before this many seconds have passed, so that all are open when the
 * load begins: a busy server accepts few.
 */
const opening = (connections) => Math.ceil(connections / 2_500);

const script = (connections) => `local begin = os.time() + ${opening(connections)}
delay = function()
  local now = os.time()
  return now < begin and (begin - now) * 1000 or 0
end`;

/** Has `connections` open and busy while `during` runs. */
async function busy(server, connections, during) {
  const folder = mkdtempSync(join(tmpdir(), 'wapix-bench-'));
  const file = join(folder, 'delay.lua');
  writeFileSync(file, script(connections));
  const child = spawn(
    'wrk',
    [
      ...['-t1', `-c${connections}`, `-d${LONG_SECONDS}s`, '--timeout', `${LONG_SECONDS}s`],
      ...['-s', file],
      `http://127.0.0.1:${server.port}/users/42`,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const exited = once(child, 'exit');
  const report = text(child.stdout);
  try {
    await during();
  } finally {
    child.kill('SIGINT');
    await exited;
    rmSync(folder, { recursive: true });
  }
  const result = await report;
  if (!/Requests\/sec/.test(result) || /Non-2xx|Socket errors/.test(result)) {
    throw new Error(result);
  }
}

/** How many descriptors are open when the last load's have been closed. */
async function closed(server) {
  for (let last = server.descriptors(); ; ) {
    await delay(LOOK_INTERVAL_MILLISECONDS);
    const now = server.descriptors();
    if (now === last) return now;
    last = now;
  }
}

async function opened(server, descriptors) {
  const end = performance.now() + OPEN_WITHIN_MILLISECONDS;
  while (server.descriptors() < descriptors) {
    if (performance.now() > end) throw new Error(`${server.descriptors()} descriptors are open`);
    await delay(LOOK_INTERVAL_MILLISECONDS);
  }
}

async function cost(server, connections, seconds) {
  const idle = await closed(server);
  let perRequest;
  await busy(server, connections, async () => {
    await Promise.all([
      opened(server, idle + connections),
      delay(opening(connections) * 1000 + SETTLE_MILLISECONDS),
    ]);
    // Counted by the server: what wrk counts begins before the connections are open.
    const first = { requests: await answered(server.port), cpu: server.cpu().total };
    await delay(seconds * 1000);
    const last = { requests: await answered(server.port), cpu: server.cpu().total };
    perRequest = (last.cpu - first.cpu) / (last.requests - first.requests);
  });
  return perRequest;
}

/** CPU microseconds of a request, by the number of connections. */
export async function measureConnections(name, seconds) {
  const server = await start('growth/servers', name);
  try {
    await ask(server.port);
    await cost(server, WARM_UP_CONNECTIONS, 1);
    const costs = {};
    for (const level of LEVELS) costs[level] = await cost(server, level, seconds);
    await ask(server.port);
    return costs;
  } finally {
    await server.stop();
  }
}
