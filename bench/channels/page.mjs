// docs/benchmarks-channels.md.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ratio, summary } from '../lib/statistics.mjs';
import { TITLES } from '../lib/titles.mjs';
import { facts } from '../report/machine.mjs';
import { markdown, written } from '../report/table.mjs';

const docs = join(import.meta.dirname, '../../docs');
const NAMES = {
  ...TITLES,
  fastify: 'Fastify, @fastify/sse',
  sends: 'one `send` each',
  'wapix-redis': 'wapix, I/O thread',
  'node-http-redis': 'node:http',
};

const cell = ({ median, least, most }, digits) =>
  `${written(median, digits)} (${written(least, digits)}–${written(most, digits)})`;

const middle = (rounds, figure) => summary(rounds.map((round) => round[figure])).median;

/** A row for each server: what an event costs, what a subscriber does, and how long an event takes. */
export function costTable(results, base) {
  const of = (rounds, figure, digits) =>
    cell(summary(rounds.map((round) => round[figure])), digits);
  const rows = Object.entries(results).map(([name, rounds]) => [
    NAMES[name],
    of(rounds, 'total', 2),
    written(ratio(rounds, results[base], 'total').median, 2),
    name === 'sends' ? '' : of(rounds, 'javascript', 3),
    name === 'sends' ? '' : of(rounds, 'kibibytes', 1),
    of(rounds, 'p50', 1),
    of(rounds, 'p99', 1),
    of(rounds, 'rate', 1),
  ]);
  const header = ['CPU µs/event', `/ ${NAMES[base]}`, 'of it JavaScript thread', 'KiB/subscriber'];
  return markdown(['', ...header, 'p50 ms', 'p99 ms', 'events/s'], rows);
}

/** A row for each server: how many events a second it carries. */
export function rateTable(rates) {
  const rows = Object.entries(rates).map(([name, { highest, most, steps }]) => [
    NAMES[name],
    highest === 0 ? 'none' : written(highest, 0),
    written(most, 1),
    steps.map(({ asked, p99 }) => `${asked}: ${written(p99, 0)}`).join(', '),
  ]);
  const header = ['p99 under 50 ms up to', 'delivered at most', 'p99 ms at each rate'];
  return markdown(['', ...header], rows);
}

/** Whether wapix is where the goals want it. */
function goalsTable({ sizes, rates, timer }) {
  const rows = [];
  const goal = (what, limit, value, digits, isMet) =>
    rows.push([what, limit, written(value, digits), isMet ? 'yes' : '**no**']);
  for (const { count, results } of sizes) {
    const size = `${written(count, 0)} subscribers`;
    const { wapix, 'node-http': base, sends } = results;
    const cpu = ratio(wapix, base, 'total').median;
    goal(`CPU/event, ${size}`, '≤ 0.45 of node:http', cpu, 2, cpu <= 0.45);
    const floor = ratio(wapix, sends, 'total').median;
    rows.push([`the same beside one \`send\` each`, '', written(floor, 2), '']);
    const pairs = wapix.map((round, index) => round.javascript / base[index].total);
    const javascript = summary(pairs).median;
    goal(`JavaScript thread, ${size}`, '≤ 0.01 of node:http', javascript, 3, javascript <= 0.01);
    const idle = timer / count / middle(base, 'total');
    rows.push(['an event loop that publishes to nobody', '', written(idle, 3), '']);
    const memory = middle(wapix, 'kibibytes');
    goal(`memory, ${size}`, '≤ 12 KB each', (memory * 1024) / 1000, 1, memory * 1.024 <= 12);
  }
  const { wapix, 'node-http': base } = rates;
  goal('events/s with a p99 under 50 ms', '> 0', wapix.highest, 0, wapix.highest > 0);
  const times = wapix.highest / (base.highest || base.most);
  const what = base.highest
    ? 'the same beside node:http'
    : 'the same beside all that node:http delivers';
  goal(what, '≥ 2', times, 1, times >= 2);
  return markdown(['', 'goal', 'measured', 'met'], rows);
}

export function writePage(measured, { seconds, rounds, minutes }) {
  const { sizes, rates, processes, timer, costRates } = measured;
  const page = [
    '<!-- Written by bench/channels.mjs. -->',
    '# Benchmarks of channels',
    `One event to many subscribers, beside servers that do the same with what they offer, each in a process of
its own on loopback, one after the other in every round. A cell holds the median of ${rounds} rounds, then the least
and the most of them; a ratio is one of figures of the same round. CPU time is what Linux has counted for the
server's process, and for its first thread, which is JavaScript's. The subscribers run on the same two cores: they
look at their sockets every millisecond, so that no server pays for waking them. Each of them looks that
every event came, once and in order. Latency is from publishing to the client's reading.`,
    `Memory is resident memory before an event is published, less that before the subscribers came. The kernel's,
of sockets and their buffers, is none of a process's. “One \`send\` each” is a program that does nothing else:
what an event costs the kernel, with the same bytes and the same clients.`,
    '## Repeat it',
    `\`\`\`sh
npm run build
cd bench && npm start -- --only get    # installs the peers
npm run channels                       # measures, and writes this page
\`\`\``,
    `It wants a \`redis-server\`, and 20,000 open files allowed (\`ulimit -n\`). It took ${minutes} minutes, with
${seconds} s for each figure.`,
    markdown(['', ''], facts()),
    '## Goals',
    goalsTable(measured),
    `An event loop that publishes to nobody is a timer and a \`JSON.stringify\`: ${written(timer, 0)} µs an event in
Node.js, whatever is done with it.`,
    '## What an event costs',
    ...sizes.flatMap(({ count, results }) => [
      `### ${written(count, 0)} subscribers, ${costRates[count]} events a second`,
      costTable(results, 'node-http'),
    ]),
    '## How many events a second',
    `5,000 subscribers. A rate is raised until less than nine tenths of the events arrive, and then no more. Events
that have come meanwhile wapix sends together, so that it delivers more of them than it has time to write
one by one.`,
    rateTable(rates),
    '## Three processes behind Redis',
    `45,000 subscribers, 15,000 of each process; one of them publishes ${costRates.processes} event a second. Redis'
own CPU time is not counted. node:http has a subscription of Redis' publish/subscribe for each process, which keeps nothing
for clients that come back. Of the others only wapix has a backplane; they would be measured with the same
subscription.`,
    costTable(processes, 'node-http-redis'),
  ];
  writeFileSync(join(docs, 'benchmarks-channels.md'), `${page.join('\n\n')}\n`);
}
