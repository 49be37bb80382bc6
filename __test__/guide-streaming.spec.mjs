// The streaming guide: each block of it is run, and does what the guide says.

import { readFileSync, rmSync, truncateSync } from 'node:fs';
import { createServer as createHttp } from 'node:http';
import { connect as connectTcp, createServer as createTcp } from 'node:net';
import { runInNewContext } from 'node:vm';
import { gunzipSync } from 'node:zlib';
import test from 'ava';
import { EventSource } from 'undici';
import { project } from './fixtures/project.mjs';
import { within } from './helpers/deadline.mjs';
import { deferred, once } from './helpers/events.mjs';
import { altered, BLOCKS, check, FILES, serve, Visit } from './helpers/guide.mjs';
import { needing } from './helpers/installed.mjs';
import { startNginx } from './helpers/nginx.mjs';
import { start } from './helpers/program.mjs';
import { lastingPort } from './helpers/server.mjs';

const UPLOADS = {
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

const TYPE_CHECKS = {
  'node16, CommonJS': { type: 'commonjs', module: 'node16', moduleResolution: 'node16' },
  'bundler, without the DOM': {
    type: 'module',
    module: 'preserve',
    moduleResolution: 'bundler',
    lib: ['es2023'],
    noUncheckedIndexedAccess: true,
    exactOptionalPropertyTypes: true,
    noUnusedLocals: true,
    noUnusedParameters: true,
  },
};

const upstream = createHttp((_, response) => upstream.emit('asked', response));
const apps = {};
const checks = {};
const cleanups = [];

test.before(async () => {
  const lasting = { teardown: (cleanup) => cleanups.unshift(cleanup) };
  await once(upstream.listen(0, '127.0.0.1'), 'listening');
  const env = { UPSTREAM: `http://127.0.0.1:${upstream.address().port}` };
  [apps.whole, apps.altered] = await Promise.all([
    serve(lasting, UPLOADS, { env }),
    serve(lasting, ALTERED, { env, type: 'commonjs' }),
  ]);
  // They take as long as all the tests of a server, and no part in them.
  for (const [name, options] of Object.entries(TYPE_CHECKS)) checks[name] = check(lasting, options);
});

test.after.always(() => {
  for (const cleanup of cleanups) cleanup();
  upstream.closeAllConnections();
  upstream.close();
});

/** What some test runs: paths of files of the guide, and commands. */
const claimed = [];

/** A test of what the guide prints; one after the other, so that what is in use can be told. */
function shows(title, printed, implementation, programs = []) {
  claimed.push(...printed);
  needing(test.serial, ...programs)(title, async (t) => {
    const app = new Visit(t, apps.whole);
    await implementation(t, app);
    app.leave();
    await app.idle();
    t.is(app.program.stderr, '', 'nothing is logged');
  });
}

/** The same with the altered files: what never ends, and what fails. */
function showsAltered(title, implementation, programs = []) {
  needing(test.serial, ...programs)(title, async (t) => {
    const app = new Visit(t, apps.altered);
    await implementation(t, app);
    app.leave();
    await app.idle();
  });
}

// ---- Types

for (const name of Object.keys(TYPE_CHECKS)) {
  test(`the TypeScript of the guide type-checks, strict: ${name}`, async (t) => {
    await checks[name].exited;
    const { stdout } = checks[name];
    const failed = Array.from(stdout.matchAll(/^\S.*?(?=\()/gm), ([file]) => file);
    t.deepEqual(failed, ['src/routes/wrong/get.ts'], stdout);
  });
}

// ---- Event streams

shows(
  'a line of time every second, until the client leaves',
  ['src/routes/events/get.ts'],
  async (t, app) => {
    const client = await app.open('/events');
    const fields = new Map((await client.head()).fields);
    t.is(fields.get('content-type'), 'text/event-stream');
    t.is(fields.get('cache-control'), 'no-cache');
    for (let event = 0; event < 3; event += 1) {
      t.regex(await client.through('\n\n'), /data: 20\d\d-\d\d-\d\dT[\d:.]+Z\n\n$/);
    }
    client.end();
    await app.idle();
  },
);

const NEWS = ['src/news.ts', 'src/routes/news/get.ts', 'src/routes/news/post.ts'];

/** The next piece of news for `client`; heartbeats are passed over. */
function next(client) {
  const reading = (async () => {
    for (;;) {
      const event = await client.through('\n\n');
      const [, id, data] = /id: (\d+)\ndata: (.*)\n\n$/.exec(event) ?? [];
      if (id !== undefined) return { id, text: JSON.parse(data) };
    }
  })();
  return within(reading, 'a piece of news');
}

shows(
  'a page reads what a model answers, word by word',
  ['src/model.ts', 'src/routes/answers/post.ts', 'page/ask.js'],
  async (t, app) => {
    const page = {
      fetch: (path, options) => fetch(new URL(path, app.origin), options),
      TextDecoderStream,
    };
    const ask = runInNewContext(`${FILES['page/ask.js']}; ask`, page);
    const shown = [];
    await within(
      ask('why?', ({ token }) => shown.push(token)),
      'the whole answer',
    );
    t.deepEqual(shown, ['You ', 'asked: ', 'why? ']);
  },
);

const listeners = (count) => (now) => now.listeners === count;

shows('news reach who listens, and who comes back gets what was missed', NEWS, async (t, app) => {
  const publish = async (text) => t.is((await app.post('/news', { text })).status, 204);
  await publish('before anybody came');
  const one = await app.open('/news');
  const other = await app.open('/news', { 'last-event-id': 'nonsense' });
  await app.state(listeners(2));
  await publish('two\nlines');
  const first = await next(one);
  t.is(first.text, 'two\nlines');
  t.is((await next(other)).text, 'two\nlines');

  one.reset();
  other.end();
  await app.idle();
  for (const text of ['missed', 'missed, too']) await publish(text);

  const again = await app.open('/news', { 'last-event-id': first.id });
  t.is((await next(again)).text, 'missed');
  t.is((await next(again)).text, 'missed, too');
  await publish('live');
  t.is((await next(again)).text, 'live');

  const all = await app.open('/news', { 'last-event-id': '0' });
  t.is((await next(all)).text, 'before anybody came');
  t.is((await app.post('/news', { text: 7 })).status, 400);
});

shows('news: a quiet stream has a heartbeat, and is not to be buffered', NEWS, async (t, app) => {
  const client = await app.open('/news');
  const { fields } = await client.head();
  t.is(new Map(fields).get('x-accel-buffering'), 'no');
  for (let beat = 0; beat < 2; beat += 1) await client.through(': still here\n\n');
});

showsAltered('news: who reads too slowly is cut off, and nobody else', async (t, app) => {
  const slow = await app.open('/news');
  const other = await app.open('/news');
  await app.state(listeners(2));
  slow.stall();
  const text = 'x'.repeat(500_000);
  let sent = 0;
  do {
    t.is((await app.post('/news', { text })).status, 204);
    t.is((await next(other)).text, text);
    sent += text.length;
    t.true(sent < 100e6, 'what is sent must not pile up');
  } while ((await app.get('/state')).json.listeners === 2);
  await app.state(listeners(1));
  await app.logged(/GET \/news failed: Error: the client reads too slowly/);
  slow.resume();
  await slow.ended();
  t.not(slow.bytes.toString('latin1').slice(-5), '0\r\n\r\n', 'it must not look complete');
  await app.post('/news', { text: 'on it goes' });
  t.is((await next(other)).text, 'on it goes');
});

/** A way to `port` whose connections can be cut. */
async function cuttable(t, port) {
  const sockets = new Set();
  const proxy = createTcp((socket) => {
    const server = connectTcp(port, '127.0.0.1');
    for (const each of [socket, server]) sockets.add(each.on('error', () => {}));
    socket.pipe(server).pipe(socket);
  });
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  t.teardown(() => {
    cut();
    proxy.close();
  });
  await once(proxy.listen(0, '127.0.0.1'), 'listening');
  return { origin: `http://127.0.0.1:${proxy.address().port}`, cut };
}

shows(
  'the page shows all news once, connection lost or not',
  ['src/routes/get.ts', ...NEWS],
  async (t, app) => {
    const { origin, cut } = await cuttable(t, app.port);
    const html = await app.get('/');
    t.is(html.field('content-type'), 'text/html; charset=utf-8');
    const [, script] = /<script>([\s\S]*)<\/script>/.exec(html.text);

    // As much of a browser as the page needs.
    const shown = [];
    let changed = deferred();
    const list = {
      append({ textContent }) {
        shown.push(textContent);
        changed.resolve();
        changed = deferred();
      },
    };
    const sources = [];
    class PageSource extends EventSource {
      constructor(url) {
        super(new URL(url, origin));
        sources.push(this);
      }
    }
    const document = {
      createElement: () => ({}),
      querySelector: (name) => (html.text.includes(`<${name}>`) ? list : null),
    };
    const showing = async (texts) => {
      while (shown.length < texts.length) await within(changed.promise, `showing ${texts}`);
      t.deepEqual(shown, texts);
    };
    runInNewContext(script, { EventSource: PageSource, document });

    await app.state(listeners(1));
    await app.post('/news', { text: 'first' });
    await showing(['first']);
    cut();
    await app.idle();
    await app.post('/news', { text: '<missed>' });
    await app.state(listeners(1));
    await app.post('/news', { text: 'last' });
    await showing(['first', '<missed>', 'last']);
    for (const source of sources) source.close();
  },
);

// ---- Downloads

const DOWNLOAD = 'src/routes/files/$name/get.ts';

shows('a download has its length and its name, and is read by Rust', [DOWNLOAD], async (t, app) => {
  const name = "it's “é” (日本) 100%!.txt";
  app.write(`uploads/${name}`, 'content');
  t.teardown(() => rmSync(app.path(`uploads/${name}`)));

  const target = `/files/${encodeURIComponent(name)}`;
  const file = await app.get(target);
  t.is(file.text, 'content');
  t.is(file.field('content-type'), 'application/octet-stream');
  t.is(file.field('content-length'), '7');
  // RFC 8187: attr-char, or a percent-encoded byte.
  const [, encoded] = /^attachment; filename\*=UTF-8''([\w!#$&+.^`|~%-]*)$/.exec(
    file.field('content-disposition'),
  );
  t.is(decodeURIComponent(encoded), name);
  const { read } = await app.state(({ files }) => files === 0);
  t.deepEqual(read, [false, 7], 'JavaScript read nothing');

  const head = await app.head(target);
  t.is(head.field('content-length'), '7');
  const ranged = await app.get(target, { range: 'bytes=2-3' });
  t.deepEqual([ranged.status, ranged.text], [200, 'content']);
  const missing = await app.get('/files/missing');
  t.deepEqual([missing.status, missing.json], [404, { error: 'There is no file missing' }]);
  for (const path of ['..%2fapp.log', '..%5capp.log', '%2e%2e', 'a%00']) {
    t.is((await app.get(`/files/${path}`)).status, 400, path);
  }
});

shows('a download that is left is closed', [DOWNLOAD], async (t, app) => {
  const { path } = app;
  app.write('uploads/large', '');
  t.teardown(() => rmSync(path('uploads/large')));
  truncateSync(path('uploads/large'), 2 ** 30);
  const client = await app.open('/files/large');
  await client.head();
  client.stall();
  await app.state(({ files }) => files === 1);
  client.reset();
});

const VIDEO = 'src/routes/videos/$name/get.ts';
const NOTES = UPLOADS['uploads/notes.txt'];

shows('a download goes on where it was, with a part of the same file', [VIDEO], async (t, app) => {
  const ask = (headers) => app.get('/videos/notes.txt', headers);
  const whole = await ask();
  const etag = whole.field('etag');
  t.deepEqual([whole.status, whole.text, whole.field('accept-ranges')], [200, NOTES, 'bytes']);

  for (const [range, first, last] of [
    ['0-', 0, 27],
    ['6-10', 6, 10],
    ['20-900', 20, 27],
    ['-9', 19, 27],
    ['-900', 0, 27],
  ]) {
    const part = await ask({ range: `bytes=${range}`, 'if-range': etag });
    const content = NOTES.slice(first, last + 1);
    t.deepEqual([part.status, part.text], [206, content], range);
    t.is(part.field('content-range'), `bytes ${first}-${last}/28`);
    t.is(part.field('content-length'), String(content.length));
    const { read } = await app.state(({ files }) => files === 0);
    t.deepEqual(read, [false, content.length], 'JavaScript read nothing');
  }

  for (const range of ['bytes=28-', 'bytes=-0']) {
    const beyond = await ask({ range });
    t.deepEqual([beyond.status, beyond.field('content-range')], [416, 'bytes */28'], range);
  }
  for (const range of ['bytes=5-2', 'bytes=-', 'bytes=0-1,4-5', 'lines=1-2']) {
    const ignored = await ask({ range });
    t.deepEqual([ignored.status, ignored.text], [200, NOTES], range);
  }
  t.is((await ask({ range: 'bytes=6-', 'if-range': '"another"' })).text, NOTES);
  t.is((await app.head('/videos/notes.txt')).field('content-length'), '28');
});

const MAP = 'src/routes/map/get.ts';

/** Has the upstream answer its next request, and resolves to the response. */
async function answered(answer) {
  const [response] = await once(upstream, 'asked');
  answer(response);
  return response;
}

shows('the body of a fetch is passed on, or the upstream is left', [MAP], async (t, app) => {
  answered((response) => response.writeHead(200, { 'content-type': 'image/png' }).end('the map'));
  const whole = await app.get('/map');
  t.deepEqual([whole.text, whole.field('content-type')], ['the map', 'image/png']);

  answered((response) => response.writeHead(404).end('none'));
  t.is((await app.get('/map')).status, 502);

  for (const begin of [(response) => response.write('half'), () => {}]) {
    const answering = answered(begin);
    const client = await app.open('/map');
    const response = await answering;
    if (response.headersSent) await client.through('half');
    const left = once(response, 'close');
    client.reset();
    await left;
  }
});

showsAltered('an upstream that fails midway: incomplete', async (t, app) => {
  const answering = answered((response) => response.write('half'));
  const client = await app.open('/map');
  await client.through('half');
  (await answering).destroy();
  await client.ended();
  t.is(client.bytes.toString(), '\r\n', 'no last chunk');
  await app.logged(/GET \/map failed/);
});

// ---- Exports

/** The rows of a CSV text: strict, as RFC 4180 has it. */
function parseCsv(text) {
  const rows = [[]];
  const field = /("(?:[^"]|"")*"|[^",\r\n]*)(,|\r\n)/y;
  while (field.lastIndex < text.length) {
    const at = field.lastIndex;
    const match = field.exec(text);
    if (match === null) throw new Error(`not CSV: ${JSON.stringify(text.slice(at, at + 50))}`);
    const [, value, end] = match;
    rows.at(-1).push(value.startsWith('"') ? value.slice(1, -1).replaceAll('""', '"') : value);
    if (end !== ',') rows.push([]);
  }
  rows.pop();
  return rows;
}

