// docs/benchmarks-streams.md.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { goalsTable } from '../report/goals.mjs';
import { facts } from '../report/machine.mjs';
import { markdown, table } from '../report/table.mjs';

const docs = join(import.meta.dirname, '../../docs');

export function writePage({ benchmarks, memory }, { rounds, minutes }) {
  const goals = goalsTable(benchmarks);
  const page = [
    '<!-- Written by bench/streams.mjs. -->',
    '# Benchmarks of streams',
    `wapix beside its peers, each in a process of its own on loopback, one after the other in every round. A cell
holds the median of ${rounds} rounds, then the least and the most of them. A ratio is one of figures of the same round;
under 1 is less than the base. CPU time is what Linux has counted for the server's process, compiling of
JavaScript included, and for its first thread, which is JavaScript's. The clients throw away what they receive.
Bun and Deno have web streams of their own, the others the same Node streams; node:http sends them with \`pipeline\`.`,
    '## Repeat it',
    `\`\`\`sh
npm run build
cd bench && npm start -- --only get    # installs the peers
npm run streams                        # measures, and writes this page
\`\`\``,
    `On Linux. It took ${minutes} minutes.`,
    markdown(['', ''], facts()),
    '## Goals',
    `${goals.met} of ${goals.of} are met.`,
    goals.table,
    `An event for everybody is what a channel is for: it is written without JavaScript. With a Readable for each
client, pushing an event to 1,000 of them is JavaScript's work, before anything is written.`,
    '## Figures',
    ...benchmarks.flatMap((benchmark) => [`### ${benchmark.title}`, table(benchmark)]),
    '## Memory',
    `What wapix keeps of a million short streams over 20 connections, and of a hundred thousand silent ones that their
clients have left meanwhile, with FIN and RST in turn: resident memory after each tenth, and open descriptors, 20 of them
those connections.`,
    memory,
  ];
  writeFileSync(join(docs, 'benchmarks-streams.md'), `${page.join('\n\n')}\n`);
}
