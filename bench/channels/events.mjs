// What the servers publish: the same to every client.

export const EVENTS_PER_SECOND = 10;

/** Publishes for ever, with the time of each event. */
export function publishing(publish) {
  let tick = 0;
  setInterval(() => {
    publish({
      tick: tick++,
      at: process.hrtime.bigint().toString(),
      message: 'an event of a usual size',
    });
  }, 1000 / EVENTS_PER_SECOND);
}