const ORDERS = 'src/orders.ts';
const CSV = 'src/routes/orders.csv/get.ts';
const NDJSON = 'src/routes/orders/get.ts';

const CUSTOMERS = ['Ada', 'Zoë "Zo" Ek', 'Smith, Sons & Co', 'two\nlines'];
const EXPECTED = Array.from({ length: 25_000 }, (_, index) => {
  const id = index + 1;
  return { id, customer: CUSTOMERS[id % 4], total: id / 4 };
});

shows('the CSV export is whole, and quoted', [ORDERS, CSV], async (t, app) => {
  const csv = await app.whole('/orders.csv');
  t.is(csv.field('content-type'), 'text/csv; charset=utf-8');
  t.is(csv.field('content-disposition'), 'attachment; filename="orders.csv"');
  const [names, ...rows] = parseCsv(csv.text);
  t.deepEqual(names, ['id', 'customer', 'total']);
  // As text: to compare the rows one by one takes seconds.
  t.is(
    JSON.stringify(rows),
    JSON.stringify(EXPECTED.map((order) => Object.values(order).map(String))),
  );
  t.true(csv.text.includes('\r\n1,"Zoë ""Zo"" Ek",0.25\r\n2,"Smith, Sons & Co",0.5\r\n'));
});

shows('read() pages through every record: none is lost', [ORDERS, NDJSON], async (t, app) => {
  const lines = await app.whole('/orders');
  t.is(lines.field('content-type'), 'application/x-ndjson');
  t.is(lines.text, EXPECTED.map((order) => `${JSON.stringify(order)}\n`).join(''));
});

