// HTTP/2, by Node's client, and by hand, frame by frame.

import { connect } from 'node:http2';
import { once } from './events.mjs';
import { originOf } from './server.mjs';

/** What a client of HTTP/2 begins with (RFC 9113, 3.4). */
export const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';

/** One frame (RFC 9113, 4.1). */
export function frame(type, flags, id, payload = Buffer.alloc(0)) {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(id, 5);
  return Buffer.concat([head, payload]);
}

export const SETTINGS = frame(4, 0, 0);
/** GET / of a host named x, with the indices of RFC 7541, Appendix A. */
export const GET = Buffer.from([0x82, 0x86, 0x84, 0x41, 1, 'x'.charCodeAt(0)]);

/** POST of the same. */
export const POST = Buffer.from([0x83, ...GET.subarray(1)]);

/** A POST on stream `id` that is begun, and then reset: Node's client would end it first. */
export function resetPost(id, content, code) {
  return {
    begin: Buffer.concat([frame(1, 4, id, POST), frame(0, 0, id, Buffer.from(content))]),
    reset: frame(3, 0, id, Buffer.from([0, 0, 0, code])),
  };
}

/** GET of a path without characters of more than one byte. */
export const getOf = (path) =>
  Buffer.concat([
    GET.subarray(0, 2),
    Buffer.from([0x04, path.length]),
    Buffer.from(path),
    GET.subarray(3),
  ]);

/** What lets the server send as much as it likes (RFC 9113, 6.5.2 and 6.9). */
export const ENDLESS_WINDOWS = Buffer.concat([
  frame(4, 0, 0, Buffer.from([0, 4, 0x7f, 0xff, 0xff, 0xff])),
  frame(8, 0, 0, Buffer.from([0x7f, 0, 0, 0])),
]);

/** The frames in `bytes`, in order, the last perhaps only begun. */
function* frames(bytes) {
  for (let at = 0; at + 9 <= bytes.length; at += 9 + bytes.readUIntBE(at, 3)) {
    const [type, flags] = bytes.subarray(at + 3);
    yield { type, flags, id: bytes.readUInt32BE(at + 5) };
  }
}

/** The types of the frames in `bytes`, in order. */
export function frameTypes(bytes) {
  return Array.from(frames(bytes), ({ type }) => type);
}

/** Whether `bytes` have the end of stream `id`: DATA, or HEADERS, with END_STREAM. */
export function hasEnd(bytes, id) {
  return [...frames(bytes)].some((it) => it.id === id && it.type <= 1 && (it.flags & 1) === 1);
}

/** An HTTP/2 connection to `server` by Node's client, closed with the test. */
export async function session(t, server, scheme = 'http') {
  const client = connect(originOf(server, scheme), { rejectUnauthorized: false });
  client.on('error', () => {});
  t.teardown(() => client.destroy());
  await once(client, 'connect');
  return client;
}
