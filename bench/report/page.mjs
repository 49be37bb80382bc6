// docs/benchmarks.md, and the chart in it.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { chart } from './chart.mjs';
import { goalsTable } from './goals.mjs';
import { facts } from './machine.mjs';
import { markdown, table } from './table.mjs';

const docs = join(import.meta.dirname, '../../docs');

const section = (benchmark) => {
  return [`### ${benchmark.title}`, table(benchmark), `Rounds: ${benchmark.rounds}.`];
};

/** Writes what every benchmark gave; `minutes` is how long it took. */
export function writePage({ requests, growth }, seconds, minutes) {
  const goals = goalsTable([...requests, ...growth]);
  const page = [
    '<!-- Written by bench/start.mjs. -->',
    '# Benchmarks',
    `wapix beside its peers, each in a process of its own on loopback, one after the other in every
round. A cell holds the median of the rounds, then the least and the most of them. A ratio is one of
figures of the same round; under 1 is less than the base. CPU time is what Linux has counted for the
server's process, and for its first thread, which is JavaScript's. The load generator runs on the same
cores, on one thread. Every answer is checked before and after the load: status, media type and bytes.`,
    '![CPU time per request](benchmarks.svg)',
    '## Repeat it',
    `On Linux, with \`wrk\` and \`h2load\` (Debian: \`apt install wrk nghttp2-client\`) and 16,000 open
files allowed (\`ulimit -n\`), in the repository:`,
    `\`\`\`sh
npm run build
cd bench && npm start    # installs the peers, measures, writes this page
\`\`\``,
    `It took ${minutes} minutes, with ${seconds} s for each load. [bench/](../bench/README.md) says how to run
parts of it.`,
    markdown(['', ''], facts()),
    '## Goals',
    `${goals.met} of ${goals.of} are met. The goals of the first benchmark are those of each with the same
request in another shape; over TLS and HTTP/2 they are what concerns Node, Bun and Deno.`,
    goals.table,
    '## Requests',
    `HTTP/1.1 over 64 connections that are kept alive, where nothing else is said. Deno and node:http have no
router: their handlers look the first segment up in a \`Map\`. Over TLS and HTTP/2, node:http is Node's
\`https\` and \`http2\`.`,
    ...requests.flatMap(section),
    '## Growth',
    ...growth.flatMap(section),
  ];
  writeFileSync(join(docs, 'benchmarks.md'), `${page.join('\n\n')}\n`);
  writeFileSync(join(docs, 'benchmarks.svg'), chart(requests));
}
