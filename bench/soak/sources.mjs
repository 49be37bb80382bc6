// What the server streams.
import { Readable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { content } from './content.mjs';
import { Random } from './random.mjs';

/** The message of the error that a source fails with where it is to. */
export const SOURCE_FAILS = 'the source fails, as it is to';
const LARGEST_CHUNK = 128 * 1024;
const LONGEST_PAUSE = 150;

/** The streams that nobody has ended or destroyed. */
export const live = {
  count: 0,
  track(readable) {
    live.count += 1;
    return readable.once('close', () => {
      live.count -= 1;
    });
  },
};

function* chunks(offset, length) {
  const random = new Random(offset + length);
  for (let at = 0; at < length; ) {
    const size = Math.min(1 + random.size(LARGEST_CHUNK), length - at);
    yield content(offset + at, size);
    at += size;
  }
}

/** A Readable that ends, or fails a moment after the last chunk. */
function readable(offset, length, fails = false) {
  const rest = chunks(offset, length);
  const random = new Random(offset);
  return live.track(
    new Readable({
      read() {
        const { value } = rest.next();
        if (value) this.push(value);
        else if (fails) setTimeout(() => this.destroy(new Error(SOURCE_FAILS)), random.below(20));
        else this.push(null);
      },
    }),
  );
}

async function* generator(offset, length) {
  live.count += 1;
  try {
    for (const chunk of chunks(offset, length)) {
      await turn();
      yield chunk;
    }
  } finally {
    live.count -= 1;
  }
}

function web(offset, length) {
  const rest = chunks(offset, length);
  return new ReadableStream({
    start() {
      live.count += 1;
    },
    pull(controller) {
      const { value } = rest.next();
      if (value) return controller.enqueue(value);
      live.count -= 1;
      controller.close();
    },
    cancel() {
      live.count -= 1;
    },
  });
}

export const sources = {
  readable,
  generator,
  web,
  failing: (offset, length) => readable(offset, length, true),
};

/** The response headers, for a client that wants to know a length. */
export function withLength({ declared }) {
  return declared ? { 'Content-Length': declared } : undefined;
}

/** Numbered events, some right after one another and some after a pause. */
export function events(count) {
  const random = new Random(count);
  let next = 0;
  let timer;
  const source = live.track(new Readable({ read() {} }));
  const send = () => {
    do source.push(`id: ${next}\ndata: ${JSON.stringify({ number: next })}\n\n`);
    while (++next < count && random.chance(0.5));
    if (next < count) timer = setTimeout(send, random.below(LONGEST_PAUSE));
    else source.push(null);
  };
  timer = setTimeout(send, random.below(LONGEST_PAUSE));
  return source.once('close', () => clearTimeout(timer));
}
