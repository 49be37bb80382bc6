// The chat example, as it is used: by one command, in two browsers, each at another instance; and the guide's chat.

import { fileURLToPath } from 'node:url';
import test from 'ava';
import { wapix } from './fixtures/cli.mjs';
import { project } from './fixtures/project.mjs';
import { executablePath, launch } from './helpers/browser.mjs';
import { within } from './helpers/deadline.mjs';
import { missing } from './helpers/installed.mjs';
import { pages } from './helpers/pages.mjs';
import { start } from './helpers/program.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
// There is no Redis for Windows.
const isPossible = process.platform !== 'win32';
const browsers = [];

if (!executablePath) {
  missing(test, 'the chat', 'Chromium', 'apt-get install chromium, or CHROMIUM=its path');
} else {
  test.before(async () => {
    browsers.push(...(await Promise.all([launch(), launch()])));
  });
}

test.after.always(() => Promise.all(browsers.map((browser) => browser.close())));

/** Runs the command, until it is told to end. */
function command(t, env = {}) {
  const { REDIS_URL: _, ...inherited } = process.env;
  const program = start(t, process.execPath, ['examples/chat/start.mjs'], {
    cwd: ROOT,
    env: { ...inherited, PORT: '0', ...env },
  });
  // Not killed: it has processes to end.
  t.teardown(() => {
    program.child.kill();
    return program.exit();
  });
  return program;
}

/** The instance of that number, as it was started for the `nth` time. */
async function instance(program, number, nth = 1) {
  const line = `  (http:\\S+)/rooms/lobby  \\(instance ${number}, process (\\d+)\\)\\n`;
  const [, url, pid] = await program.printed(new RegExp(`(?:${line}[^]*){${nth}}`));
  return { url, pid: Number(pid) };
}

const messages = (page) => page.locator('#messages li').allTextContents();
const last = (page, text) => page.locator('#messages li').last().filter({ hasText: text });
const live = (page) => page.locator('#state[data-state=live]').waitFor();

async function write(page, from, text) {
  await page.fill('#from', from);
  await page.fill('#text', text);
  await page.click('button');
  // Emptied once the server has the message.
  await page.waitForFunction(() => document.querySelector('#text').value === '');
}

/** A test with the running example; `open` opens a room at an instance, in the browser of that number. */
function chatting(title, run) {
  if (!executablePath || !isPossible) return;
  test(title, async (t) => {
    const program = command(t);
    const instances = [await instance(program, 1), await instance(program, 2)];
    const complaints = [];
    const open = async (number, room) => {
      const context = await browsers[number - 1].newContext();
      t.teardown(() => context.close());
      context.setDefaultTimeout(30_000);
      const page = await context.newPage();
      page.on('pageerror', (error) => complaints.push(error.message));
      await page.goto(`${instances[number - 1].url}/rooms/${room}`);
      await live(page);
      return page;
    };
    await run(t, open, { program, instances });
    t.deepEqual(complaints, []);
    t.is(program.stderr, '');
  });
}

chatting('what one writes the others in the room see, once and in order', async (t, open) => {
  const ada = await open(1, 'lobby');
  const bob = await open(2, 'lobby');
  const eve = await open(2, 'garden');

  const written = [];
  for (let number = 1; number <= 10; number += 1) {
    const [page, from] = number % 2 ? [ada, 'Ada'] : [bob, 'Bob'];
    await write(page, from, `number ${number}`);
    written.push(`${from} number ${number}`);
  }
  for (const page of [ada, bob]) {
    await last(page, 'number 10').waitFor();
    t.deepEqual(await messages(page), written);
  }

  // Whatever was for her has come, now that this is there.
  await write(eve, 'Eve', 'alone');
  await last(eve, 'alone').waitFor();
  t.deepEqual(await messages(eve), ['Eve alone']);

  const late = await open(1, 'lobby');
  t.deepEqual(await messages(late), written);
});

chatting('both instances together say how many people are there', async (t, open) => {
  const here = (page, people) => page.locator('#people', { hasText: new RegExp(`^${people}$`) });
  const ada = await open(1, 'lobby');
  await here(ada, 1).waitFor();
  const bob = await open(2, 'lobby');
  const eve = await open(1, 'garden');
  for (const page of [ada, bob]) await here(page, 2).waitFor();
  await here(eve, 1).waitFor();
  await bob.close();
  await here(ada, 1).waitFor();
  t.pass();
});

chatting('what people write is text', async (t, open) => {
  const ada = await open(1, 'lobby');
  const bob = await open(2, 'lobby');
  const markup = '<img src=x onerror="document.title = 1"> &amp; <b>bold</b>';
  await write(ada, '<i>Ada</i>', markup);
  await last(bob, 'bold').waitFor();
  t.deepEqual(await messages(bob), [`<i>Ada</i> ${markup}`]);
  t.is(await bob.locator('#messages :is(img, i, li b b)').count(), 0);
  t.is(await bob.title(), 'Chat');
});

