/** Large chunks of one turn of the event loop, copied behind each other to be written in one system call. */
export class Gathered<Owner> {
  readonly #size: number;
  #room: Buffer | undefined;
  #length = 0;
  /** Whose chunks these are. */
  owner: Owner | undefined;

  /** @param size - how many bytes there is room for; taken when first needed */
  constructor(size: number) {
    this.#size = size;
  }

  /** Copies `chunk`, where there is room for it. */
  add(chunk: Uint8Array): boolean {
    if (this.#length + chunk.length > this.#size) return false;
    this.#room ??= Buffer.allocUnsafeSlow(this.#size);
    this.#room.set(chunk, this.#length);
    this.#length += chunk.length;
    return true;
  }

  /** What was gathered, until the next `add`; it has no owner any more. */
  take(): Uint8Array | undefined {
    const taken = this.#length > 0 ? this.#room?.subarray(0, this.#length) : undefined;
    this.#length = 0;
    this.owner = undefined;
    return taken;
  }
}