for (const path of ['/orders.csv', '/orders']) {
  showsAltered(`${path}: no page is fetched for who does not read`, async (t, app) => {
    const pages = async () => (await app.get('/state')).json.pages;
    const client = await app.open(path);
    await client.head();
    client.stall();
    let before;
    let now = await pages();
    // Until those that the sockets hold have been sent.
    do {
      before = now;
      for (let round = 0; round < 20; round += 1) now = await pages();
    } while (now > before);
    t.true(now > 1);
    client.resume();
    await app.state((state) => state.pages > now);
  });
}

// ---- Progress

const JOBS = ['src/jobs.ts', 'src/routes/jobs/post.ts', 'src/routes/jobs/$id/get.ts'];

const dataOf = (events) =>
  Array.from(events.matchAll(/^data: (.*)\n\n/gm), ([, data]) => JSON.parse(data));

shows('a job is watched to its end, and after it', JOBS, async (t, app) => {
  const created = await app.post('/jobs');
  t.is(created.status, 201);
  const path = created.field('location');
  t.is(path, `/jobs/${created.json.id}`);

  const watched = await app.get(path);
  t.true(watched.complete);
  const states = dataOf(watched.text);
  t.true(states.length > 1);
  t.deepEqual(
    states,
    Array.from({ length: 11 }, (_, step) => ({
      status: step < 10 ? 'running' : 'done',
      percent: step * 10,
    })).slice(-states.length),
  );
  t.deepEqual(dataOf((await app.get(path)).text), [{ status: 'done', percent: 100 }]);
  t.is((await app.get('/jobs/none')).status, 404);
});

