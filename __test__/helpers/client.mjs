import { connect as connectSocket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { within } from './deadline.mjs';
import { readHead, readResponse } from './message.mjs';

/** A connection that shows exactly what the server sent, and how it ended. */
export class Client {
  #chunks = [];
  #waiting = new Set();
  /** What came in each read. */
  reads = [];
  /** How the server ended the connection: `undefined`, `'end'` or the code of an error. */
  ending;

  constructor(socket) {
    this.socket = socket;
    socket.on('data', (chunk) => {
      this.#chunks.push(chunk);
      this.reads.push(chunk);
      this.#look();
    });
    socket.on('end', () => this.#end('end'));
    socket.on('error', (error) => this.#end(error.code));
    socket.on('close', () => this.#end('close'));
  }

  #end(how) {
    this.ending ??= how;
    this.#look();
  }

  #look() {
    for (const look of this.#waiting) look();
  }

  /** Resolves to the first value of `find` that is not `undefined`; tried when something came. */
  #wait(find, what) {
    let look;
    const found = new Promise((resolve, reject) => {
      look = () => {
        try {
          const value = find();
          if (value !== undefined) resolve(value);
          else if (this.ending !== undefined) {
            const got = JSON.stringify(this.bytes.toString('latin1').slice(0, 400));
            reject(new Error(`${what}: connection over (${this.ending}), received ${got}`));
          }
        } catch (error) {
          reject(error);
        }
      };
      this.#waiting.add(look);
      look();
    });
    return within(found, what).finally(() => this.#waiting.delete(look));
  }

  /** What has come and was not taken. */
  get bytes() {
    if (this.#chunks.length > 1) this.#chunks = [Buffer.concat(this.#chunks)];
    return this.#chunks[0] ?? Buffer.alloc(0);
  }

  #take(length) {
    const bytes = this.bytes;
    this.#chunks = [bytes.subarray(length)];
    return bytes.subarray(0, length);
  }

  /** Sends text (as Latin-1: one byte a character) or bytes. */
  send(...parts) {
    for (const part of parts) {
      this.socket.write(typeof part === 'string' ? Buffer.from(part, 'latin1') : part);
    }
    return this;
  }

  /** The next response, whole (or what there is of it when the connection has ended). */
  async response(method = 'GET') {
    const read = () => readResponse(this.bytes, { method, ended: this.ending !== undefined });
    const response = await this.#wait(read, 'a response');
    this.#take(response.length);
    return response;
  }

  /** The next head. */
  async head() {
    const head = await this.#wait(() => readHead(this.bytes), 'the head of a response');
    this.#take(head.length);
    return head;
  }

  /** Everything up to and including `marker`. */
  async through(marker) {
    const length = await this.#wait(
      () => {
        const at = this.bytes.indexOf(marker);
        return at < 0 ? undefined : at + marker.length;
      },
      `receiving ${JSON.stringify(marker)}`,
    );
    return this.#take(length).toString('latin1');
  }

  /** How the connection ended: `'end'` for FIN, `'ECONNRESET'` for RST. */
  ended() {
    return this.#wait(() => this.ending, 'the server closed the connection');
  }

  /** Leaves politely, with FIN. */
  end() {
    this.socket.end();
  }

  /** Leaves with RST. */
  reset() {
    this.socket.resetAndDestroy();
  }

  /** Stops to read, so that the server's sends stall. */
  stall() {
    this.socket.pause();
  }

  resume() {
    this.socket.resume();
  }

  destroy() {
    this.socket.destroy();
  }
}

function targetOf(server) {
  const address = server.address();
  if (address === null) return {};
  return typeof address === 'string' ? { path: address } : { host: hostOf(address), ...address };
}

function hostOf({ address }) {
  if (address === '::') return '::1';
  return address === '0.0.0.0' ? '127.0.0.1' : address;
}

/** Connects to `server`; the connection ends with the test. */
export async function connect(t, server, options = {}) {
  const { tls, ...rest } = options;
  // What is written in parts is to arrive in parts, and not wait for an acknowledgement (Nagle's algorithm).
  const target = { ...targetOf(server), allowHalfOpen: true, noDelay: true, ...rest };
  delete target.address;
  const socket = tls ? connectTls({ ...target, rejectUnauthorized: false }) : connectSocket(target);
  t.teardown(() => socket.destroy());
  await within(
    new Promise((resolve, reject) => {
      socket.once(tls ? 'secureConnect' : 'connect', resolve);
      socket.once('error', reject);
    }),
    'connecting',
  );
  return new Client(socket);
}

/** The bytes of a request; `Host`, and `Content-Length` where there is a body, are added. */
export function requestBytes(line, headers = {}, body) {
  const [method, target] = line.split(' ');
  const content = typeof body === 'string' ? Buffer.from(body) : body;
  const fields = { host: 'test', ...(content && { 'content-length': content.length }), ...headers };
  const lines = Object.entries(fields).flatMap(([name, value]) =>
    [value].flat().map((each) => `${name}: ${each}\r\n`),
  );
  const head = Buffer.from(`${method} ${target} HTTP/1.1\r\n${lines.join('')}\r\n`, 'latin1');
  return content ? Buffer.concat([head, content]) : head;
}

/** One request on a connection of its own: `request(t, server, 'GET /path', headers, body)`. */
export async function request(t, server, line, headers, body) {
  const client = await connect(t, server);
  client.send(requestBytes(line, headers, body));
  const response = await client.response(line.split(' ')[0]);
  client.destroy();
  return response;
}

/**
 * Asks until the answer is 500: a failure that crosses a turn of the event loop can come after the
 * headers, which wait no longer than 10 ms. An answer then is never complete.
 */
export async function requestFailure(t, server, line, rounds = 5) {
  for (let round = 1; ; round += 1) {
    const response = await request(t, server, line);
    if (response.status === 500 || response.complete || round === rounds) return response;
  }
}
