import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { answering, bodyOf, wapix } from './fixtures/cli.mjs';
import { project } from './fixtures/project.mjs';
import { connect, requestBytes } from './helpers/client.mjs';
import { within } from './helpers/deadline.mjs';
import { LOADED, Load } from './helpers/load.mjs';
import { runProgram } from './helpers/program.mjs';
import { lastingPort } from './helpers/server.mjs';

const fixture = (name) => fileURLToPath(new URL(`fixtures/${name}`, import.meta.url));

const under = (directory, files) =>
  Object.fromEntries(Object.entries(files).map(([path, file]) => [`${directory}/${path}`, file]));

const figures = ({ answered, refused, retried, lost }) =>
  `${answered} answered, ${refused} refused, ${retried} retried, ${lost.length} lost`;

// A process takes over from another in the same way again and again: fewer times where it is not the default transport.
const [RESTARTS, SAVES] = process.env.WAPIX_IO_THREADS ? [10, 20] : [50, 100];

// One after the other: clients that get no turn for two seconds are lost, whoever serves them.
test.serial(
  `start: ${RESTARTS} restarts under load leave no request unanswered, or answered in part`,
  async (t) => {
    t.timeout(120_000);
    const { root } = project(t, under('lib/routes', LOADED));
    const port = lastingPort();
    const start = async () => {
      const run = wapix(t, root, ['start', '-p', String(port), '--host', '127.0.0.1']);
      await run.url();
      return run;
    };
    let run = await start();
    const load = new Load(t, port);
    for (let restart = 1; restart <= RESTARTS; restart += 1) {
      await within(load.answers(50), 'fifty answers');
      run.child.kill('SIGTERM');
      const { code, stderr } = await within(run.exit, 'the exit');
      t.is(code, 0, stderr);
      run = await start();
      load.serverIsUp();
    }
    await load.stop();
    t.log(figures(load));
    t.deepEqual(load.lost, []);
  },
);

/** A stream of events of the module `generation.mjs`, which ends with the process only. */
const GENERATION = `
import { Readable } from 'node:stream';
import { stream, text } from 'wapix';
import { generation } from '../../generation.mjs';
async function* events() {
  yield 'data: ' + generation + '\\n\\n';
  await new Promise(() => {});
}
export const get = () => stream(Readable.from(events()), 'text/event-stream');
`;

test.serial(
  `dev: ${SAVES} saves under load: no request fails, and event streams come back`,
  async (t) => {
    t.timeout(240_000);
    const generation = (number) => `export const generation = ${number};\n`;
    const { root, write } = project(t, {
      ...under('src/routes', LOADED),
      'src/generation.mjs': generation(0),
      'src/routes/generation/get.mjs': answering(
        'generation',
        "import { generation } from '../../generation.mjs';",
      ),
      'src/routes/events/get.mjs': `${GENERATION}export default get;`,
    });
    const port = lastingPort();
    const run = wapix(t, root, ['dev', '-p', String(port), '--host', '127.0.0.1']);
    const url = await run.url();
    // As `EventSource` does: it connects again whenever its stream has ended.
    const server = { address: () => ({ address: '127.0.0.1', port }) };
    const listen = async () => (await connect(t, server)).send(requestBytes('GET /events'));
    let events = await listen();
    await events.through('data: 0\n\n');
    const load = new Load(t, port);
    for (let save = 1; save <= SAVES; save += 1) {
      await within(load.answers(20), 'twenty answers');
      write('src/generation.mjs', generation(save));
      await events.ended();
      events = await listen();
      await events.through(`data: ${save}\n\n`);
      await within(run.restart(), 'the restart');
      t.is(await bodyOf(`${url}/generation`), String(save));
    }
    await load.stop();
    t.log(figures(load));
    t.deepEqual(load.lost, []);
    t.is(load.refused, 0);
    // Connections go over to the next process, but on Windows.
    if (process.platform !== 'win32') t.is(load.retried, 0);
    t.is(run.stderr, '');
  },
);

test('dev: connections stay open through a reload, and a request in flight is answered', async (t) => {
  const { root, write } = project(t, {
    'src/routes/get.ts': answering('"first"'),
    'src/routes/slow/get.ts': `
      import { existsSync } from 'node:fs';
      import { setTimeout } from 'node:timers/promises';
      import { text } from 'wapix';
      export default async () => {
        console.log('asked');
        while (!existsSync('answer.txt')) await setTimeout(5);
        return text('of the first');
      };`,
  });
  const run = wapix(t, root, ['dev', '-p', '0', '--host', '127.0.0.1']);
  const port = Number(new URL(await run.url()).port);
  const server = { address: () => ({ address: '127.0.0.1', port }) };
  const [silent, busy] = await Promise.all([1, 2].map(() => connect(t, server)));
  // More than the system lets one process hand over at a time.
  const idle = await Promise.all(Array.from({ length: 400 }, () => connect(t, server)));
  const answers = async () => {
    const asked = idle.map((client) => client.send(requestBytes('GET /')).response());
    return new Set((await Promise.all(asked)).map(({ text }) => text));
  };
  t.deepEqual(await answers(), new Set(['first']));
  busy.send(requestBytes('GET /slow'));
  await run.prints(/asked/);

  write('src/routes/get.ts', answering('"second"'));
  await run.restart();
  t.deepEqual(await answers(), new Set(['second']));
  t.is((await silent.send(requestBytes('GET /')).response()).text, 'second');

  write('answer.txt', '');
  t.is((await busy.response()).text, 'of the first');
  t.is((await busy.send(requestBytes('GET /')).response()).text, 'second');
});

