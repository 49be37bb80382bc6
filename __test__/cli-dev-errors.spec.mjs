// What `wapix dev` says of a mistake: on the terminal, to a browser, and to everybody else.

import test from 'ava';
import { answering, bodyOf, call, wapix } from './fixtures/cli.mjs';
import { project } from './fixtures/project.mjs';
import { executablePath, launch } from './helpers/browser.mjs';
import { missing } from './helpers/installed.mjs';
import { lastingPort } from './helpers/server.mjs';

const NAVIGATION = { 'sec-fetch-mode': 'navigate', accept: 'text/html,*/*;q=0.8' };

/** Goes to `url` as a browser does. */
const go = (url, headers = NAVIGATION) => call(url, { headers });

const BROKEN = `import { text } from 'wapix';

export default () => {
  const name: = '</script><b>&';
  return text(name);
};
`;

const FRAME = `    3 | export default () => {
  > 4 |   const name: = '</script><b>&';
      |              ^
    5 |   return text(name);
`;

const THROWING = `import { text, type RequestHandler } from 'wapix';

const names: Record<string, string> = {};

const handler: RequestHandler<{ id: string }> = (req) => {
  // Nobody has a name.
  return text(names[req.params.id]!.toUpperCase());
};

export default handler;
`;

async function dev(t, files, port = 0) {
  const { root, write } = project(t, files);
  const run = wapix(t, root, ['dev', '-p', String(port), '--host', '127.0.0.1']);
  return { run, write };
}

test('dev: a mistake is a page for a browser, and everybody else has the last good routes', async (t) => {
  const { run, write } = await dev(t, { 'src/routes/get.ts': answering('"good"') });
  const url = await run.url();
  t.is((await go(url)).body, 'good');

  write('src/routes/get.ts', BROKEN);
  await run.prints(/still served/, 'stderr');
  t.true(run.stderr.includes(FRAME), run.stderr);
  for (const path of ['/', '/elsewhere']) {
    const { status, body } = await go(url + path);
    t.is(status, 500);
    t.regex(body, /WAPIX_ROUTE_LOAD/);
    t.regex(body, /src\/routes\/get\.ts:4:14/);
    t.true(body.includes('&lt;/script&gt;&lt;b&gt;&amp;'), body);
    t.false(body.includes("'</script><b>"));
  }
  // Over plain HTTP to another host, browsers say what they accept only.
  t.is((await go(url, { accept: 'text/html' })).status, 500);
  t.is(await bodyOf(url), 'good');
  t.is((await go(url, { 'sec-fetch-mode': 'cors', accept: 'text/html' })).body, 'good');
  t.deepEqual(await call(`${url}/elsewhere`), { status: 404, body: '{"error":"Not Found"}' });

  write('src/routes/get.ts', answering('"mended"'));
  await run.restart();
  t.is((await go(url)).body, 'mended');
  t.is((await go(`${url}/elsewhere`)).status, 404);
});

test('dev: routes that cannot be served together are a page as well', async (t) => {
  const { run, write } = await dev(t, { 'src/routes/get.ts': answering('"good"') });
  const url = await run.url();
  write('src/routes/get.js', answering('"another"'));
  await run.prints(/still served/, 'stderr');
  const { status, body } = await go(url);
  t.is(status, 500);
  t.regex(
    body,
    /WAPIX_ROUTE_CONFLICT[\s\S]*src\/routes\/get\.js and src\/routes\/get\.ts both answer GET: delete one/,
  );
});

test('dev: where the first start fails, a browser is shown why', async (t) => {
  const port = lastingPort();
  const { run, write } = await dev(t, { 'src/routes/get.ts': BROKEN }, port);
  await run.prints(/Waiting for a change/, 'stderr');
  const url = `http://127.0.0.1:${port}`;
  const { status, body } = await go(url);
  t.is(status, 500);
  t.regex(body, /WAPIX_ROUTE_LOAD[\s\S]*There are no routes to serve/);
  t.deepEqual(await call(url), {
    status: 503,
    body: '{"error":"Service Unavailable","message":"wapix dev waits for a change"}',
  });
  write('src/routes/get.ts', answering('"mended"'));
  t.is(await bodyOf(await run.url()), 'mended');
});

test('dev: where the server has ended, a browser is shown how', async (t) => {
  const { run, write } = await dev(t, {
    'src/routes/get.ts': 'export default () => process.exit(3);',
  });
  const url = await run.url();
  await t.throwsAsync(call(url));
  const { status, body } = await go(url);
  t.is(status, 500);
  t.regex(body, /The server has ended[\s\S]*with exit code 3/);
  t.is((await call(url)).status, 503);
  write('src/routes/get.ts', answering('"mended"'));
  await run.restart();
  t.is((await go(url)).body, 'mended');
});

