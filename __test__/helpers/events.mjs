import { once as onceOf } from 'node:events';
import { setImmediate as turn } from 'node:timers/promises';
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

/** Resolves when `condition` holds, looked at once a turn of the event loop. */
export async function until(condition, what) {
  let given = true;
  const looking = (async () => {
    while (given && !(await condition())) await turn();
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
