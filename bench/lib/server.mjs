// A server under measurement: a process of its own, whose CPU time and memory /proc tells.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const modules = join(import.meta.dirname, '../node_modules');

/** How each runtime runs a script; a script's name begins with its runtime's where it is not Node. */
const RUNTIMES = {
  bun: (script) => [join(modules, 'bun/bin/bun.exe'), [script]],
  deno: (script) => [join(modules, 'deno/deno'), ['run', '--allow-all', '--quiet', script]],
  node: (script) => [process.execPath, [script]],
};

/** Starts `<folder>/<name>.mjs`, which prints the port it listens on. */
export async function start(folder, name) {
  const runtime = RUNTIMES[name] ?? RUNTIMES.node;
  const [command, args] = runtime(join(import.meta.dirname, '..', folder, `${name}.mjs`));
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const [port] = await once(createInterface(child.stdout), 'line');
  return {
    port: Number(port),
    pid: child.pid,
    /** CPU microseconds that the process and its first thread (JavaScript's) have used. */
    cpu() {
      const threads = readdirSync(`/proc/${child.pid}/task`);
      return {
        total: threads.reduce((sum, thread) => sum + microseconds(child.pid, thread), 0),
        javascript: microseconds(child.pid, child.pid),
      };
    },
    /** Resident memory, in bytes. */
    memory() {
      const status = readFileSync(`/proc/${child.pid}/status`, 'utf8');
      return Number(/VmRSS:\s+(\d+) kB/.exec(status)[1]) * 1024;
    },
    /** How many file descriptors are open. */
    descriptors() {
      return readdirSync(`/proc/${child.pid}/fd`).length;
    },
    async stop() {
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  };
}

/** What the scheduler has counted, more finely than the ticks of `stat`. */
function microseconds(process, thread) {
  const [nanoseconds] = readFileSync(`/proc/${process}/task/${thread}/schedstat`, 'utf8').split(
    ' ',
  );
  return Number(nanoseconds) / 1000;
}

/** What was used between two readings of `cpu()`. */
export function used(before, after) {
  return { total: after.total - before.total, javascript: after.javascript - before.javascript };
}

export function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}

/** Runs `measure(name)` for every server in every round, and returns each figure's median. */
export async function interleave(servers, rounds, measure) {
  const results = Object.fromEntries(servers.map((name) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const name of servers) results[name].push(await measure(name));
  }
  return Object.fromEntries(
    servers.map((name) => [
      name,
      Object.fromEntries(
        Object.keys(results[name][0]).map((key) => [
          key,
          median(results[name].map((result) => result[key])),
        ]),
      ),
    ]),
  );
}