showsAltered('a job that fails says so, and who leaves it no longer listens', async (t, app) => {
  const { id } = (await app.post('/jobs')).json;
  const client = await app.open(`/jobs/${id}`);
  await app.state(({ watchers }) => watchers === 1);
  client.reset();
  await app.state(({ watchers }) => watchers === 0);
  const { text, complete } = await app.get(`/jobs/${id}`);
  t.true(complete);
  t.deepEqual(dataOf(text).at(-1), { status: 'failed', percent: 40 });
});

// ---- What may be streamed

const GZIP = 'src/routes/log.gz/get.ts';

shows(
  'a file through gzip is whole; left or not asked for, it is closed',
  [GZIP],
  async (t, app) => {
    const { body } = await app.whole('/log.gz');
    t.is(gunzipSync(body).toString(), UPLOADS['app.log']);
    t.is((await app.head('/log.gz')).status, 200);
    await app.idle();

    // Never through before it is left.
    truncateSync(app.path('app.log'), 2 ** 32);
    const client = await app.open('/log.gz');
    await client.head();
    await app.state(({ files }) => files === 1);
    client.reset();
  },
);

showsAltered('a file that is not there fails gzip, too: 500, or incomplete', async (t, app) => {
  const { status, complete } = await app.get('/log.gz');
  t.true(status === 500 || !complete);
  await app.logged(/GET \/log.gz failed: .*ENOENT/);
});

