// The chapters of the streaming guide as tests: each block of them is run, and does what the guide says.

import { createServer as createHttp } from 'node:http';
import test from 'ava';
import { once } from './events.mjs';
import { altered, BLOCKS, serve, Visit } from './guide-streaming-app.mjs';
import { needing } from './installed.mjs';

export const UPLOADS = {
  'uploads/notes.txt': 'These notes are a download.\n',
  'uploads/talk.mp4': 'In place of a video.',
  // What came of it before the download broke off.
  'talk.mp4': 'In place',
  'app.log': Array.from({ length: 50_000 }, (_, line) => `line ${line}\n`).join(''),
};

/** What never ends, and what fails: in a project of CommonJS. */
const ALTERED = {
  ...altered(
    'src/orders.ts',
    ['25_000', '1e12'],
    ['Promise<Order[]> {', 'Promise<Order[]> {\n  globalThis.pages = (globalThis.pages ?? 0) + 1;'],
  ),
  ...altered(
    'src/routes/squares/get.ts',
    ['100_000', '1e12'],
    ['output.destroy(error)', '{ console.log(error.name); output.destroy(error); }'],
  ),
  ...altered('src/jobs.ts', [
    'await setTimeout(100);',
    // Not before its watcher has left: nothing but the signal can end the wait.
    `if (percent === 10) await new Promise((resolve) => this.once('removeListener', resolve));
    if (percent === 50) throw new Error('out of work');`,
  ]),
  ...altered('src/routes/ticks/get.ts', ['setInterval(1000,', 'setInterval(1e8,']),
};

/** The chapters whose blocks each spec runs. */
const CHAPTERS = {
  events: ['Event streams', 'Tokens of a language model'],
  downloads: ['Downloads', 'Downloads that go on'],
  exports: ['Exports', 'Progress of a long task', 'Backpressure'],
  sources: ['What may be streamed', 'Clean-up'],
  commands: ['Behind a proxy', 'Testing'],
};

/** What the routes of the guide ask: a test says how it answers. */
export const upstream = createHttp((_, response) => upstream.emit('asked', response));
/** Which files of the guide the tests of the spec use: as they are printed, or altered. */
const used = new Set();
const apps = {};
const cleanups = [];

test.before(async () => {
  const lasting = { teardown: (cleanup) => cleanups.unshift(cleanup) };
  await once(upstream.listen(0, '127.0.0.1'), 'listening');
  const env = { UPSTREAM: `http://127.0.0.1:${upstream.address().port}` };
  const starting = {
    printed: () => serve(lasting, UPLOADS, { env }),
    altered: () => serve(lasting, ALTERED, { env, type: 'commonjs' }),
  };
  const starts = Array.from(used, async (name) => {
    apps[name] = await starting[name]();
  });
  await Promise.all(starts);
});

test.after.always(() => {
  for (const cleanup of cleanups) cleanup();
  upstream.closeAllConnections();
  upstream.close();
});

/** What some test runs: paths of files of the guide, and commands. */
const claimed = [];

/** A test of what the guide prints: nothing is logged. */
export function shows(title, printed, implementation, programs = []) {
  claimed.push(...printed);
  visits('printed', title, implementation, programs);
}

/** The same with the altered files: what never ends, and what fails. */
export function showsAltered(title, implementation, programs = []) {
  visits('altered', title, implementation, programs);
}

/** One after the other, so that what is in use can be told. */
function visits(name, title, implementation, programs) {
  used.add(name);
  needing(test.serial, ...programs)(title, async (t) => {
    const app = new Visit(t, apps[name]);
    await implementation(t, app);
    app.leave();
    await app.idle();
    if (name === 'printed') t.is(app.program.stderr, '', 'nothing is logged');
  });
}

/** Behind the tests of a spec: they run every block of its chapters, and `commands` every command. */
export function runsEveryBlock(spec) {
  test(`every block of the guide is run by a test: ${spec}`, (t) => {
    const printed = BLOCKS.filter((block) => specOf(block) === spec).flatMap(
      ({ language, path, source }) => {
        if (language === 'bash') return source.trim().split('\n');
        return path ?? `a block that is no file: ${source}`;
      },
    );
    t.deepEqual([...new Set(claimed)].sort(), printed.sort());
  });
}

function specOf({ language, chapter }) {
  if (language === 'bash') return 'commands';
  const [spec] = Object.entries(CHAPTERS).find(([, chapters]) => chapters.includes(chapter)) ?? [];
  if (spec === undefined) throw new Error(`no spec runs the blocks of ${chapter}`);
  return spec;
}

/** Of the state: so many listen to the news. */
export const listeners = (count) => (now) => now.listeners === count;
