// The dashboard example, as it is used: in a browser.

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { wapix } from './fixtures/cli.mjs';
import { executablePath, launch } from './helpers/browser.mjs';
import { within } from './helpers/deadline.mjs';
import { missing } from './helpers/installed.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
let browser;

if (executablePath) {
  test.before(async () => {
    browser = await launch();
  });
} else missing(test, 'the dashboard', 'Chromium', 'apt-get install chromium, or CHROMIUM=its path');

test.after.always(() => browser?.close());

/** A test with the example's page, in a window of `width`; what the page or the server complains of fails it. */
function onPage(title, run, width = 1080) {
  if (!executablePath) return;
  test(title, async (t) => {
    const routes = 'examples/dashboard/src/routes';
    const where = ['--port', '0', '--host', '127.0.0.1'];
    const server = wapix(t, ROOT, ['start', '--routes', routes, ...where]);
    const origin = await within(server.url(), 'the URL of the server');
    const context = await browser.newContext({ viewport: { width, height: 800 } });
    t.teardown(() => context.close());
    context.setDefaultTimeout(30_000);
    const page = await context.newPage();
    const complaints = [];
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('response', (response) => {
      if (response.status() === 404 && !response.url().endsWith('/favicon.ico')) {
        complaints.push(response.url());
      }
    });
    await page.goto(origin);
    await page.locator('#state[data-state=live]').waitFor();
    await run(t, page, origin);
    t.deepEqual(complaints, []);
    t.is(server.stderr, '');
  });
}

/** How many pixels of the chart have a colour of their own, neither grey nor nothing. */
const coloured = (page) =>
  page.locator('canvas').evaluate((canvas) => {
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    let count = 0;
    for (let at = 0; at < data.length; at += 4) {
      const [red, green, blue, alpha] = data.subarray(at, at + 4);
      const spread = Math.max(red, green, blue) - Math.min(red, green, blue);
      if (alpha > 200 && spread > 100) count += 1;
    }
    return count;
  });

/** Resolves when `look` has found more than `least`. */
async function moreThan(least, look) {
  let found;
  do found = await look();
  while (found <= least);
  return found;
}

onPage('the chart grows while the page is open', async (t, page, origin) => {
  const first = await within(
    moreThan(0, () => coloured(page)),
    'a first line',
  );
  await within(
    moreThan(first, () => coloured(page)),
    'a longer one',
  );
  t.regex(await page.textContent('#memory'), /^\d+ MiB$/);
  t.regex(await page.textContent('#cpu'), /^\d+ %$/);

  const other = await page.context().newPage();
  await other.goto(origin);
  await page.locator('#watchers', { hasText: /^2$/ }).waitFor();
  await other.close();
  await page.locator('#watchers', { hasText: /^1$/ }).waitFor();
});

onPage('a report moves the bar to its end, and can be downloaded then', async (t, page) => {
  t.false(await page.isVisible('#download'));
  await page.click('#make');
  t.true(await page.isDisabled('#make'));
  await page.waitForFunction(() => {
    const { value } = document.querySelector('#progress');
    return value > 0 && value < 100;
  });
  const downloading = page.waitForEvent('download');
  await page.click('#download');
  const download = await downloading;
  t.is(download.suggestedFilename(), 'report.csv');
  const lines = readFileSync(await download.path(), 'utf8').split('\r\n');
  t.is(lines[0], 'day,orders,revenue');
  t.is(lines.length, 367);
  t.is(await page.textContent('#percent'), '100 %');
  t.true(await page.isEnabled('#make'));
});

onPage('an upload is answered with what came, and a large one is refused', async (t, page) => {
  const send = async (buffer) => {
    await page.setInputFiles('input', { name: 'ä b.txt', buffer });
    await page.click('form button');
  };
  const first = page.locator('#files li').first();
  await send(Buffer.from('abc'));
  const sha256 = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad';
  await first.filter({ hasText: `ä b.txt, 3 bytes: ${sha256}` }).waitFor();
  await send(Buffer.alloc(2 ** 20));
  await first.filter({ hasText: 'Not sent' }).waitFor();
  t.is(await page.locator('#files li').count(), 2);
});

onPage(
  'on a phone nothing is wider than the screen',
  async (t, page) => {
    t.is(await page.evaluate(() => document.documentElement.scrollWidth), 390);
    t.true((await page.locator('canvas').boundingBox()).width > 300);
  },
  390,
);
