import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { within } from './helpers/deadline.mjs';
import { start } from './helpers/program.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** Serves an example, and returns a `fetch` for its paths. */
async function serve(t, example) {
  const routes = `examples/${example}/src/routes`;
  const args = ['bin/wapix.js', 'start', '--routes', routes, '--port', '0'];
  const program = start(t, process.execPath, args, { cwd: ROOT });
  const [, origin] = await program.printed(/^ {2}(http:\S+)$/m);
  return (path, options) => within(fetch(origin + path, options), `the head of ${path}`);
}

function sending(data) {
  return {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(data),
  };
}

/** The events of `path` as they come, as `[name, data]`, until the end or until `leave` is called. */
async function follow(call, path) {
  const leaving = new AbortController();
  const response = await call(path, { signal: leaving.signal });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  const next = async () => {
    while (!text.includes('\n\n')) {
      const { done, value } = await within(reader.read(), `an event of ${path}`);
      if (done) return undefined;
      text += value;
    }
    const end = text.indexOf('\n\n');
    const fields = new Map(
      text
        .slice(0, end)
        .split('\n')
        .map((line) => line.split(/: (.*)/, 2)),
    );
    text = text.slice(end + 2);
    return [fields.get('event'), fields.get('data')];
  };
  return { response, next, leave: () => leaving.abort() };
}

/** Asks for `path` again and again until what it answers is good. */
async function until(call, path, isGood) {
  const asking = (async () => {
    while (!isGood(await (await call(path)).json()));
  })();
  await within(asking, `the awaited answer of ${path}`);
}

test('hello: a page, a user, a new user', async (t) => {
  const call = await serve(t, 'hello');

  const page = await call('/');
  t.is(page.status, 200);
  t.is(page.headers.get('content-type'), 'text/html; charset=utf-8');
  const html = await page.text();
  for (const path of ['/users/1', '/users/0', '/events']) t.true(html.includes(`href="${path}"`));

  t.deepEqual(await (await call('/users/1')).json(), { id: '1', name: 'Ada' });
  const missing = await call('/users/0');
  t.is(missing.status, 404);
  t.deepEqual(await missing.json(), { error: 'There is no user 0' });

  const created = await call('/users', sending({ name: 'Grace' }));
  t.is(created.status, 201);
  t.deepEqual(await created.json(), { id: '2', name: 'Grace' });
  const location = created.headers.get('location');
  t.deepEqual(await (await call(location)).json(), { id: '2', name: 'Grace' });

  t.is((await call('/users', sending({ name: 7 }))).status, 400);
  t.is((await call('/users', { method: 'POST' })).status, 400);
  t.is((await call('/users')).status, 405);
});

test('hello: the time, every second', async (t) => {
  const events = await follow(await serve(t, 'hello'), '/events');
  t.is(events.response.headers.get('content-type'), 'text/event-stream');
  const [first, second] = [await events.next(), await events.next()].map(([, data]) =>
    Date.parse(data),
  );
  t.true(second > first);
  events.leave();
});

test('streaming: the first page names paths that exist', async (t) => {
  const call = await serve(t, 'streaming');
  const text = await (await call('/')).text();
  const paths = [...text.matchAll(/http:\/\/localhost:\d+(\S+)/g)].map(([, path]) => path);
  t.is(paths.length, 9);
  for (const path of paths) {
    const response = await call(path, { method: 'OPTIONS' });
    t.is(response.status, 204, path);
  }
});

test('streaming: messages reach every listener, and nobody who has left', async (t) => {
  const call = await serve(t, 'streaming');
  const one = await follow(call, '/messages');
  t.is(one.response.headers.get('x-accel-buffering'), 'no');
  t.deepEqual(await one.next(), ['welcome', '{"listeners":1}']);
  const two = await follow(call, '/messages');
  t.deepEqual(await two.next(), ['welcome', '{"listeners":2}']);

  const message = { from: 'test', text: 'line one\nline two' };
  t.is((await call('/messages', sending(message))).status, 204);
  for (const events of [one, two]) {
    const [name, data] = await events.next();
    t.is(name, 'message');
    t.deepEqual(JSON.parse(data), message);
  }

  one.leave();
  await until(call, '/status', ({ listeners }) => listeners === 1);
  two.leave();
  await until(call, '/status', ({ listeners }) => listeners === 0);

  t.is((await call('/messages', sending({ from: 'test' }))).status, 400);
});