const TAR = 'src/routes/uploads.tar/get.ts';

shows(
  'the output of tar is whole; left or not asked for, tar is killed',
  [TAR],
  async (t, app) => {
    const { path } = app;
    const { body, complete } = await app.get('/uploads.tar');
    t.true(complete);
    for (const part of ['uploads/notes.txt\0', UPLOADS['uploads/notes.txt']]) {
      t.true(body.includes(part));
    }
    app.write('uploads/large', '');
    t.teardown(() => rmSync(path('uploads/large')));
    truncateSync(path('uploads/large'), 2 ** 30);
    t.is((await app.head('/uploads.tar')).status, 200);
    await app.idle();

    const client = await app.open('/uploads.tar');
    await client.head();
    client.stall();
    await app.state(({ processes }) => processes === 1);
    client.reset();
  },
  ['tar'],
);

showsAltered(
  'a tar that fails: 500, or incomplete',
  async (t, app) => {
    const { status, complete } = await app.get('/uploads.tar');
    t.true(status === 500 || !complete);
    await app.logged(/GET \/uploads.tar failed: Error: tar ended with \d/);
  },
  ['tar'],
);

// ---- Backpressure, clean-up

shows(
  'what is written waits for its reader, and is whole',
  ['src/routes/squares/get.ts'],
  async (t, app) => {
    const { text } = await app.whole('/squares');
    const lines = text.split('\n');
    t.is(lines.length, 100_001);
    t.deepEqual([lines[0], lines[2], lines[99_999]], ['1', '9', '10000000000']);
  },
);

