// wapix beside its peers: installs them, measures, and writes docs/benchmarks.md with what it found.
//
//   node start.mjs [--only get,idle] [--servers a,b] [--rounds 3] [--seconds 2]
//
// With --only or --servers it measures a part, prints it, and writes nothing. Load comes from `wrk`
// and `h2load` (Debian: apt install wrk nghttp2-client); CPU time from /proc, so this runs on Linux.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { GROWTH } from './growth/index.mjs';
import { interleave } from './lib/server.mjs';
import { TITLES } from './lib/titles.mjs';
import { goalsTable } from './report/goals.mjs';
import { writePage } from './report/page.mjs';
import { table } from './report/table.mjs';
import { REQUESTS } from './requests/scenarios.mjs';

const { values: options } = parseArgs({
  options: {
    only: { type: 'string' },
    servers: { type: 'string' },
    rounds: { type: 'string' },
    seconds: { type: 'string', default: '2' },
  },
});
const here = import.meta.dirname;
/** For 15,000 connections. */
const OPEN_FILES = 16_000;

function prepare() {
  if (!existsSync(join(here, '../dist'))) throw new Error('first, in the root: npm run build');
  for (const tool of ['wrk', 'h2load']) {
    if (spawnSync(tool, ['--version']).error) throw new Error(`${tool} is not installed`);
  }
  const [, limit] = /Max open files +(\d+)/.exec(readFileSync('/proc/self/limits', 'utf8'));
  if (Number(limit) < OPEN_FILES) throw new Error(`open files: ${limit} of ${OPEN_FILES} allowed`);
  if (isInstalled()) return;
  const { status } = spawnSync('npm', ['install'], { cwd: here, stdio: 'inherit' });
  if (status !== 0) throw new Error('the peers cannot be installed');
}

/** Whether every peer is there, in its version. */
function isInstalled() {
  const { dependencies } = JSON.parse(readFileSync(join(here, 'package.json'), 'utf8'));
  return Object.entries(dependencies).every(([name, version]) => {
    const manifest = join(here, 'node_modules', name, 'package.json');
    return existsSync(manifest) && JSON.parse(readFileSync(manifest, 'utf8')).version === version;
  });
}

/** Those of `all` that an option names; all without it. */
function chosen(all, option) {
  const wanted = option?.split(',') ?? all;
  return all.filter((name) => wanted.includes(name));
}

function refuseUnknown(all, option) {
  const unknown = option?.split(',').filter((name) => !all.includes(name)) ?? [];
  if (unknown.length > 0) throw new Error(`no ${unknown}; there are ${all}`);
}

async function run(name, benchmark, servers) {
  const rounds = Number(options.rounds ?? benchmark.rounds);
  console.log(`\n${name}: ${benchmark.title}\n`);
  const results = await interleave(servers, rounds, (server) =>
    benchmark.measure(server, Number(options.seconds)),
  );
  const base = benchmark.bases.find((server) => servers.includes(server));
  const result = { ...benchmark, base, rounds, results };
  console.log(table(result));
  return result;
}

async function runAll(group) {
  const done = [];
  for (const name of chosen(Object.keys(group), options.only)) {
    const servers = chosen(group[name].servers, options.servers);
    if (servers.length > 0) done.push(await run(name, group[name], servers));
  }
  return done;
}

refuseUnknown(Object.keys({ ...REQUESTS, ...GROWTH }), options.only);
refuseUnknown(Object.keys(TITLES), options.servers);
prepare();
const begin = performance.now();
const results = { requests: await runAll(REQUESTS), growth: await runAll(GROWTH) };
const minutes = Math.round((performance.now() - begin) / 60_000);
const isWhole = options.only === undefined && options.servers === undefined;
if (isWhole) writePage(results, options.seconds, minutes);
else console.log(`\n${goalsTable([...results.requests, ...results.growth]).table}`);
