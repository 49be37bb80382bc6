/** Builds, runs every test (those after a failure too), and ends with their count. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { command } from './run.mjs';
import './setup.mjs';

/** How ava says what became of a test; its own summary leaves out those that passed where one failed. */
const AVA = {
  // Of more files those would fail now and then whose tests have to be in time.
  words: ['ava', `--concurrency=${availableParallelism()}`],
  passed: /^ {2}[✔√] /gm,
  failed: /^ {2}[✘×] /gm,
  skipped: /^ {2}- \[skip\]/gm,
};

/** All but what does not depend on where sockets are served: the command line, packages, and documents. */
const ELSEWHERE = [
  ...AVA.words,
  '__test__/*.spec.mjs',
  '!__test__/{cli,cli-*,create,docs,docs-*,examples,guide-streaming-types,package,route-types,routes-typescript}.spec.mjs',
];

/** A browser computes for minutes, and does not see where its sockets are served. */
const BROWSERS = '!__test__/{browser,chat}.spec.mjs';
/** Minutes of load, or of waiting. In the default transport it is the loop, too, that serves them, with a thread beside. */
const LONG = '!__test__/{faults,full-sockets,http2-silent,live-streams,restarts}.spec.mjs';

const SUITES = [
  {
    name: 'cargo',
    words: ['cargo', 'test', '--locked', '--no-fail-fast'],
    // A line for each test binary, and one for the doc tests.
    passed: /^test result: .* (\d+) passed/gm,
    failed: /^test result: .* (\d+) failed/gm,
    skipped: /^test result: .* (\d+) ignored/gm,
  },
  { name: 'ava', ...AVA },
  // Twice more, with sockets served on the JavaScript thread always, and on two threads that never are it.
  {
    name: 'in-loop',
    ...AVA,
    words: [...ELSEWHERE, BROWSERS, LONG],
    env: { WAPIX_IO_THREADS: '0' },
  },
  { name: 'threads', ...AVA, words: [...ELSEWHERE, BROWSERS], env: { WAPIX_IO_THREADS: '2' } },
  // These print no count: a test each.
  { name: 'types', words: ['tsc', '-p', '__test__/types'] },
  { name: 'examples', words: ['node', 'scripts/examples.mjs'] },
  { name: 'docs', words: ['node', 'scripts/docs.mjs'] },
];

const total = { passed: 0, failed: 0, skipped: 0 };
const summaries = [];
for (const suite of SUITES) {
  process.stdout.write(`\n> ${suite.words.join(' ')} (${suite.name})\n`);
  const { text, succeeded } = await run(suite.words, suite.env);
  const counts = suite.passed
    ? {
        passed: sum(text, suite.passed),
        failed: sum(text, suite.failed),
        skipped: sum(text, suite.skipped),
      }
    : { passed: succeeded ? 1 : 0, failed: 0, skipped: 0 };
  // One that did not compile, or broke down, has counted nothing.
  if (!succeeded) counts.failed ||= 1;
  for (const key of Object.keys(total)) total[key] += counts[key];
  summaries.push(`${suite.name.padEnd(10)}${show(counts)}\n`);
}
process.stdout.write(`\n${summaries.join('')}\n${show(total)}\n`);
process.exitCode = total.failed === 0 ? 0 : 1;

/** Runs a command, its output both shown and kept. */
async function run(words, env) {
  const child = spawn(...command(words), {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...env },
  });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (chunk) => {
    text += chunk;
    process.stdout.write(chunk);
  });
  const [code] = await once(child, 'close');
  return { text, succeeded: code === 0 };
}

/** The numbers in the lines that match; a line without one counts as one. */
function sum(text, pattern) {
  return [...text.matchAll(pattern)].reduce((total, [, count = 1]) => total + Number(count), 0);
}

function show({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
}