showsAltered(
  'what is written stops where nobody reads, and ends when the client leaves',
  async (t, app) => {
    const client = await app.open('/squares');
    await client.head();
    client.stall();
    // Endless: without the wait it would not let this be answered.
    t.is((await app.get('/')).status, 200);
    client.reset();
    await within(app.program.prints(/AbortError/), 'the end of the wait');
  },
);

shows(
  'a generator that waits is stopped by the signal',
  ['src/routes/ticks/get.ts'],
  async (t, app) => {
    const client = await app.open('/ticks');
    t.regex(await client.through('\n\n'), /data: \d+\n\n$/);
    client.end();
    await within(app.program.prints(/nobody listens any more/), 'the finally of the generator');
  },
);

showsAltered(
  'a generator is stopped, though nothing comes of what it waits for',
  async (t, app) => {
    const client = await app.open('/ticks');
    t.is((await client.head()).status, 200);
    client.reset();
    await within(app.program.prints(/nobody listens any more/), 'the finally of the generator');
  },
);

// ---- Proxies

const NGINX = '/etc/nginx/conf.d/app.conf';

/** The guide's configuration run by nginx, in front of `app`; returns its origin. */
async function nginx(t, app, config) {
  const port = lastingPort();
  const server = config
    .replace('listen 80;', `listen 127.0.0.1:${port};`)
    .replace('127.0.0.1:3000', `127.0.0.1:${app.port}`);
  await startNginx(t, app.root, server, port);
  return `http://127.0.0.1:${port}`;
}

for (const [title, path, disable] of [
  ['nginx passes events on one by one, as configured', '/events', (config) => config],
  [
    'nginx: X-Accel-Buffering does the same for one response',
    '/news',
    // Over HTTP/1.0: there nginx holds back what it may.
    (config) => config.replace(/proxy_(buffering|http_version) [^;]*;/g, ''),
  ],
]) {
  const passes = async (t, app) => {
    t.regex(FILES[NGINX], /proxy_pass http:\/\/127\.0\.0\.1:3000;[^}]*proxy_buffering off;/);
    const origin = await nginx(t, app, disable(FILES[NGINX]));
    const client = start(t, 'curl', ['-q', '-sSN', '--noproxy', '*', origin + path]);
    if (path === '/news') await app.state(listeners(1));
    for (const text of ['one', 'two']) {
      await app.post('/news', { text });
      if (path === '/news') await client.printed(new RegExp(`data: "${text}"\n\n`));
    }
    if (path === '/events') await client.printed(/^(data: \S+Z\n\n){3}/);
    client.child.kill('SIGINT');
  };
  shows(title, [NGINX], passes, ['nginx', 'curl']);
}

// ---- Testing

