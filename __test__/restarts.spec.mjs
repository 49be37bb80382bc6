import test from 'ava';
import { answering, bodyOf, wapix } from './fixtures/cli.mjs';
import { project } from './fixtures/project.mjs';
import { connect, requestBytes } from './helpers/client.mjs';
import { within } from './helpers/deadline.mjs';
import { LOADED, Load } from './helpers/load.mjs';
import { runProgram } from './helpers/program.mjs';
import { lastingPort } from './helpers/server.mjs';

const under = (directory, files) =>
  Object.fromEntries(Object.entries(files).map(([path, file]) => [`${directory}/${path}`, file]));

const figures = ({ answered, refused, retried, lost }) =>
  `${answered} answered, ${refused} refused, ${retried} retried, ${lost.length} lost`;

test('start: 50 restarts under load leave no request unanswered, or answered in part', async (t) => {
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
  for (let restart = 1; restart <= 50; restart += 1) {
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
});

test('dev: 20 reloads under load refuse nobody, and leave no request unanswered', async (t) => {
  t.timeout(120_000);
  const generation = (number) => answering(`"generation ${number}"`);
  const routes = { ...LOADED, 'generation/get.mjs': generation(0) };
  const { root, write } = project(t, under('src/routes', routes));
  const port = lastingPort();
  const run = wapix(t, root, ['dev', '-p', String(port), '--host', '127.0.0.1']);
  const url = await run.url();
  const load = new Load(t, port);
  for (let reload = 1; reload <= 20; reload += 1) {
    await within(load.answers(50), 'fifty answers');
    write('src/routes/generation/get.mjs', generation(reload));
    await within(run.restart(), 'the restart');
    load.serverIsUp();
    t.is(await bodyOf(`${url}/generation`), `generation ${reload}`);
  }
  await load.stop();
  t.log(figures(load));
  t.deepEqual(load.lost, []);
  t.is(load.refused, 0);
  t.is(run.stderr, '');
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
