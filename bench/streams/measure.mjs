// What one response, and many event streams, cost a server.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { start, used } from '../lib/server.mjs';
import { EVENTS_PER_SECOND } from './sources.mjs';

const SECOND = 1_000_000;
const SHORTEST_EVENT = 50;
/** Until what only the burst of requests needed has been given back. */
const SETTLE_MILLISECONDS = 3_000;

function client(port, path, connections) {
  const script = join(import.meta.dirname, 'client.mjs');
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

/** After so many responses V8 has compiled what they need, as it has where many have been asked for. */
const COMPILED_AFTER = 3;

const per = (units, { total, javascript }) => ({
  seconds: total / SECOND / units,
  javascriptSeconds: javascript / SECOND / units,
});

/** CPU seconds that a whole response of `expected` bytes takes, for each of its `units`, and how long. */
async function take(server, name, { path, expected, units }) {
  const taker = client(server.port, path, 1);
  const before = server.cpu();
  await taker.line();
  const began = performance.now();
  const received = Number(await taker.line());
  if (received < expected) throw new Error(`${name} ${path}: ${received} bytes`);
  const duration = (performance.now() - began) / 1000 / units;
  return { ...per(units, used(before, server.cpu())), duration };
}

/** After so many of the same before it, and with so many clients beside that have asked for it and read nothing. */
export async function measureWhole(name, response, before = 0, beside = 0) {
  const server = await start('streams', name);
  for (let number = 0; number < before; number++) await take(server, name, response);
  const stalled = Array.from({ length: beside }, () => {
    const socket = connect(server.port, '127.0.0.1').pause();
    socket.write(`GET ${response.path} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    return socket.on('error', () => {});
  });
  try {
    if (beside > 0) await delay(SETTLE_MILLISECONDS);
    return await take(server, name, response);
  } finally {
    for (const socket of stalled) socket.destroy();
    await server.stop();
  }
}

/** A response alone, and beside `count` clients that have asked for the same and read nothing. */
export async function measureBeside(name, count, response) {
  const alone = await measureWhole(name, response, COMPILED_AFTER);
  const beside = await measureWhole(name, response, COMPILED_AFTER, count);
  return {
    ...alone,
    besideSeconds: beside.seconds,
    secondsRatio: beside.seconds / alone.seconds,
    besideDuration: beside.duration,
    durationRatio: beside.duration / alone.duration,
  };
}

/** CPU seconds of a million events delivered to `clients`, and the memory of each of them. */
export async function measureEvents(name, { clients, seconds }) {
  const server = await start('streams', name);
  const idle = server.memory();
  const taker = client(server.port, '/events', clients);
  try {
    await taker.line();
    await delay(SETTLE_MILLISECONDS);
    const memory = (server.memory() - idle) / clients;
    const bytes = await taker.received();
    const before = server.cpu();
    await delay(seconds * 1000);
    const spent = used(before, server.cpu());
    const events = clients * EVENTS_PER_SECOND * seconds;
    const perEvent = ((await taker.received()) - bytes) / events;
    if (perEvent < SHORTEST_EVENT) throw new Error(`${name}: ${perEvent} bytes an event`);
    return { ...per(events / 1e6, spent), kibibytes: memory / 1024 };
  } finally {
    await taker.stop();
    await server.stop();
  }
}
