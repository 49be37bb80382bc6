// Half an hour of everything at once: what clients see that is not of their own making, and what the
// server keeps.
//
//   node soak.mjs [--minutes 30] [--seed N] [--clients 24]
//
// Memory and descriptors come from /proc, so this runs on Linux.
import { randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { start } from './soak/child.mjs';
import { duration, inMebibytes, points, slope } from './soak/curve.mjs';
import { connections, descriptors, residentMemory } from './soak/proc.mjs';

const { values: options } = parseArgs({
  options: {
    minutes: { type: 'string', default: '30' },
    seed: { type: 'string', default: String(randomInt(2 ** 31)) },
    clients: { type: 'string', default: '24' },
  },
});
const length = Number(options.minutes) * 60_000;
const seed = Number(options.seed);

const EVERY = 30_000;
const PROCESSES = 2;
const POINTS = 20;
/** By how much resident memory may grow over the second half: its own ups and downs are as much. */
const TOLERANCE = 16 * 1024 * 1024;
const SETTLING = 15_000;
/** So many errors are printed; all are counted. */
const PRINTED = 50;

let errors = 0;
function onTrouble(where, what) {
  errors += 1;
  if (errors <= PRINTED) console.log(`error ${errors}, ${where}: ${what.trimEnd()}`);
}

const server = start('server', onTrouble, ['--expose-gc']);
const ports = await server.ask('ports');
const clients = Array.from({ length: PROCESSES }, () => start('client', onTrouble));
const ask = (question) => Promise.all(clients.map((client) => client.ask(question)));

async function measure() {
  const state = await server.ask('state');
  return {
    ...state,
    resident: residentMemory(server.pid),
    descriptors: descriptors(server.pid),
    connections: connections(Object.values(ports)),
  };
}

const total = (records) =>
  records.reduce((sum, record) =>
    Object.fromEntries(Object.entries(sum).map(([kind, count]) => [kind, count + record[kind]])),
  );
const inWords = (counts) =>
  Object.entries(counts)
    .map(([kind, count]) => `${kind} ${count}`)
    .join(', ');

console.log(`seed ${seed}, ${options.minutes} minutes, ${PROCESSES} × ${options.clients} clients`);
const before = await measure();
const began = performance.now();
clients.forEach((client, index) => {
  client.ask('start', {
    ports,
    seed: seed + index * 1_000_000,
    concurrency: Number(options.clients),
  });
});

const curve = [];
for (let at = EVERY; at <= length; at += EVERY) {
  await sleep(began + at - performance.now());
  const counts = total(await ask('counts'));
  const point = { elapsed: performance.now() - began, ...(await measure()), counts, errors };
  curve.push(point);
  console.log(
    `${duration(point.elapsed)} ${inWords(counts)} | errors ${errors} | ` +
      `resident ${inMebibytes(point.resident)} MiB, heap ${inMebibytes(point.heapUsed)} MiB, ` +
      `descriptors ${point.descriptors}, connections ${point.connections}, ` +
      `streams ${point.streams}, pending ${point.pending}`,
  );
}

const results = await ask('stop');
for (const client of clients) await client.leave();
let after = await measure();
for (const until = Date.now() + SETTLING; !isAtRest(after) && Date.now() < until; ) {
  await sleep(500);
  after = await measure();
}
await server.ask('close');
await server.leave();

/** Nothing is left of the clients. */
function isAtRest({ descriptors, connections, streams, pending }) {
  return descriptors <= before.descriptors && connections === 0 && streams === 0 && pending === 0;
}

const counts = total(results.map(({ counts }) => counts));
const shown = total(results.map(({ shown }) => ({ ...shown })));
const sum = (numbers) => Object.values(numbers).reduce((all, number) => all + number, 0);
const half = curve.slice(Math.floor(curve.length / 2));
const perHour = slope(half.map(({ elapsed, resident }) => [elapsed / 3_600_000, resident]));
const growth = (perHour * length) / 2 / 3_600_000;

console.table(
  points(curve, POINTS).map((point) => ({
    time: duration(point.elapsed),
    requests: sum(point.counts),
    errors: point.errors,
    'resident MiB': inMebibytes(point.resident),
    'heap MiB': inMebibytes(point.heapUsed),
    descriptors: point.descriptors,
    connections: point.connections,
    streams: point.streams,
  })),
);
console.log(
  [
    `requests: ${sum(counts)} (${inWords(counts)})`,
    `certificates: ${after.reloads} reloads, shown ${Object.values(shown).join(' and ')} times`,
    `sources that failed as they were to: ${after.failures}`,
    `resident memory in the second half: ${inMebibytes(perHour)} MiB an hour`,
    `before the clients came and after they had left: descriptors ${before.descriptors} and ` +
      `${after.descriptors}, connections ${before.connections} and ${after.connections}, streams ` +
      `${before.streams} and ${after.streams}, pending ${before.pending} and ${after.pending}, ` +
      `resident MiB ${inMebibytes(before.resident)} and ${inMebibytes(after.resident)}`,
    `errors: ${errors}`,
  ].join('\n'),
);
const faults = [
  errors > 0 && 'errors',
  after.failures !== counts.failing && 'a failure that was not logged once',
  growth > TOLERANCE && 'memory grows',
  !isAtRest(after) && 'something is left',
].filter(Boolean);
console.log(faults.length > 0 ? `FAILED: ${faults.join(', ')}` : 'held');
if (faults.length > 0) process.exitCode = 1;
