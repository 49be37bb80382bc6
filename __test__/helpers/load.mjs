import { connect } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { requestBytes } from './client.mjs';
import { deferred } from './events.mjs';
import { readResponse } from './message.mjs';

/** Routes for a load: one takes a while, one streams, one has a body. */
export const LOADED = {
  'work/get.mjs': `
    import { setTimeout } from 'node:timers/promises';
    import { text } from 'wapix';
    export default async () => text(await setTimeout(3, 'worked'));`,
  'chunks/get.mjs': `
    import { Readable } from 'node:stream';
    import { setTimeout } from 'node:timers/promises';
    import { stream } from 'wapix';
    async function* chunks() {
      for (let index = 0; index < 4; index += 1) yield setTimeout(1, index + '.'.repeat(2_000));
    }
    export default () => stream(Readable.from(chunks()));`,
  'echo/post.mjs': `
    import { text } from 'wapix';
    export default ({ body }) => text(body);`,
};

const BODY = 'echo'.repeat(2_000);
const POSTED = { 'content-type': 'text/plain' };
const CHUNKS = Array.from({ length: 4 }, (_, index) => index + '.'.repeat(2_000)).join('');

/** The requests, in turn, and the content that answers each. */
const REQUESTS = [
  [requestBytes('GET /work'), 'worked'],
  [requestBytes('GET /chunks'), CHUNKS],
  [requestBytes('POST /echo', POSTED, BODY), BODY],
];

/**
 * Clients that ask one thing after the other, half of them over a connection for each request. Each
 * ends up in one of the counts:
 *
 * - `answered`: with the response that it should have, whole.
 * - `refused`: the system let nobody connect. The client waits until it is told of the next server.
 * - `retried`: on a connection that has been used before, closed without a byte of a response. A
 *   server may close what is idle while a request is on its way, and the client sends it once more
 *   (RFC 9112, 9.3.1). A second time, on a new connection, it is lost.
 * - `lost`: anything else, and what had come.
 */
export class Load {
  answered = 0;
  refused = 0;
  retried = 0;
  lost = [];
  #port;
  #running = true;
  #up = deferred();
  #clients = [];
  #watchers = new Set();

  constructor(t, port, clients = 16) {
    this.#port = port;
    t.teardown(() => this.stop());
    for (let index = 0; index < clients; index += 1) {
      this.#clients.push(this.#ask(index, index % 2 === 0));
    }
  }

  /** Tells those who were refused that a server listens. */
  serverIsUp() {
    this.#up.resolve();
    this.#up = deferred();
  }

  /** Resolves when `count` more requests have been answered. */
  async answers(count) {
    const enough = this.answered + count;
    const { promise, resolve } = deferred();
    const look = () => this.answered >= enough && resolve();
    this.#watchers.add(look);
    await promise;
    this.#watchers.delete(look);
  }

  /** Resolves when no request is in flight, and no other will be sent. */
  async stop() {
    this.#running = false;
    this.serverIsUp();
    await Promise.all(this.#clients);
  }

  async #ask(first, keepsAlive) {
    let kept;
    for (let index = first; this.#running; index += 1) {
      const [bytes, content] = REQUESTS[index % REQUESTS.length];
      const outcome = await this.#exchange(kept, bytes, content);
      if (!keepsAlive) outcome.socket?.destroy();
      kept = keepsAlive ? outcome.socket : undefined;
      if (outcome.again) index -= 1;
    }
    kept?.destroy();
  }

  async #exchange(kept, bytes, content) {
    const up = this.#up.promise;
    const { socket, received, error } = await exchange(this.#port, kept, bytes);
    if (error?.code === 'ECONNREFUSED') {
      this.refused += 1;
      await up;
      return { again: true };
    }
    if (kept && received.length === 0) {
      this.retried += 1;
      return { again: true };
    }
    const response = readResponse(received, { method: 'GET', ended: true });
    if (response?.status === 200 && response.complete && response.text === content) {
      this.answered += 1;
      for (const look of this.#watchers) look();
      // An end that came with the response is seen before the connection is used again: the event loop
      // reads between two of these.
      await turn();
      await turn();
      const reusable = response.field('connection') !== 'close' && !socket.readableEnded;
      if (reusable && !socket.destroyed) return { socket };
      socket.destroy();
      return {};
    }
    const what = received.toString('latin1');
    const how = error?.code ?? 'end';
    this.lost.push(`${kept ? 'kept' : 'new'} connection, ${how}: ${what.slice(0, 300)}`);
    return {};
  }
}

/** Sends one request, over a connection of its own without `kept`, and takes what comes. */
function exchange(port, kept, bytes) {
  return new Promise((resolve) => {
    const socket = kept ?? connect({ port, host: '127.0.0.1' });
    let received = Buffer.alloc(0);
    const done = (error) => {
      for (const [event, listener] of Object.entries(listeners)) socket.off(event, listener);
      if (error) socket.destroy();
      resolve({ socket, received, error });
    };
    const listeners = {
      data: (chunk) => {
        received = Buffer.concat([received, chunk]);
        if (readResponse(received, { method: 'GET', ended: false })) done();
      },
      error: done,
      end: () => done({ code: 'FIN' }),
      close: () => done({ code: 'closed' }),
    };
    for (const [event, listener] of Object.entries(listeners)) socket.on(event, listener);
    // Between two requests nobody waits for anything.
    if (!kept) socket.on('error', () => {});
    socket.write(bytes);
  });
}
