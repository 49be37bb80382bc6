// What streaming costs: a download, a file, many small chunks, and events to many clients; and what is kept of it.
//
//   node streams.mjs [--only download,events] [--servers a,b] [--rounds 5] [--seconds 5] [--clients 1000]
//                    [--streams 1000000]
//
// Every round runs every server once, one after the other. CPU time and memory come from /proc, so
// this runs on Linux. The clients are a process of their own and are not counted. Whole, it writes
// docs/benchmarks-streams.md; a part it prints.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { interleave } from './lib/server.mjs';
import { goalsTable } from './report/goals.mjs';
import { table } from './report/table.mjs';
import { casesOf } from './streams/cases.mjs';
import { memoryTable } from './streams/memory.mjs';
import { writePage } from './streams/page.mjs';
import { DOWNLOAD_BYTES } from './streams/sources.mjs';

/** What the page tells of. */
const MILLION = 1_000_000;

const { values: options } = parseArgs({
  options: {
    only: { type: 'string' },
    servers: { type: 'string' },
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '5' },
    clients: { type: 'string', default: '1000' },
    // Short ones, of which memory is measured; of a few it still grows to what is kept for reuse.
    streams: { type: 'string', default: String(MILLION) },
  },
});
const rounds = Number(options.rounds);
const streams = Number(options.streams);
const folder = mkdtempSync(join(tmpdir(), 'wapix-bench-'));
process.env.BENCH_FILE = join(folder, 'download');
writeFileSync(process.env.BENCH_FILE, Buffer.alloc(DOWNLOAD_BYTES, 'x'));

async function run(benchmark) {
  const wanted = options.servers?.split(',') ?? benchmark.servers;
  const servers = benchmark.servers.filter((name) => wanted.includes(name));
  const results = await interleave(servers, rounds, benchmark.measure);
  const base = benchmark.bases.find((name) => servers.includes(name));
  const result = { ...benchmark, results, base };
  console.log(`\n${benchmark.title}\n\n${table(result)}`);
  return result;
}

const began = performance.now();
try {
  const cases = casesOf({ clients: Number(options.clients), seconds: Number(options.seconds) });
  const benchmarks = [];
  const only = options.only?.split(',') ?? [...Object.keys(cases), 'memory'];
  for (const key of only.filter((key) => key !== 'memory')) {
    benchmarks.push(await run(cases[key]));
  }
  const memory = only.includes('memory') && (await memoryTable(streams));
  if (memory) console.log(`\n${memory}`);
  const minutes = Math.round((performance.now() - began) / 60_000);
  const isWhole =
    options.only === undefined && options.servers === undefined && streams === MILLION;
  if (isWhole) writePage({ benchmarks, memory }, { rounds, minutes });
  else if (benchmarks.length > 0) console.log(`\n${goalsTable(benchmarks).table}`);
} finally {
  rmSync(folder, { recursive: true });
}
