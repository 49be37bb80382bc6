// CPU time per request, total and of the JavaScript thread, and throughput: GET /users/:id → JSON.
//
//   node requests.mjs [--rounds 5] [--seconds 4] [--connections 64] [--pipeline 1]
//
// Every round runs every server once, one after the other, so that a machine that speeds up or
// slows down does so for all of them. Load comes from `wrk` (Debian: apt install wrk); CPU time
// from /proc, so this runs on Linux.
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs, promisify } from 'node:util';

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '4' },
    connections: { type: 'string', default: '64' },
    pipeline: { type: 'string', default: '1' },
    servers: { type: 'string', default: 'wapix,uwebsockets,node-http,fastify' },
  },
});
const servers = options.servers.split(',');
const run = promisify(execFile);

/** Linux counts CPU time in ticks of 10 ms. */
const MICROSECONDS_PER_TICK = 10_000;

const pipelining = join(mkdtempSync(join(tmpdir(), 'wapix-bench-')), 'pipeline.lua');
writeFileSync(
  pipelining,
  `init = function(args)
     local all = {}
     for i = 1, ${options.pipeline} do all[i] = wrk.format() end
     request_text = table.concat(all)
   end
   request = function() return request_text end`,
);

async function start(name) {
  const child = spawn(process.execPath, [`servers/${name}.mjs`], {
    cwd: import.meta.dirname,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [port] = await once(createInterface(child.stdout), 'line');
  return { child, url: `http://127.0.0.1:${port}/users/42` };
}

/** CPU microseconds that the process and its first thread have used. */
function cpuTime(pid) {
  const ticks = (thread) => {
    const fields = readFileSync(`/proc/${pid}/task/${thread}/stat`, 'utf8');
    const [user, system] = fields
      .slice(fields.lastIndexOf(')') + 2)
      .split(' ')
      .slice(11, 13);
    return Number(user) + Number(system);
  };
  const threads = readdirSync(`/proc/${pid}/task`);
  const total = threads.reduce((sum, thread) => sum + ticks(thread), 0);
  return {
    total: total * MICROSECONDS_PER_TICK,
    javascript: ticks(pid) * MICROSECONDS_PER_TICK,
  };
}

async function load(url, seconds) {
  const pipelined = options.pipeline === '1' ? [] : ['-s', pipelining];
  const { stdout } = await run('wrk', [
    '-t1',
    `-c${options.connections}`,
    `-d${seconds}s`,
    ...pipelined,
    url,
  ]);
  if (/Non-2xx|Socket errors/.test(stdout)) throw new Error(stdout);
  return {
    requests: Number(/(\d+) requests in/.exec(stdout)[1]),
    perSecond: Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)[1]),
  };
}

async function measure(name) {
  const { child, url } = await start(name);
  try {
    const answer = await (await fetch(url)).json();
    if (answer.id !== '42') throw new Error(`${name} answered ${JSON.stringify(answer)}`);
    await load(url, 1);
    const before = cpuTime(child.pid);
    const { requests, perSecond } = await load(url, options.seconds);
    const after = cpuTime(child.pid);
    return {
      perSecond,
      total: (after.total - before.total) / requests,
      javascript: (after.javascript - before.javascript) / requests,
    };
  } finally {
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
}

function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}

const results = Object.fromEntries(servers.map((name) => [name, []]));
for (let round = 0; round < Number(options.rounds); round++) {
  for (const name of servers) results[name].push(await measure(name));
}

const medians = Object.fromEntries(
  servers.map((name) => [
    name,
    Object.fromEntries(
      ['perSecond', 'total', 'javascript'].map((key) => [
        key,
        median(results[name].map((result) => result[key])),
      ]),
    ),
  ]),
);
const base = medians['node-http'] ?? medians[servers[0]];
console.table(
  Object.fromEntries(
    servers.map((name) => {
      const { perSecond, total, javascript } = medians[name];
      return [
        name,
        {
          'requests/s': Math.round(perSecond),
          'CPU µs/request': total.toFixed(2),
          'of which JavaScript': javascript.toFixed(2),
          'CPU / node:http': (total / base.total).toFixed(2),
          'JavaScript / node:http': (javascript / base.javascript).toFixed(2),
        },
      ];
    }),
  ),
);
