/** Rejects, naming what was awaited, where `promise` has not settled in time: a hang, not slowness. */
export async function within(promise, what, milliseconds = 30_000) {
  let timer;
  const expired = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`never happened: ${what}`)), milliseconds);
  });
  try {
    return await Promise.race([promise, expired]);
  } finally {
    clearTimeout(timer);
  }
}

/** What a client's leaving is to bring about, within a second. */
export function noticed(promise) {
  return within(promise, 'the leaving noticed in a second', 1_000);
}
