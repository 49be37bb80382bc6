/**
 * Counts the instructions of a request's hot path, in `benches/instructions.rs`, and fails where they
 * have grown by more than a twentieth. What is compared is the ratio to bare hyper, counted in the same
 * run: another compiler changes both. `--record` takes the count as the one to compare with.
 *
 * Needs valgrind, which has every run come to the same count, however busy the machine is.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { fail, output } from './run.mjs';
import { buildTarget } from './target.mjs';

const RECORD = 'benches/instructions.json';
const TOLERANCE = 1.05;
const CONNECTIONS = 16;
const [FEW, MANY] = [50, 250];

// As the addon is built, whose dependencies then are compiled already.
const { triple, isZig } = buildTarget();
const built = output(
  ...['cargo', isZig ? 'zigbuild' : 'build', '--locked', '--release', '--bin', 'instructions'],
  ...[...(triple ? ['--target', triple] : []), '--message-format', 'json-render-diagnostics'],
);
const [program] = built
  .split('\n')
  .filter((line) => line.startsWith('{'))
  .map((line) => JSON.parse(line).executable)
  .filter(Boolean);

const [socket, hyper, wapix, repeated] = ['socket', 'hyper', 'wapix', 'repeated'].map(perRequest);
const ratioOf = (count) => Number(((count - socket) / (hyper - socket)).toFixed(3));
const ratios = { wapix: ratioOf(wapix), repeated: ratioOf(repeated) };
process.stdout.write(
  `instructions of a request: ${wapix - socket}, of bare hyper: ${hyper - socket}, ratio ${ratios.wapix}; ` +
    `with the header fields of the one before it: ${repeated - socket}, ratio ${ratios.repeated}\n`,
);

if (process.argv.includes('--record')) {
  writeFileSync(RECORD, `${JSON.stringify(ratios, null, 2)}\n`);
} else {
  const recorded = JSON.parse(readFileSync(RECORD, 'utf8'));
  for (const [which, ratio] of Object.entries(ratios)) {
    if (ratio <= recorded[which] * TOLERANCE) continue;
    fail(
      `The ratio of ${which} was ${recorded[which]}. Find what made the difference; where it is worth that,\n` +
        'node scripts/instructions.mjs --record',
    );
  }
}

/** Start and end cost the same whatever lies between. */
function perRequest(server) {
  const [few, many] = [FEW, MANY].map((rounds) => count(server, rounds));
  return Math.round((many - few) / (CONNECTIONS * (MANY - FEW)));
}

function count(server, rounds) {
  const log = output(
    ...['valgrind', '--tool=callgrind', '--callgrind-out-file=/dev/null', '--log-fd=1'],
    ...[program, server, String(rounds)],
  );
  const [, collected] = /Collected : (\d+)/.exec(log) ?? fail(`valgrind counted nothing:\n${log}`);
  return Number(collected);
}
