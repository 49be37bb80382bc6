import { connect as connectSocket } from 'node:net';
import { Duplex } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import { Client } from './client.mjs';
import { once } from './events.mjs';

/**
 * A Unix socket of which nothing is read while it is shut, not even into memory: what it holds then is the same
 * each time.
 */
class Valve extends Duplex {
  #socket;

  constructor(path) {
    super();
    const callback = (length, buffer) => {
      this.push(Buffer.from(buffer.subarray(0, length)));
      return true;
    };
    this.#socket = connectSocket({ path, onread: { buffer: Buffer.alloc(65_536), callback } });
    this.#socket.on('end', () => this.push(null));
    this.#socket.on('error', (error) => this.destroy(error));
  }

  shut() {
    this.#socket.pause();
  }

  open() {
    this.#socket.resume();
  }

  _read() {}

  _write(bytes, _, done) {
    this.#socket.write(bytes, done);
  }

  _final(done) {
    this.#socket.end(done);
  }

  _destroy(error, done) {
    this.#socket.destroy();
    done(error);
  }
}

/** Connects to a `server` that listens at a path. The client, and the valve before it. */
export async function connectValve(t, server, { tls = false } = {}) {
  const valve = new Valve(server.address());
  t.teardown(() => valve.destroy());
  if (!tls) return { client: new Client(valve), valve };
  const socket = connectTls({ socket: valve, rejectUnauthorized: false });
  await once(socket, 'secureConnect');
  return { client: new Client(socket), valve };
}
