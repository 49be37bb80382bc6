// What the servers stream: the same Node streams for every server that takes Node streams.
import { EventEmitter } from 'node:events';
import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';

export const DOWNLOAD_BYTES = 512 * 1024 * 1024;
export const SMALL_CHUNKS = 1_000_000;
export const SMALL_CHUNK = 'x'.repeat(99).concat('\n');
export const EVENTS_PER_SECOND = 10;

const CHUNK = Buffer.alloc(64 * 1024, 'x');

/** 512 MiB in chunks of 64 KiB, made as they are asked for. */
export function download() {
  let left = DOWNLOAD_BYTES;
  return new Readable({
    read() {
      left -= CHUNK.length;
      this.push(CHUNK);
      if (left === 0) this.push(null);
    },
  });
}

/** A file. */
export function file() {
  return createReadStream(process.env.BENCH_FILE);
}

/** A million chunks of 100 bytes, made as they are asked for. */
export function smallChunks() {
  let left = SMALL_CHUNKS;
  return new Readable({
    read() {
      while (left-- > 0) if (!this.push(SMALL_CHUNK)) return;
      this.push(null);
    },
  });
}

/** Calls `publish` with the data of every event. */
export function publishEvents(publish) {
  let tick = 0;
  const next = () => publish({ tick: tick++, message: 'an event of a usual size' });
  setInterval(next, 1000 / EVENTS_PER_SECOND).unref();
}

let bus;

/** What tells of every event, as it is written. */
function published() {
  if (bus === undefined) {
    bus = new EventEmitter().setMaxListeners(0);
    publishEvents((data) => bus.emit('event', `data: ${JSON.stringify(data)}\n\n`));
  }
  return bus;
}

/** Server-sent events, the same for everybody. */
export function events() {
  const bus = published();
  const readable = new Readable({ read() {} });
  const onEvent = (event) => readable.push(event);
  bus.on('event', onEvent);
  readable.on('close', () => bus.off('event', onEvent));
  return readable;
}

/** The same four without Node streams, for runtimes whose own are web streams. */
export function webStream(path) {
  if (path === '/events') return webEvents();
  const [chunk, count] = path === '/download' ? [CHUNK, DOWNLOAD_BYTES / CHUNK.length] : small();
  let left = count;
  return new ReadableStream(
    {
      pull(controller) {
        controller.enqueue(chunk);
        if (--left === 0) controller.close();
      },
    },
    { highWaterMark: path === '/download' ? 1 : 160 },
  );
}

function small() {
  return [new TextEncoder().encode(SMALL_CHUNK), SMALL_CHUNKS];
}

function webEvents() {
  const bus = published();
  const encoder = new TextEncoder();
  let onEvent;
  return new ReadableStream({
    start(controller) {
      onEvent = (event) => controller.enqueue(encoder.encode(event));
      bus.on('event', onEvent);
    },
    cancel() {
      bus.off('event', onEvent);
    },
  });
}
