import { EventEmitter } from 'node:events';

/** How this process fares: parts of one core, and bytes. */
export interface Sample {
  readonly time: number;
  /** Of all threads together. */
  readonly cpu: number;
  /** Of the thread that runs the handlers. */
  readonly javascript: number;
  readonly memory: number;
  /** Pages that watch. */
  readonly watchers: number;
}

const PERIOD_MS = 500;
const KEPT = 120;

export const metrics = new EventEmitter<{ sample: [Sample] }>();
// Each open page is a listener: many are no leak here.
metrics.setMaxListeners(0);

/** The last minute, so that a page that opens has a chart at once. */
export const recent: Sample[] = [];

let since = { time: performance.now(), cpu: process.cpuUsage(), loop: loopTimes() };

function loopTimes() {
  return performance.eventLoopUtilization();
}

function measure(): void {
  const now = { time: performance.now(), cpu: process.cpuUsage(), loop: loopTimes() };
  const { user, system } = process.cpuUsage(since.cpu);
  const sample: Sample = {
    time: Date.now(),
    cpu: (user + system) / 1000 / (now.time - since.time),
    javascript: performance.eventLoopUtilization(now.loop, since.loop).utilization,
    memory: process.memoryUsage.rss(),
    watchers: metrics.listenerCount('sample'),
  };
  since = now;
  if (recent.push(sample) > KEPT) recent.shift();
  metrics.emit('sample', sample);
}

// The server, not the clock, keeps the process alive.
setInterval(measure, PERIOD_MS).unref();
