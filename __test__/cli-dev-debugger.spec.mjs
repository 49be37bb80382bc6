// `node --inspect` of `wapix dev`: a debugger is for the process that runs the routes, whichever does.

import { once } from 'node:events';
import test from 'ava';
import { WebSocket } from 'undici';
import { answering, bodyOf, wapix } from './fixtures/cli.mjs';
import { project } from './fixtures/project.mjs';

const LISTENING = /Debugger listening on (ws:\S+)/;

/** What `expression` is in the process that waits for a debugger at `url`; the debugger stays. */
async function evaluate(t, url, expression) {
  const socket = new WebSocket(url);
  t.teardown(() => socket.close());
  await once(socket, 'open');
  socket.send(
    JSON.stringify({
      id: 1,
      method: 'Runtime.evaluate',
      params: { expression, returnByValue: true },
    }),
  );
  const [{ data }] = await once(socket, 'message');
  return JSON.parse(data).result.result.value;
}

test('dev: a debugger finds the process that serves, before and after a restart', async (t) => {
  const pid = (name) => answering(`'${name} ' + process.pid`);
  const { root, write } = project(t, { 'src/routes/get.ts': pid('first') });
  const run = wapix(t, root, ['dev', '-p', '0'], { NODE_OPTIONS: '--inspect=127.0.0.1:0' });
  const [, own] = await run.prints(LISTENING, 'stderr');
  const url = await run.url();
  const [, first] = await run.prints(LISTENING, 'stderr');
  t.is(new URL(first).host, new URL(own).host);
  t.is(`first ${await evaluate(t, first, 'process.pid')}`, await bodyOf(url));
  write('src/routes/get.ts', pid('second'));
  await run.restart();
  const [, second] = await run.prints(LISTENING, 'stderr');
  t.is(new URL(second).host, new URL(own).host);
  t.is(`second ${await evaluate(t, second, 'process.pid')}`, await bodyOf(url));
  t.notRegex(run.stderr, /failed|in use/);
});
