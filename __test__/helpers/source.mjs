import { Readable } from 'node:stream';

/** A source that produces only what the test pushes. */
export function manual(options) {
  return new Readable({ read() {}, ...options });
}

/** Bytes that tell their place: any loss, doubling or reordering changes them. */
export function patterned(start, length) {
  const bytes = Buffer.allocUnsafe(length);
  for (let index = 0; index < length; index += 1) {
    const at = start + index;
    bytes[index] = (at ^ (at >>> 8) ^ (at >>> 16)) & 0xff;
  }
  return bytes;
}

/** A source of `total` patterned bytes that counts what it was asked for. */
export function counted(total, chunkSize = 16 * 1024) {
  const source = new Readable({
    read() {
      const length = Math.min(chunkSize, total - source.produced);
      if (length === 0) {
        this.push(null);
        return;
      }
      const chunk = patterned(source.produced, length);
      source.produced += length;
      this.push(chunk);
    },
  });
  source.produced = 0;
  return source;
}
