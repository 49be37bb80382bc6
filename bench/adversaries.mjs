// What slow clients cost the others: slowhttptest's four attacks, and a client that behaves well.
//
//   node adversaries.mjs [--attacks none,headers,body,read,range] [--seconds 60] [--connections 1000]
//
// Attackers come from `slowhttptest` (Debian: apt install slowhttptest). It ends when all of its
// connections were closed; it is then started again until the time is over. How many connections
// are open is what the server has open, from /proc, so this runs on Linux.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { start } from './lib/server.mjs';

const { values: options } = parseArgs({
  options: {
    attacks: { type: 'string', default: 'none,headers,body,read,range' },
    seconds: { type: 'string', default: '60' },
    connections: { type: 'string', default: '1000' },
  },
});
const seconds = Number(options.seconds);

const MEBIBYTE = 1024 * 1024;
/** Between two requests of the client that behaves well, and two looks at the server. */
const REQUEST_INTERVAL = 20;
const LOOK_INTERVAL = 250;
/** A request that takes longer has failed. */
const PATIENCE = 5_000;

const ATTACKS = {
  none: undefined,
  headers: { path: '/', args: ['-H', '-t', 'GET', '-i', '2', '-x', '24'] },
  body: { path: '/', args: ['-B', '-t', 'POST', '-i', '2', '-x', '10', '-s', '8192'] },
  read: {
    path: '/download',
    args: ['-X', '-t', 'GET', '-w', '512', '-y', '1024', '-n', '1', '-z', '32'],
  },
  range: { path: '/', args: ['-R', '-t', 'HEAD', '-a', '5', '-b', '3000'] },
};

const folder = mkdtempSync(join(tmpdir(), 'wapix-bench-'));

/** Runs slowhttptest once; returns how many connections it has opened. */
async function attackOnce({ path, args }, port, length) {
  const report = join(folder, 'report');
  const child = spawn(
    'slowhttptest',
    [
      ...args,
      ...['-c', options.connections, '-r', '200', '-p', '3', '-l', String(length)],
      ...['-u', `http://127.0.0.1:${port}${path}`, '-g', '-o', report],
    ],
    { stdio: 'ignore' },
  );
  const [code] = await once(child, 'exit');
  if (code !== 0) throw new Error(`slowhttptest exited with ${code}`);
  const [, closed, , connected] = readFileSync(`${report}.csv`, 'utf8')
    .trim()
    .split('\n')
    .at(-1)
    .split(',');
  return Number(closed) + Number(connected);
}

async function attack(which, port) {
  const end = performance.now() + seconds * 1000;
  let [opened, runs] = [0, 0];
  for (;;) {
    const left = Math.round((end - performance.now()) / 1000);
    if (left < 1) return { opened, runs };
    opened += await attackOnce(which, port, left);
    runs += 1;
  }
}

/** Asks one request after the other until `signal` aborts, and keeps how long each took. */
async function behave(port, agent, signal, { times, failures }) {
  while (!signal.aborted) {
    const before = performance.now();
    try {
      const timeout = AbortSignal.timeout(PATIENCE);
      const sent = request({ port, host: '127.0.0.1', agent, signal: timeout }).end();
      const [response] = await once(sent, 'response');
      const content = await text(response);
      if (response.statusCode !== 200) throw new Error(`${response.statusCode} ${content}`);
      times.push(performance.now() - before);
    } catch (error) {
      failures.push(error);
    }
    await pause(REQUEST_INTERVAL);
  }
}

/** Looks at what the server holds until `signal` aborts. */
async function watch(server, signal) {
  const before = { memory: server.memory(), descriptors: server.descriptors() };
  const peak = { ...before };
  let last = before.descriptors;
  while (!signal.aborted) {
    await pause(LOOK_INTERVAL, undefined, { signal }).catch(() => {});
    if (signal.aborted) break;
    last = server.descriptors();
    peak.memory = Math.max(peak.memory, server.memory());
    peak.descriptors = Math.max(peak.descriptors, last);
  }
  return { before, peak, last };
}

/** What is left when the attackers have gone: as soon as nothing of theirs is open, or in 30 s. */
async function settled(server, { descriptors }) {
  for (let look = 0; look < 120 && server.descriptors() > descriptors; look++) {
    await pause(LOOK_INTERVAL);
  }
  return { memory: server.memory(), descriptors: server.descriptors() };
}

function quantile(numbers, part) {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) * part)];
}

async function measure(name) {
  const server = await start('adversaries', 'wapix');
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const over = new AbortController();
  const asked = { times: [], failures: [] };
  try {
    const behaving = [
      behave(server.port, agent, over.signal, asked),
      behave(server.port, false, over.signal, asked),
    ];
    await pause(2_000);
    asked.times.length = 0;
    const gone = new AbortController();
    const watching = watch(server, gone.signal);
    const attacked = ATTACKS[name]
      ? await attack(ATTACKS[name], server.port)
      : await pause(seconds * 1000, { opened: 0, runs: 0 });
    gone.abort();
    over.abort();
    const { before, peak, last } = await watching;
    await Promise.all(behaving);
    const after = await settled(server, before);
    return { ...attacked, ...asked, before, peak, last, after };
  } finally {
    agent.destroy();
    await server.stop();
  }
}

const mebibytes = ({ memory }) => (memory / MEBIBYTE).toFixed(0);

console.log(
  '| attack | runs | connections opened | open at its end | closed by the server | well-behaved: answered | failed | median ms | p99 ms | RSS MiB before / most / after | descriptors before / most / after |',
);
console.log(`|${' --- |'.repeat(11)}`);
try {
  for (const name of options.attacks.split(',')) {
    const { opened, runs, times, failures, before, peak, last, after } = await measure(name);
    const open = Math.min(opened, Math.max(0, last - before.descriptors));
    const cells = [
      name,
      runs,
      opened,
      open,
      opened - open,
      times.length,
      failures.length,
      quantile(times, 0.5).toFixed(2),
      quantile(times, 0.99).toFixed(2),
      [before, peak, after].map(mebibytes).join(' / '),
      [before, peak, after].map(({ descriptors }) => descriptors).join(' / '),
    ];
    console.log(`| ${cells.join(' | ')} |`);
    for (const failure of failures.slice(0, 5)) console.error(failure);
    if (failures.length > 0) process.exitCode = 1;
  }
} finally {
  rmSync(folder, { recursive: true });
}
