/** Takes the picture of the dashboard that the README shows: `node scripts/screenshot.mjs [file [width]]`. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { setTimeout } from 'node:timers/promises';
import { launch } from '../__test__/helpers/browser.mjs';
import './run.mjs';

const [file = 'docs/images/dashboard.png', width = '1080'] = process.argv.slice(2);
const ROUTES = 'examples/dashboard/src/routes';
const args = ['bin/wapix.js', 'start', '--routes', ROUTES, '--port', '0', '--host', '127.0.0.1'];
const server = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
const browser = await launch();
try {
  const origin = await originOf(server);
  const page = await browser.newPage({ viewport: { width: Number(width), height: 760 } });
  await page.goto(origin);
  // Something to see: visitors come and go, for a minute and while the picture is taken.
  let watched = true;
  const visits = visitors(origin, () => watched);
  await setTimeout(60_000);
  await page.setInputFiles('input', {
    name: 'notes.txt',
    buffer: Buffer.from('These are notes.\n'),
  });
  await page.click('form button');
  await page.locator('#files li').waitFor();
  await page.click('#make');
  await page.waitForFunction(() => document.querySelector('#progress').value > 60);
  await page.screenshot({ path: file, fullPage: true });
  watched = false;
  await visits;
} finally {
  await browser.close();
  server.kill();
}

async function visitors(origin, stay) {
  for (let count = 4; stay(); count = (count % 7) + 1) {
    const until = performance.now() + 1500 + 400 * count;
    const visit = async () => {
      while (stay() && performance.now() < until) {
        await fetch(`${origin}/reports/0/csv`);
        await setTimeout(4);
      }
    };
    await Promise.all(Array.from({ length: count ** 2 }, visit));
  }
}

async function originOf({ stdout }) {
  for await (const line of createInterface(stdout)) {
    const [origin] = /http:\S+/.exec(line) ?? [];
    if (origin) return origin;
  }
  throw new Error('The example has ended before it listened.');
}
