// Streams as a browser takes them: headless Chromium, where it is installed.

import { mkdtempSync, readFileSync, rmSync, statSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { stream, text } from 'wapix';
import { wapix } from './fixtures/cli.mjs';
import { project } from './fixtures/project.mjs';
import { executablePath, launch } from './helpers/browser.mjs';
import { within } from './helpers/deadline.mjs';
import { closed, deferred } from './helpers/events.mjs';
import { missing } from './helpers/installed.mjs';
import { captureErrors, errorsNaming } from './helpers/log.mjs';
import {
  DRIVING,
  IMPORTED,
  printedHtml,
  printedRoutes,
  UPLOADS_ELSEWHERE,
} from './helpers/printed.mjs';
import { lastingPort, originOf, serve } from './helpers/server.mjs';
import { counted, manual } from './helpers/source.mjs';

captureErrors();

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const MIB = 2 ** 20;
const GIB = 2 ** 30;

const folder = mkdtempSync(join(tmpdir(), 'wapix-browser-'));
let browser;

if (executablePath) {
  test.before(async () => {
    browser = await launch({ downloadsPath: folder });
  });
} else missing(test, 'a browser', 'Chromium', 'apt-get install chromium, or CHROMIUM=its path');

test.after.always(async () => {
  await browser?.close();
  rmSync(folder, { recursive: true });
});

/** A test with a page of its own. */
function inBrowser(title, run, register = test) {
  if (!executablePath) return;
  register(title, async (t) => {
    const context = await browser.newContext();
    t.teardown(() => context.close());
    context.setDefaultTimeout(30_000);
    await run(t, await context.newPage());
  });
}

/** Asks `url` until what it answers is good. */
async function until(url, isGood) {
  const asking = (async () => {
    while (!isGood(await (await fetch(url)).json()));
  })();
  await within(asking, `the awaited answer of ${url}`);
}

// ---- The example

function example(t, port) {
  const routes = 'examples/streaming/src/routes';
  const where = ['--port', port, '--host', '127.0.0.1'];
  return wapix(t, ROOT, ['start', '--routes', routes, ...where]);
}

/** What the page shows once it shows `count` messages. */
async function shown(page, count) {
  await page
    .locator('li')
    .nth(count - 1)
    .waitFor();
  return page.locator('li').allTextContents();
}

const isEventStream = (response) =>
  response.url().endsWith('/messages') && response.request().method() === 'GET' && response.ok();

for (const signal of ['SIGKILL', 'SIGTERM']) {
  inBrowser(`the example's page shows messages, before and after ${signal}`, async (t, page) => {
    const port = String(lastingPort());
    const first = example(t, port);
    const origin = await first.url();
    const connected = page.waitForResponse(isEventStream);
    await page.goto(`${origin}/static/index.html`);
    await connected;
    const send = async (text) => {
      await page.fill('input', text);
      await page.click('button');
    };
    await send('one');
    t.is(await page.inputValue('input'), '', 'there is room for the next message at once');
    // Two requests under way together may arrive in any order.
    await shown(page, 1);
    await send('two');
    t.deepEqual(await shown(page, 2), ['browser: one', 'browser: two']);
    await until(`${origin}/status`, ({ listeners }) => listeners === 1);

    first.child.kill(signal);
    // A server that closes waits 10 s for an open stream.
    const { code } = await within(first.exit, `the server's end by ${signal}`, 30_000);
    t.is(code, signal === 'SIGTERM' ? 0 : null, first.stderr);
    const reconnected = page.waitForResponse(isEventStream);
    const second = example(t, port);
    t.is(await second.url(), origin);
    await reconnected;
    await send('three');
    t.deepEqual(await shown(page, 3), ['browser: one', 'browser: two', 'browser: three']);

    await until(`${origin}/status`, ({ listeners }) => listeners === 1);
    await page.close();
    await until(`${origin}/status`, ({ listeners }) => listeners === 0);
    t.is(second.stderr, '');
  });
}

// ---- The page as published

/** The routes of the published page, its HTML at `/page`, and routes of ours. */
async function published(t, files = {}) {
  const { root, path, write } = project(t, {
    ...printedRoutes(),
    ...IMPORTED,
    ...DRIVING,
    'src/routes/page/$name/get.ts': `
      import { createReadStream } from 'node:fs';
      import { stream, type RequestHandler } from 'wapix';
      const handler: RequestHandler<{ name: string }> = ({ params }) =>
        stream(createReadStream(params.name + '.html'), 'text/html; charset=utf-8');
      export default handler;
    `,
    ...files,
    'package.json': '{"type":"module"}',
    'preload.cjs': UPLOADS_ELSEWHERE,
  });
  const args = ['start', '--routes', 'src/routes', '--port', '0', '--host', '127.0.0.1'];
  const NODE_OPTIONS = `--require ${JSON.stringify(path('preload.cjs'))}`;
  const run = wapix(t, root, args, { NODE_OPTIONS });
  const origin = await run.url();
  write('events.html', printedHtml(origin));
  write('updates.html', printedHtml(origin).replace(`${origin}/events`, `${origin}/updates`));
  return { run, origin, path };
}

inBrowser('the published page shows the events of its route', async (t, page) => {
  const { run, origin } = await published(t);
  const state = `${origin}/driving/state`;
  const { timers } = await (await fetch(state)).json();
  await page.goto(`${origin}/page/events`);
  await page.locator('p').nth(1).waitFor();
  for (const line of await page.locator('p').allTextContents()) {
    t.regex(line, /^\d+: Hello from server!$/);
  }
  await until(state, (now) => now.timers > timers);
  await page.close();
  await until(state, (now) => now.timers <= timers);
  t.is(run.stderr, '');
});

inBrowser('the published page hears events that have names', async (t, page) => {
  const { run, origin } = await published(t);
  const saying = (start) =>
    page.waitForEvent('console', (message) => message.text().startsWith(start));
  const connected = saying('Connected');
  await page.goto(`${origin}/page/updates`);
  const said = async (message) => Promise.all((await message).args().map((arg) => arg.jsonValue()));
  t.deepEqual(await said(connected), ['Connected:', { status: 'connected' }]);

  const updated = saying('Update');
  const emit = (event, data) =>
    fetch(`${origin}/driving/emit/${event}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(data),
    });
  await emit('update', { id: 7 });
  t.deepEqual(await said(updated), ['Update:', { id: 7 }]);
  await emit('message', { timestamp: 1, message: 'line\nbreak é' });
  await page.locator('p').waitFor();
  t.is(await page.locator('p').textContent(), '1: line\nbreak é');

  await page.goto('about:blank');
  await until(`${origin}/driving/state`, ({ listeners }) => listeners === 0);
  t.is(run.stderr, '');
});

// ---- Downloads

const GENERATED = `
  import { Readable } from 'node:stream';
  import { stream, type RequestHandler } from 'wapix';
  const size = 64 * 1024;
  const handler: RequestHandler = () => {
    let left = ${GIB / 2} / size;
    const source = new Readable({
      read() {
        this.push(left === 0 ? null : Buffer.alloc(size));
        left -= 1;
      },
    });
    return stream(source, undefined, { 'Content-Disposition': 'attachment' });
  };
  export default handler;
`;

/** Follows a link to `url`, and returns the download that it begins. */
async function download(page, url) {
  const begun = page.waitForEvent('download');
  await page.evaluate((href) => {
    location.href = href;
  }, url);
  return begun;
}

/** The most memory that the process `pid` ever had, where the system tells. */
function peakOf(pid) {
  if (process.platform !== 'linux') return 0;
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) * 1024;
}

/**
 * What the server may have more at its peak. A stream has a window of half a MiB, and Node collects
 * the chunks of a source when it likes; what is sent is many times that.
 */
const ROOM = 100 * MIB;

for (const [kind, path, size] of [
  ['a file of two gigabytes', '/files/big.bin', 2 * GIB],
  ['half a gigabyte, generated', '/generated/big.bin', GIB / 2],
]) {
  inBrowser(
    `a download of ${kind}, in constant memory`,
    async (t, page) => {
      t.timeout(200_000);
      const files = { 'uploads/big.bin': '', 'src/routes/generated/$file/get.ts': GENERATED };
      const { run, origin, path: inProject } = await published(t, files);
      truncateSync(inProject('uploads/big.bin'), 2 * GIB);
      await page.goto(`${origin}/page/events`);
      const before = peakOf(run.child.pid);
      const big = await download(page, origin + path);
      t.is(big.suggestedFilename(), 'big.bin');
      // Chromium needs ten seconds for it, where nobody else wants the processor.
      const saved = await within(big.path(), 'the end of the download', 150_000);
      t.is(statSync(saved).size, size);
      await big.delete();
      const grown = peakOf(run.child.pid) - before;
      t.log(`the server grew by ${(grown / MIB).toFixed(1)} MiB`);
      t.true(grown < ROOM, `${grown} bytes`);
      t.is(run.stderr, '');
    },
    // One after the other, before the rest: Chromium takes all it can get.
    test.serial,
  );
}

inBrowser('a download that breaks off has failed', async (t, page) => {
  const begun = { '/broken': deferred(), '/broken-declared': deferred() };
  async function* breaking(path) {
    // Chromium waits for some of it, to see what it is.
    yield 'x'.repeat(2000);
    await begun[path].promise;
    throw new Error('broken');
  }
  const server = await serve(t, {
    '/': { get: () => text('a page') },
    '/broken': { get: () => stream(breaking('/broken')) },
    '/broken-declared': {
      get: () => stream(breaking('/broken-declared'), undefined, { 'Content-Length': 5000 }),
    },
  });
  await page.goto(originOf(server));
  for (const [path, { resolve }] of Object.entries(begun)) {
    const broken = await download(page, originOf(server) + path);
    resolve();
    t.truthy(await within(broken.failure(), 'the end of the download'), path);
    t.true(errorsNaming(path).length >= 1, 'Chromium may have tried again');
  }
});

inBrowser('a download that is cancelled destroys its source', async (t, page) => {
  const source = counted(Number.POSITIVE_INFINITY);
  const server = await serve(t, {
    '/': { get: () => text('a page') },
    '/cancelled': { get: () => stream(source) },
  });
  await page.goto(originOf(server));
  const cancelled = await download(page, `${originOf(server)}/cancelled`);
  await cancelled.cancel();
  await closed(source);
  t.is(await cancelled.failure(), 'canceled');
  t.deepEqual(errorsNaming('/cancelled'), [], 'leaving is not logged');
});

// ---- fetch

inBrowser(
  'fetch: chunks one by one, until a signal aborts and destroys the source',
  async (t, page) => {
    const source = manual();
    const server = await serve(t, {
      '/': { get: () => text('a page') },
      '/aborted': { get: () => stream(source) },
    });
    await page.goto(originOf(server));
    source.push('one');
    await page.evaluate(async () => {
      globalThis.leaving = new AbortController();
      const response = await fetch('/aborted', { signal: leaving.signal });
      const reader = response.body.getReader();
      globalThis.next = async () => new TextDecoder().decode((await reader.read()).value);
    });
    t.is(await page.evaluate(() => next()), 'one');
    source.push('two');
    t.is(await page.evaluate(() => next()), 'two');
    const name = await page.evaluate(async () => {
      leaving.abort();
      return next().catch((error) => error.name);
    });
    t.is(name, 'AbortError');
    await closed(source);
    t.is(source.errored, null, 'leaving is no error of the source');
    t.deepEqual(errorsNaming('/aborted'), [], 'leaving is not logged');
  },
);

for (const [length, headers] of [
  ['no length', {}],
  ['a length', { 'Content-Length': 100 }],
]) {
  inBrowser(`fetch: an error midway fails the reader, ${length} declared`, async (t, page) => {
    const source = manual();
    const server = await serve(t, {
      '/': { get: () => text('a page') },
      '/failing': { get: () => stream(source, undefined, headers) },
    });
    await page.goto(originOf(server));
    source.push('some');
    await page.evaluate(async () => {
      const reader = (await fetch('/failing')).body.getReader();
      globalThis.next = async () => new TextDecoder().decode((await reader.read()).value);
    });
    t.is(await page.evaluate(() => next()), 'some');
    source.destroy(new Error('broken'));
    const failure = within(
      page.evaluate(() => next()),
      'the failure',
    );
    await t.throwsAsync(failure, { message: /TypeError: network error/ });
  });
}
