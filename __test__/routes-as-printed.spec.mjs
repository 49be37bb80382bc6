import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { wapix } from './fixtures/cli.mjs';
import { project } from './fixtures/project.mjs';
import { connect, request, requestBytes } from './helpers/client.mjs';
import { DRIVING, IMPORTED, printedRoutes, UPLOADS_ELSEWHERE } from './helpers/printed.mjs';
import { start } from './helpers/program.mjs';

const ROUTES = printedRoutes();
const TSC = createRequire(import.meta.url).resolve('typescript/bin/tsc');
const TYPE_ROOTS = fileURLToPath(new URL('../node_modules/@types', import.meta.url));

test('the page prints these routes', (t) => {
  t.deepEqual(Object.keys(ROUTES).sort(), [
    'src/routes/events/get.ts',
    'src/routes/export/users/get.ts',
    'src/routes/files/$fileId/get.ts',
    'src/routes/process/$taskId/get.ts',
    'src/routes/stream/data/get.ts',
    'src/routes/stream/logs/get.ts',
    'src/routes/updates/get.ts',
  ]);
});

for (const { module, moduleResolution, type } of [
  { module: 'node16', moduleResolution: 'node16', type: 'commonjs' },
  { module: 'preserve', moduleResolution: 'bundler', type: 'module' },
]) {
  test(`the routes of the page type-check, strict, with ${moduleResolution}`, async (t) => {
    const { root } = project(t, {
      ...ROUTES,
      ...IMPORTED,
      ...DRIVING,
      // One that is wrong, as the check must see types.
      'src/routes/wrong/get.ts': ROUTES['src/routes/events/get.ts'].replace(
        'stream(read',
        'stream(7, read',
      ),
      'package.json': JSON.stringify({ type }),
      'tsconfig.json': JSON.stringify({
        compilerOptions: {
          module,
          moduleResolution,
          target: 'es2022',
          strict: true,
          noEmit: true,
          skipLibCheck: true,
          types: ['node'],
          typeRoots: [TYPE_ROOTS],
        },
        include: ['src'],
      }),
    });
    const tsc = start(t, process.execPath, [TSC, '-p', root], { cwd: root });
    await tsc.exited;
    t.deepEqual(
      Array.from(tsc.stdout.matchAll(/^\S.*?(?=\()/gm), ([file]) => file),
      ['src/routes/wrong/get.ts'],
      tsc.stdout,
    );
  });
}

/** Runs the routes of the page with the command line, in a package of `type`. */
async function running(t, type) {
  const { root, path } = project(t, {
    ...ROUTES,
    ...IMPORTED,
    ...DRIVING,
    'package.json': JSON.stringify({ type }),
    'preload.cjs': UPLOADS_ELSEWHERE,
    'uploads/document é.txt': 'the document',
  });
  const run = wapix(
    t,
    root,
    ['start', '--routes', 'src/routes', '--port', '0', '--host', '127.0.0.1'],
    {
      NODE_OPTIONS: `--require ${JSON.stringify(path('preload.cjs'))}`,
    },
  );
  const { hostname, port } = new URL(await run.url());
  return { run, server: { address: () => ({ address: hostname, port: Number(port) }) } };
}

const post = (t, server, path, data) =>
  request(t, server, `POST ${path}`, { 'content-type': 'application/json' }, JSON.stringify(data));

/** Asks the state of the process until `isSo`. */
async function state(t, server, isSo) {
  for (;;) {
    const { json } = await request(t, server, 'GET /driving/state');
    if (isSo(json)) return;
  }
}

async function open(t, server, path) {
  const client = await connect(t, server);
  client.send(requestBytes(`GET ${path}`));
  return client;
}

for (const type of ['module', 'commonjs']) {
  test(`the routes of the page run as printed, type: ${type}`, async (t) => {
    const { run, server } = await running(t, type);

    const { timers } = (await request(t, server, 'GET /driving/state')).json;
    const events = await open(t, server, '/events');
    const head = await events.head();
    const field = (name) => head.fields.find(([key]) => key === name)?.[1];
    t.is(head.status, 200);
    t.is(field('content-type'), 'text/event-stream');
    t.is(field('cache-control'), 'no-cache');
    t.regex(
      await events.through('\n\n'),
      /data: \{"timestamp":\d+,"message":"Hello from server!"\}\n\n/,
    );
    await state(t, server, (now) => now.timers > timers);
    events.end();
    await state(t, server, (now) => now.timers <= timers);

    const updates = await open(t, server, '/updates');
    await updates.through('event: connected\n');
    await updates.through('data: {"status":"connected"}\n\n');
    for (const name of ['update', 'message']) {
      t.true((await post(t, server, `/driving/emit/${name}`, { name })).json);
      await updates.through(`event: ${name}\n`);
      await updates.through(`data: {"name":"${name}"}\n\n`);
    }
    updates.reset();
    await state(t, server, ({ listeners }) => listeners === 0);

    const users = await request(t, server, 'GET /export/users');
    t.is(users.field('content-type'), 'text/csv');
    t.is(users.field('content-disposition'), 'attachment; filename="users.csv"');
    t.is(
      users.text,
      'ID,Name,Email,Created At\n1,"Ada","ada@example.org",2026-01-01\n2,"Zoë","zoe@example.org",2026-01-02\n',
    );

    const logs = await request(t, server, 'GET /stream/logs');
    t.is(logs.field('content-type'), 'application/x-ndjson');
    t.is(lines(logs).length, 50);
    t.deepEqual(lines(logs)[49], { level: 'info', message: 'line 49' });

    const data = await request(t, server, 'GET /stream/data');
    t.deepEqual(
      lines(data).map(({ id }) => id),
      Array.from({ length: 950 }, (_, index) => index),
    );
    t.is(run.stderr, '');
  });

  test(`the files and tasks of the page as printed, type: ${type}`, async (t) => {
    const { run, server } = await running(t, type);

    const file = await request(t, server, 'GET /files/document%20%C3%A9.txt');
    t.is(file.text, 'the document');
    t.is(file.field('content-length'), '12');
    t.is(file.field('content-disposition'), 'attachment; filename="document \xe9.txt"');
    const head = await request(t, server, 'HEAD /files/document%20%C3%A9.txt');
    t.is(head.field('content-length'), '12');
    const missing = await request(t, server, 'GET /files/missing');
    t.deepEqual([missing.status, missing.json], [404, { error: 'File not found' }]);
    for (const name of ['..%2fpackage.json', '%2e%2e', '..%5cpackage.json', 'a%00']) {
      t.is((await request(t, server, `GET /files/${name}`)).status, 400, name);
    }

    t.is((await request(t, server, 'GET /process/none')).status, 404);
    for (const [id, last, value, told] of [
      ['7', 'complete', { rows: 3 }, { status: 'complete', progress: 100, result: { rows: 3 } }],
      ['8', 'error', 'broken', { status: 'error', error: 'broken' }],
    ]) {
      t.is((await request(t, server, `PUT /driving/tasks/${id}`)).status, 204);
      const progress = await open(t, server, `/process/${id}`);
      await progress.through('data: {"status":"waiting","progress":0}\n\n');
      await post(t, server, `/driving/tasks/${id}/progress`, 50);
      await progress.through('data: {"status":"processing","progress":50}\n\n');
      await post(t, server, `/driving/tasks/${id}/${last}`, value);
      await progress.through(`data: ${JSON.stringify(told)}\n\n`);
      await progress.through('\r\n0\r\n\r\n');
    }
    t.is(run.stderr, '');
  });
}

function lines({ text, complete }) {
  if (!complete || !text.endsWith('\n')) throw new Error(`cut off: ${text.slice(-50)}`);
  return text.trimEnd().split('\n').map(JSON.parse);
}