test('dev: a handler that throws is a page for a browser, and JSON for everybody else', async (t) => {
  const { run } = await dev(t, { 'src/routes/$id/get.ts': THROWING });
  const url = `${await run.url()}/7`;
  const { status, body } = await go(url);
  t.is(status, 500);
  t.regex(body, /GET \/7 failed/);
  t.regex(body, /TypeError: Cannot read properties of undefined/);
  t.regex(body, /src\/routes\/\$id\/get\.ts:7</);
  t.regex(body, /<mark>&gt; +7 \| +return text\(names/);
  t.deepEqual(await call(url), { status: 500, body: '{"error":"Internal Server Error"}' });
  const printed =
    /wapix: GET \/7 failed: TypeError[\s\S]*?\n {2}> {2}7 \| {3}return text\(names.*\n/;
  for (const _ of ['the page', 'the JSON']) await run.prints(printed, 'stderr');
  t.is(run.stderr.match(/failed: TypeError/g).length, 2);
});

test('dev: a handler that takes longer than its timeout is answered as by start', async (t) => {
  const { run } = await dev(t, {
    'src/routes/get.ts':
      'export const config = { timeout: 20 };\nexport default () => new Promise(() => {});\n',
  });
  const url = await run.url();
  t.deepEqual(await call(url), { status: 503, body: '{"error":"Service Unavailable"}' });
  t.is((await go(url)).status, 503);
});

test('dev: what is thrown and is no error is shown as it is', async (t) => {
  const { run, write } = await dev(t, {
    'src/routes/$what/get.js': `const thrown = { text: 'so', object: { a: 1 }, bare: Object.create(null) };
      export default ({ params }) => { throw thrown[params.what]; };`,
  });
  const url = await run.url();
  for (const [what, shown] of [
    ['text', '<h1>so</h1>'],
    ['object', '<h1>{ a: 1 }</h1>'],
    ['bare', '<h1>[Object: null prototype] {}</h1>'],
  ]) {
    const { status, body } = await go(`${url}/${what}`);
    t.is(status, 500);
    t.true(body.includes(shown), body);
  }
  write('src/routes/get.js', 'throw { a: 1 };');
  write('src/routes/post.js', 'throw Object.create(null);');
  await run.prints(
    /could not be loaded\.\n +{ a: 1 }\n +\[Object: null prototype\] {}\n/,
    'stderr',
  );
});

test('start: a handler that throws is JSON for a browser, too', async (t) => {
  const { root } = project(t, { 'lib/routes/$id/get.ts': THROWING });
  const run = wapix(t, root, ['start', '-p', '0', '--host', '127.0.0.1']);
  const answer = await go(`${await run.url()}/7`);
  t.deepEqual(answer, { status: 500, body: '{"error":"Internal Server Error"}' });
  await run.prints(/wapix: GET \/7 failed: TypeError/, 'stderr');
});

test('dev: a route whose loading does not end is named, and a change starts anew', async (t) => {
  const { run, write } = await dev(t, {
    'src/routes/waiting/get.ts': `
      // As a connection to a database does that nobody accepts.
      await new Promise(() => setInterval(() => {}, 60_000));`,
  });
  await run.prints(/src\/routes\/waiting\/get\.ts is still loading: a top-level await/, 'stderr');
  write('src/routes/waiting/get.ts', answering('"good"'));
  t.is(await bodyOf(`${await run.url()}/waiting`), 'good');
});

if (executablePath) {
  test('dev: the page of a mistake goes by itself when it is mended', async (t) => {
    const page = (word) =>
      `import { html } from 'wapix';\nexport default () => html('<h1>${word}</h1>');\n`;
    const { run, write } = await dev(t, { 'src/routes/get.ts': page('good') });
    const url = await run.url();
    const browser = await launch();
    t.teardown(() => browser.close());
    const tab = await browser.newPage({ viewport: { width: 375, height: 700 } });
    const problems = [];
    tab.on('pageerror', (error) => problems.push(error.message));
    write('src/routes/get.ts', BROKEN);
    await run.prints(/still served/, 'stderr');
    await tab.goto(url);
    const title = tab.locator('h1');
    t.is(await title.textContent(), 'WAPIX_ROUTE_LOAD');
    t.is(
      await tab.locator('mark').evaluate((mark) => getComputedStyle(mark).display),
      'inline-block',
    );
    const overflow = () => document.documentElement.scrollWidth - innerWidth;
    t.is(await tab.evaluate(overflow), 0);

    // One mistake for another.
    write('src/routes/get.ts', 'export default 1;\n');
    await tab.getByText('WAPIX_INVALID_ROUTE').waitFor();
    write('src/routes/get.ts', THROWING.replace('req.params.id', '"nobody"'));
    await tab.getByText('TypeError').first().waitFor();
    write('src/routes/get.ts', page('mended'));
    await tab.getByRole('heading', { name: 'mended' }).waitFor();
    t.deepEqual(problems, []);
  });
} else
  missing(test, 'the error page', 'Chromium', 'apt-get install chromium, or CHROMIUM=its path');
