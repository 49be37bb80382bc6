// Bytes that both sides know: those from an offset on, of a random block that goes round and round.
import { createCipheriv, createHash } from 'node:crypto';

/** A prime: no loss or doubling of whole chunks goes unnoticed. */
const LENGTH = 1_048_573;
const block = createCipheriv('aes-128-ctr', Buffer.alloc(16), Buffer.alloc(16)).update(
  Buffer.alloc(LENGTH),
);
const twice = Buffer.concat([block, block]);

/** `length` bytes (a mebibyte at most) from `offset` on. Not a copy. */
export function content(offset, length) {
  const start = offset % LENGTH;
  return twice.subarray(start, start + length);
}

export function sha256(bytes) {
  return createHash('sha256').update(bytes).digest('hex');
}

export class WrongContent extends Error {}

/** Takes what comes, and throws where it is not the `length` bytes from `offset` on. */
export class Expected {
  #at;
  #end;

  constructor(offset, length) {
    this.#at = offset;
    this.#end = offset + length;
  }

  take(chunk) {
    for (let start = 0; start < chunk.length; start += LENGTH) {
      this.#compare(chunk.subarray(start, start + LENGTH));
    }
  }

  #compare(bytes) {
    if (this.#at + bytes.length > this.#end) throw new WrongContent('more came than was to come');
    const right = content(this.#at, bytes.length);
    if (Buffer.compare(bytes, right) !== 0) {
      const wrong = bytes.findIndex((byte, index) => byte !== right[index]);
      throw new WrongContent(`a wrong byte, ${this.#end - this.#at - wrong} before the end`);
    }
    this.#at += bytes.length;
  }

  end() {
    if (this.#at < this.#end) throw new WrongContent(`${this.#end - this.#at} bytes are missing`);
  }
}