chatting(
  'who loses an instance comes back to it, and sees what was written meanwhile',
  async (t, open, { program, instances }) => {
    const ada = await open(1, 'lobby');
    const bob = await open(2, 'lobby');
    await write(ada, 'Ada', 'before');
    await last(bob, 'before').waitFor();

    // Messages are only to come as events: the state is loaded once.
    let loads = 0;
    bob.on('request', (request) => {
      if (request.method() === 'GET' && request.url().endsWith('/messages')) loads += 1;
    });
    process.kill(instances[1].pid, 'SIGKILL');
    await bob.locator('#state[data-state=reconnecting]').waitFor();
    await write(ada, 'Ada', 'meanwhile');
    const again = await instance(program, 2, 2);
    t.is(again.url, instances[1].url);
    t.not(again.pid, instances[1].pid);
    await live(bob);
    await last(bob, 'meanwhile').waitFor();
    await write(bob, 'Bob', 'after');
    for (const page of [ada, bob]) {
      await last(page, 'after').waitFor();
      t.deepEqual(await messages(page), ['Ada before', 'Ada meanwhile', 'Bob after']);
    }
    t.is(loads, 0);
  },
);

if (executablePath) {
  test('the chat of the guide: who is in the room sees what is written, as text', async (t) => {
    const { blocks } = pages().find(({ name }) => name === 'docs/guide/channels');
    const routes = blocks.filter(({ path }) => path?.startsWith('src/'));
    const { root } = project(t, {
      'package.json': '{"type":"module"}',
      ...Object.fromEntries(routes.map(({ path, source }) => [path, source])),
    });
    const server = wapix(t, root, ['start', '--port', '0', '--host', '127.0.0.1']);
    const origin = await within(server.url(), 'the URL of the server');
    const open = async (browser, room) => {
      const page = await browser.newPage();
      t.teardown(() => page.close());
      const subscribed = page.waitForResponse(`${origin}/rooms/${room}/events`);
      await page.goto(`${origin}/rooms/${room}`);
      await subscribed;
      return page;
    };
    const [ada, bob] = await Promise.all(browsers.map((browser) => open(browser, 'lobby')));
    const eve = await open(browsers[1], 'garden');
    const items = (page) => page.locator('li').allTextContents();
    const write = async (page, name, text) => {
      await page.fill('[name=from]', name);
      await page.fill('[name=text]', text);
      await page.click('button');
    };
    await write(ada, 'Ada', '<b>hello</b>');
    for (const page of [ada, bob]) {
      await page.locator('li').waitFor();
      t.deepEqual(await items(page), ['Ada: <b>hello</b>']);
    }
    await write(eve, 'Eve', 'alone');
    await eve.locator('li').waitFor();
    t.deepEqual(await items(eve), ['Eve: alone']);
    t.is(server.stderr, '');
  });
}

if (isPossible) {
  test('what is no message, and no room, is refused', async (t) => {
    const { url } = await instance(command(t), 1);
    const send = (path, body) =>
      within(
        fetch(url + path, {
          method: 'POST',
          headers: { 'Content-Type': 'application/json' },
          body: JSON.stringify(body),
        }),
        `the answer of ${path}`,
      );
    for (const body of [{}, { from: 'Ada', text: ' ' }, { from: 7, text: 'a' }, []]) {
      t.is((await send('/rooms/lobby/messages', body)).status, 400);
    }
    const long = { from: 'Ada', text: 'a'.repeat(2001) };
    t.is((await send('/rooms/lobby/messages', long)).status, 400);
    const message = { from: 'Ada', text: 'a' };
    t.is((await send('/rooms/a%0Ab/messages', message)).status, 404);
    for (const path of ['/rooms/a%0Ab', '/rooms/a%0Ab/events', '/assets/index.html']) {
      t.is((await within(fetch(url + path), path)).status, 404, path);
    }
    const { status, headers } = await within(fetch(url, { redirect: 'manual' }), 'the first page');
    t.is(status, 302);
    t.is(headers.get('location'), '/rooms/lobby');
  });

  test('the end of the command is that of all its processes', async (t) => {
    const program = command(t);
    const pids = [(await instance(program, 1)).pid, (await instance(program, 2)).pid];
    program.child.kill('SIGINT');
    t.deepEqual(await program.exit(), { code: 0, signal: null });
    for (const pid of pids) t.throws(() => process.kill(pid, 0), { code: 'ESRCH' });
  });

  test('without a Redis it says how to get one', async (t) => {
    const program = command(t, { PATH: '' });
    t.is((await program.exit()).code, 1);
    t.regex(program.stderr, /no redis-server here\. Install it .*REDIS_URL/);
    t.is(program.stdout, '');
  });
}
