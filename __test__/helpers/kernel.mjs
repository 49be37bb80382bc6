import { readFileSync } from 'node:fs';

/** What wapix holds of one response at most, as docs/guide/streaming.md promises. */
export const MOST_HELD = 1 << 20;

/** The bytes that the kernel holds of connections to `port`; only Linux tells. */
export function heldByKernel(port) {
  if (process.platform !== 'linux') return Number.POSITIVE_INFINITY;
  const hex = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  let bytes = 0;
  for (const line of readFileSync('/proc/net/tcp', 'utf8').split('\n').slice(1)) {
    const [, local, remote, , queues = ''] = line.trim().split(/\s+/);
    const [sent, received] = queues.split(':').map((size) => Number.parseInt(size, 16));
    if (local?.endsWith(hex)) bytes += sent;
    if (remote?.endsWith(hex)) bytes += received;
  }
  return bytes;
}

/** Of `made` bytes, how many neither the kernel nor `client`, the only one that `server` has, has got. */
export function heldOf(made, server, { socket }) {
  return made - heldByKernel(server.address().port) - socket.bytesRead;
}
