/** A deadline is so many waits: one in which a busy machine did not run this process counts once, however long. */
const WAITS = 20;

/** Rejects, naming what was awaited, where `promise` has not settled in time: a hang, not slowness. */
export async function within(promise, what, milliseconds = 30_000) {
  let timer;
  let waits = 0;
  const expired = new Promise((_, reject) => {
    timer = setInterval(() => {
      if (++waits === WAITS) reject(new Error(`never happened: ${what}`));
    }, milliseconds / WAITS);
  });
  try {
    return await Promise.race([promise, expired]);
  } finally {
    clearInterval(timer);
  }
}

/** What a client's leaving is to bring about, within a second. */
export function noticed(promise) {
  return within(promise, 'the leaving noticed in a second', 1_000);
}
