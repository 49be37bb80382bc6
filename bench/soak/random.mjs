/** Numbers that a seed decides (mulberry32): what a client does next does not depend on timing. */
export class Random {
  #state;

  constructor(seed) {
    this.#state = seed >>> 0;
  }

  /** At least 0, below 1. */
  next() {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** A whole number from 0 on, below `end`. */
  below(end) {
    return Math.floor(this.next() * end);
  }

  /** A size from 0 on, at most `most`: small ones as often as large ones. */
  size(most) {
    return Math.floor((most + 1) ** this.next()) - 1;
  }

  chance(probability) {
    return this.next() < probability;
  }

  of(values) {
    return values[this.below(values.length)];
  }

  /** A key of `weights`, as often as it weighs. */
  weighted(weights) {
    const entries = Object.entries(weights);
    let at = this.next() * entries.reduce((sum, [, weight]) => sum + weight, 0);
    for (const [key, weight] of entries) {
      at -= weight;
      if (at < 0) return key;
    }
    return entries[0][0];
  }
}