/** What each command is seen to do. */
const COMMANDS = {
  'curl -N http://localhost:3000/events': (_t, curl) =>
    curl.printed(/^data: \S+Z\n\ndata: \S+Z\n\n/),
  'curl http://localhost:3000/news --json \'{"text": "hello"}\'': async (t, curl, app) => {
    t.is((await curl.exit()).code, 0, curl.stderr);
    const client = await app.open('/news', { 'last-event-id': '0' });
    await client.through('data: "hello"\n\n');
  },
  "curl -N http://localhost:3000/news -H 'Last-Event-ID: 0'": async (_t, curl, app) => {
    await app.post('/news', { text: 'kept' });
    await curl.printed(/^id: \d+\ndata: "kept"\n\n/m);
  },
  'curl -I http://localhost:3000/files/notes.txt': async (t, curl) => {
    t.is((await curl.exit()).code, 0, curl.stderr);
    t.regex(curl.stdout, /^HTTP\/1.1 200 OK\r\n[\s\S]*content-length: 28\r\n/);
  },
  'curl -O http://localhost:3000/files/notes.txt': async (t, curl, app) => {
    t.is((await curl.exit()).code, 0, curl.stderr);
    t.is(readFileSync(app.path('notes.txt'), 'utf8'), UPLOADS['uploads/notes.txt']);
  },
  'curl -C - -O http://localhost:3000/videos/talk.mp4': async (t, curl, app) => {
    t.is((await curl.exit()).code, 0, curl.stderr);
    t.regex(curl.stderr, /Resuming transfer from byte position 8/);
    t.is(readFileSync(app.path('talk.mp4'), 'utf8'), UPLOADS['uploads/talk.mp4']);
  },
  'curl -r 6-10 http://localhost:3000/videos/talk.mp4': async (t, curl) => {
    t.is((await curl.exit()).code, 0, curl.stderr);
    t.is(curl.stdout, 'ce of');
  },
  'curl http://localhost:3000/orders.csv | head -3': async (t, curl) => {
    await curl.exit();
    t.is(
      curl.stdout,
      'id,customer,total\r\n1,"Zoë ""Zo"" Ek",0.25\r\n2,"Smith, Sons & Co",0.5\r\n',
    );
  },
  'curl -N http://localhost:3000/answers --json \'{"question": "why?"}\'': (_t, curl) =>
    curl.printed(/^data: \{"token":"You "\}\n\n[\s\S]*"why\? "\}\n\n$/),
  'curl -N --limit-rate 100k http://localhost:3000/orders': (_t, curl) =>
    curl.printed(/^(\{.*\}\n){1000}/),
};

for (const [command, look] of Object.entries(COMMANDS)) {
  shows(
    `$ ${command}`,
    [command],
    async (t, app) => {
      // The one process that a kill at the end of the test is to reach.
      const line = command
        .replace('http://localhost:3000', app.origin)
        .replace('curl', 'exec curl');
      // As nobody has configured curl, and past any proxy.
      const env = { ...process.env, CURL_HOME: app.root, HOME: app.root, NO_PROXY: '*' };
      const curl = start(t, 'bash', ['-c', line], { cwd: app.root, env });
      await look(t, curl, app);
      curl.child.kill('SIGINT');
    },
    ['bash', 'curl'],
  );
}

const NODE_TEST = 'test/events.test.mjs';

shows('$ node --test', [NODE_TEST], async (t) => {
  const { root } = project(t, { [NODE_TEST]: FILES[NODE_TEST] });
  const { NODE_OPTIONS: _, ...env } = process.env;
  const node = start(t, process.execPath, ['--test'], { cwd: root, env });
  t.is((await node.exit()).code, 0, node.stdout);
  t.regex(node.stdout, /pass 1\n/);
});

test('every block of the guide is run by a test', (t) => {
  const printed = BLOCKS.flatMap(({ language, path, source }) => {
    if (language === 'bash') return source.trim().split('\n');
    return path ?? `a block that is no file: ${source}`;
  });
  t.deepEqual([...new Set(claimed)].sort(), printed.sort());
});
