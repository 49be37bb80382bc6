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
  // No runtime: `send` in a loop.
  sends: () => [join(import.meta.dirname, '../channels/native/target/release/sends'), []],
};

/** A server with this at the end of its name runs the script without it, in Node's own loop. */
const IN_LOOP = /-in-loop$/;

/** Starts `<folder>/<name>.mjs`, which prints the port it listens on; `env` is what it is told. */
export async function start(folder, name, env = {}) {
  const runtime = RUNTIMES[name] ?? RUNTIMES.node;
  const script = `${name.replace(IN_LOOP, '')}.mjs`;
  const [command, args] = runtime(join(import.meta.dirname, '..', folder, script));
  const child = spawn(command, args, {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, BENCH_IO_THREADS: IN_LOOP.test(name) ? '0' : '1', ...env },
  });
  const [port] = await Promise.race([
    once(createInterface(child.stdout), 'line'),
    once(child, 'exit').then(([code]) => {
      throw new Error(`${folder}/${script} exited with ${code}`);
    }),
  ]);
  return {
    port: Number(port),
    pid: child.pid,
    /** Has it begin what it waits with until it is told. */
    begin() {
      child.stdin.write('\n');
    },
    /** CPU microseconds that the process and its first thread (JavaScript's) have used. */
    cpu() {
      const threads = readdirSync(`/proc/${child.pid}/task`);
      return {
        total: sum(threads.map((thread) => microseconds(child.pid, thread))),
        javascript: microseconds(child.pid, child.pid),
      };
    },
    /** What of these was spent outside the kernel, in the ticks of `stat`. */
    userCpu() {
      const threads = readdirSync(`/proc/${child.pid}/task`);
      return {
        total: sum(threads.map((thread) => userMicroseconds(child.pid, thread))),
        javascript: userMicroseconds(child.pid, child.pid),
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

const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);

/** What the scheduler has counted, more finely than the ticks of `stat`. */
function microseconds(process, thread) {
  const [nanoseconds] = readFileSync(`/proc/${process}/task/${thread}/schedstat`, 'utf8').split(
    ' ',
  );
  return Number(nanoseconds) / 1000;
}

/** Linux reports hundredths of a second, whatever the kernel's own tick. */
const TICK_MICROSECONDS = 10_000;

function userMicroseconds(process, thread) {
  const stat = readFileSync(`/proc/${process}/task/${thread}/stat`, 'utf8');
  // The name, in parentheses, may have spaces in it; utime is the twelfth field after it.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return Number(fields[11]) * TICK_MICROSECONDS;
}

/** What was used between two readings of `cpu()`, or of `userCpu()`. */
export function used(before, after) {
  return { total: after.total - before.total, javascript: after.javascript - before.javascript };
}

/** Runs `measure(name)` for every server in every round, and returns what each round gave. */
export async function interleave(servers, rounds, measure) {
  const results = Object.fromEntries(servers.map((name) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const name of servers) results[name].push(await measure(name));
  }
  return results;
}
