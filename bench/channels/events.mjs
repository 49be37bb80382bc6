// What the servers publish: the same to every client.

/**
 * Publishes `BENCH_RATE` events a second, each with the time in microseconds, from when it is told to
 * (a line of input) on.
 */
export function publishing(publish) {
  let tick = 0;
  process.stdin.once('data', () => {
    setInterval(() => {
      publish({
        tick: tick++,
        at: Math.round((performance.timeOrigin + performance.now()) * 1000),
        message: 'an event of a usual size',
      });
    }, 1000 / Number(process.env.BENCH_RATE));
  });
}
