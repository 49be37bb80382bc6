// Tests of applications put fake timers in place of Node's: these are in a file of their own, as is the process's time.

import { mock } from 'node:test';
import test from 'ava';
import { createServer, json, stream } from 'wapix';
import { deferred } from './helpers/events.mjs';
import { captureErrors } from './helpers/log.mjs';

captureErrors();

const begun = deferred();

function never() {
  // Its time begins when it has returned.
  process.nextTick(begun.resolve);
  return new Promise(() => {});
}

const server = createServer({
  '/now': { get: async () => json(Date.now()) },
  '/chunks': {
    get: () =>
      stream(
        (function* () {
          for (let made = 0; made < 64; made += 1) yield Buffer.alloc(64 * 1024);
        })(),
      ),
  },
  '/lines': {
    get: () =>
      stream(
        (function* () {
          for (let made = 0; made < 20_000; made += 1) yield `line ${made}\n`;
        })(),
      ),
  },
  '/never': { get: { handler: never, config: { timeout: 60_000 } } },
});

test.beforeEach(() => mock.timers.enable({ now: 1000 }));
test.afterEach.always(() => mock.timers.reset());

/** Asks, and reads all of the answer. */
async function read(path) {
  const response = await server.inject(path);
  return { status: response.status, body: Buffer.from(await response.arrayBuffer()) };
}

test.serial('fake timers: requests are answered, however many there are', async (t) => {
  const answers = await Promise.all(Array.from({ length: 200 }, () => read('/now')));
  for (const { status, body } of answers) t.deepEqual([status, String(body)], [200, '1000']);
});

test.serial('fake timers: long streams come to their end', async (t) => {
  t.is((await read('/chunks')).body.length, 64 * 64 * 1024);
  t.true((await read('/lines')).body.toString().endsWith('line 19999\n'));
});

test.serial("fake timers: a route's timeout is theirs", async (t) => {
  const answering = read('/never');
  await begun.promise;
  mock.timers.tick(60_000);
  t.is((await answering).status, 503);
});
