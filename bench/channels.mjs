// What one event to many clients costs.
//
//   node channels.mjs [--only sizes,rates,processes] [--rounds 3] [--seconds 5] [--clients 1000,5000]
//                     [--servers a,b]
//
// Every round runs every server once, one after the other. CPU time and memory come from /proc, so
// this runs on Linux. The clients are a program in Rust (channels/native), which cargo builds. Whole, it
// writes docs/benchmarks-channels.md; of a part it prints the tables.
import { parseArgs } from 'node:util';
import { measure, measureTimer } from './channels/measure.mjs';
import { costTable, rateTable, writePage } from './channels/page.mjs';
import { startRedis } from './channels/redis.mjs';
import { build } from './channels/subscribers.mjs';
import { interleave } from './lib/server.mjs';

const { values: options } = parseArgs({
  options: {
    only: { type: 'string', default: 'sizes,rates,processes' },
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '5' },
    clients: { type: 'string', default: '1000,5000,18000' },
    servers: {
      type: 'string',
      default: 'sends,wapix,wapix-in-loop,node-http,fastify,bun,uwebsockets',
    },
  },
});
const [rounds, seconds] = [Number(options.rounds), Number(options.seconds)];
const servers = options.servers.split(',');
const only = options.only.split(',');

/** Events a second that the slowest of the servers has the time for. */
const RATES = { 1000: 10, 5000: 5, 18000: 1 };
const OF_A_PROCESS = 15_000;
const PROCESSES = 3;
const RATE_OF_PROCESSES = 1;

const RATED = 5000;
const STEPS = [2, 5, 10, 20, 40, 80, 150];
const MOST_LATENCY = 50;

async function measureSizes() {
  const sizes = [];
  for (const count of options.clients.split(',').map(Number)) {
    const rate = RATES[count] ?? 1;
    const results = await interleave(servers, rounds, (name) =>
      measure([{ name }], count, { rate, seconds }),
    );
    console.log(`\n${count} subscribers, ${rate} events/s\n\n${costTable(results, base(results))}`);
    sizes.push({ count, results });
  }
  return sizes;
}

const base = (results) => (results['node-http'] ? 'node-http' : Object.keys(results)[0]);

/** Raises the rate until the server cannot follow. */
async function measureRates() {
  const rates = {};
  for (const name of servers) {
    const steps = [];
    for (const asked of STEPS) {
      const { rate, p99 } = await measure([{ name }], RATED, { rate: asked, seconds });
      steps.push({ asked, rate, p99 });
      if (rate < 0.9 * asked) break;
    }
    const good = steps.filter(({ asked, rate, p99 }) => p99 < MOST_LATENCY && rate >= 0.9 * asked);
    const highest = Math.max(0, ...good.map(({ asked }) => asked));
    rates[name] = { highest, most: Math.max(...steps.map(({ rate }) => rate)), steps };
  }
  console.log(`\n${RATED} subscribers\n\n${rateTable(rates)}`);
  return rates;
}

async function measureProcesses() {
  const results = await interleave(['wapix-redis', 'node-http-redis'], rounds, async (name) => {
    const redis = await startRedis();
    try {
      const process = { name, env: { BENCH_REDIS: redis.url } };
      const processes = Array.from({ length: PROCESSES }, () => process);
      return await measure(processes, OF_A_PROCESS, { rate: RATE_OF_PROCESSES, seconds });
    } finally {
      await redis.stop();
    }
  });
  console.log(
    `\n${PROCESSES * OF_A_PROCESS} subscribers\n\n${costTable(results, 'node-http-redis')}`,
  );
  return results;
}

build();
const began = performance.now();
const measured = {
  sizes: only.includes('sizes') && (await measureSizes()),
  rates: only.includes('rates') && (await measureRates()),
  processes: only.includes('processes') && (await measureProcesses()),
};
if (Object.values(measured).every(Boolean)) {
  const minutes = Math.round((performance.now() - began) / 60_000);
  const timer = await measureTimer(RATES[1000], seconds);
  const costRates = { ...RATES, processes: RATE_OF_PROCESSES };
  writePage({ ...measured, timer, costRates }, { seconds, rounds, minutes });
}