test('streaming: a download says how long it is', async (t) => {
  const call = await serve(t, 'streaming');
  const expected = readFileSync(`${ROOT}/examples/streaming/files/notes.txt`);
  const download = await call('/downloads/notes.txt');
  t.is(download.headers.get('content-length'), String(expected.length));
  t.is(download.headers.get('transfer-encoding'), null);
  t.is(download.headers.get('content-disposition'), "attachment; filename*=UTF-8''notes.txt");
  t.deepEqual(Buffer.from(await download.arrayBuffer()), expected);

  const head = await call('/downloads/notes.txt', { method: 'HEAD' });
  t.is(head.headers.get('content-length'), String(expected.length));
  t.is((await call('/downloads/none.txt')).status, 404);
  t.is((await call('/downloads/..%2Fsrc%2Fbus.ts')).status, 400);
});

test('streaming: a catch-all takes the rest of the path', async (t) => {
  const call = await serve(t, 'streaming');
  const style = await call('/static/styles/page.css');
  t.is(style.headers.get('content-type'), 'text/css; charset=utf-8');
  t.true((await style.text()).startsWith('body {'));
  t.is((await call('/static/index.html')).headers.get('content-type'), 'text/html; charset=utf-8');
  t.is((await call('/static/styles')).status, 404);
  t.is((await call('/static')).status, 404);
});

test('streaming: exports are whole', async (t) => {
  const call = await serve(t, 'streaming');

  const csv = await call('/readings.csv');
  t.is(csv.headers.get('content-disposition'), 'attachment; filename="readings.csv"');
  const rows = (await csv.text()).split('\r\n');
  t.is(rows.length, 1 + 5000 + 1);
  t.deepEqual(rows.slice(0, 4), [
    'id,sensor,celsius',
    '0,attic,15',
    '1,cellar,15.1',
    '2,"garden, north",15.2',
  ]);
  t.is(rows.at(-1), '');

  const lines = await call('/readings.ndjson');
  t.is(lines.headers.get('content-type'), 'application/x-ndjson');
  const readings = (await lines.text())
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  t.deepEqual(
    readings.map(({ id }) => id),
    Array.from({ length: 5000 }, (_, id) => id),
  );
});

test('streaming: a task is watched to its end', async (t) => {
  const call = await serve(t, 'streaming');
  const created = await call('/jobs', sending({ steps: 3 }));
  t.is(created.status, 201);
  const path = created.headers.get('location');
  t.deepEqual(await created.json(), { id: '1' });
  t.is(path, '/jobs/1');

  for (const _ of ['while it runs', 'when it is done']) {
    const events = await follow(call, `${path}/progress`);
    let event = await events.next();
    while (event[0] === 'progress') {
      t.is(JSON.parse(event[1]).steps, 3);
      event = await events.next();
    }
    t.deepEqual(event, ['complete', '{"steps":3}']);
    t.is(await events.next(), undefined);
    t.deepEqual(await (await call(path)).json(), { done: 3, steps: 3, watchers: 0 });
  }

  t.is((await call('/jobs', sending({ steps: 0 }))).status, 400);
  t.is((await call('/jobs/7')).status, 404);
  t.is((await call('/jobs/7/progress')).status, 404);
});

test('streaming: who leaves a task is no longer its watcher', async (t) => {
  const call = await serve(t, 'streaming');
  await call('/jobs', sending({ steps: 1e6 }));
  const events = await follow(call, '/jobs/1/progress');
  t.is((await events.next())[0], 'progress');
  await until(call, '/jobs/1', ({ watchers }) => watchers === 1);
  events.leave();
  await until(call, '/jobs/1', ({ watchers }) => watchers === 0);
});