test('dev over HTTPS: an event stream of HTTP/2 ends at once, and the next connection is answered anew', async (t) => {
  const { root, write } = project(t, {
    'src/generation.mjs': 'export const generation = 1;\n',
    'src/routes/get.mjs': `${GENERATION.replaceAll('../../', '../')}export default get;`,
  });
  const [key, cert] = ['key', 'cert'].map((name) => fixture(`localhost.${name}.pem`));
  const where = ['-p', '0', '--host', '127.0.0.1', '--key', key, '--cert', cert];
  const run = wapix(t, root, ['dev', ...where]);
  const url = await run.url();
  const events = async () => {
    const session = connectHttp2(url, { rejectUnauthorized: false });
    t.teardown(() => session.destroy());
    const stream = session.request({ ':path': '/' }).setEncoding('utf8');
    const ended = new Promise((resolve) => stream.on('error', resolve).on('close', resolve));
    const [text] = await within(once(stream, 'data'), 'an event');
    return { text, ended };
  };
  const before = await events();
  t.is(before.text, 'data: 1\n\n');
  write('src/generation.mjs', 'export const generation = 2;\n');
  await run.restart();
  // Long before requests in flight are no longer waited for.
  await within(before.ended, 'the end of the stream', 5_000);
  t.is((await events()).text, 'data: 2\n\n');
});

test('dev: a port that another dev serves is in use', async (t) => {
  const { root } = project(t, { 'src/routes/get.mjs': answering('"first"') });
  const url = await wapix(t, root, ['dev', '-p', '0']).url();
  const { code, stderr } = await wapix(t, root, ['dev', '-p', new URL(url).port]).exit;
  t.is(code, 1);
  t.regex(stderr, /^error EADDRINUSE\n/);
  t.is(await bodyOf(url), 'first');
});

/** Handlers of 1,000 event streams and 100 requests, which SIGTERM has told of itself. */
const HELD = `
import { Readable } from 'node:stream';
import { stream, text } from 'wapix';
const signalled = new Promise((resolve) => process.once('SIGTERM', resolve));
export const events = () =>
  stream(
    Readable.from(
      (async function* () {
        yield 'data: open\\n\\n';
        await signalled;
        yield 'data: signalled\\n\\n';
        await new Promise(() => {});
      })(),
    ),
    'text/event-stream',
  );
let held = 0;
export const hold = async () => {
  held += 1;
  if (held === 100) console.log('held');
  await signalled;
  return text('answered');
};
`;

/** Connects to all that `HELD` has. */
async function occupy(t, port) {
  const server = { address: () => ({ address: '127.0.0.1', port: Number(port) }) };
  const ask = async (path) => (await connect(t, server)).send(requestBytes(`GET ${path}`));
  const all = (count, path) => Promise.all(Array.from({ length: count }, () => ask(path)));
  const streams = await all(1_000, '/events');
  await Promise.all(streams.map((stream) => stream.through('data: open\n\n')));
  return { streams, requests: await all(100, '/hold') };
}

async function answersOf(requests) {
  const responses = await Promise.all(requests.map((request) => request.response()));
  return responses.filter(
    (response) => response.text === 'answered' && response.field('connection') === 'close',
  );
}

test('SIGTERM with 1,000 event streams and 100 requests: answers, and an end at the deadline', async (t) => {
  const program = runProgram(
    t,
    `${HELD}
    import { createServer } from 'wapix';
    const server = createServer({ '/events': { get: events }, '/hold': { get: hold } });
    server.listen(0, '127.0.0.1', () => console.log('port', server.address().port));
    process.on('SIGTERM', () => server.close({ deadline: 3_000 }, () => process.exit(0)));`,
  );
  const [, port] = await program.printed(/port (\d+)/);
  const { streams, requests } = await occupy(t, port);
  await program.printed(/held/);
  program.child.kill('SIGTERM');
  t.is((await answersOf(requests)).length, 100);
  // Those that have begun go on until the deadline, and then do not look complete.
  await Promise.all(streams.map((stream) => stream.through('data: signalled\n\n\r\n')));
  await Promise.all(streams.map((stream) => stream.ended()));
  t.true(streams.every((stream) => stream.bytes.length === 0));
  t.is((await program.exit()).code, 0);
});

test('start: a second signal ends 1,000 event streams at once', async (t) => {
  const { root } = project(t, {
    'lib/held.mjs': HELD,
    'lib/routes/events/get.mjs': "export { events as default } from '../../held.mjs';",
    'lib/routes/hold/get.mjs': "export { hold as default } from '../../held.mjs';",
  });
  const run = wapix(t, root, ['start', '-p', '0', '--host', '127.0.0.1']);
  const { streams, requests } = await occupy(t, new URL(await run.url()).port);
  await run.prints(/held/);
  run.child.kill('SIGTERM');
  t.is((await answersOf(requests)).length, 100);
  t.true(streams.every((stream) => stream.ending === undefined));
  run.child.kill('SIGTERM');
  t.is((await within(run.exit, 'the exit')).code, 128 + 15);
});
