import { once as onceOf } from 'node:events';
import { setTimeout as pause, setImmediate as turn } from 'node:timers/promises';
import { within } from './deadline.mjs';

/** A promise to be settled by hand. */
export function deferred() {
  let resolve;
  let reject;
  const promise = new Promise((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  return { promise, resolve, reject };
}

/** The arguments of the next `event`. */
export function once(emitter, event) {
  return within(onceOf(emitter, event), `event ${String(event)}`);
}

/** Resolves when `readable` has closed, however it ended. */
export function closed(readable, what = 'the stream closed') {
  readable.on('error', () => {});
  if (readable.closed) return Promise.resolve();
  return within(new Promise((resolve) => readable.once('close', resolve)), what);
}

/** Resolves when `signal` has aborted. */
export function aborted(signal, what = 'the signal aborted') {
  if (signal.aborted) return Promise.resolve();
  return within(
    new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true })),
    what,
  );
}

/** How many turns of the event loop `until` looks in, before it leaves the processor to what it waits for. */
const EAGER = 50;

/** Resolves when `condition` holds, looked at once a turn of the event loop, and then every few milliseconds. */
export async function until(condition, what) {
  let given = true;
  const looking = (async () => {
    for (let turns = 0; given && !(await condition()); turns += 1) {
      await (turns < EAGER ? turn() : pause(5));
    }
  })();
  try {
    await within(looking, what);
  } finally {
    given = false;
  }
}

/** Resolves to what `count()` tells once twenty times `step()` no longer change it. */
export async function levelled(count, step) {
  for (;;) {
    const before = await count();
    for (let round = 0; round < 20; round += 1) await step();
    if ((await count()) === before) return before;
  }
}
