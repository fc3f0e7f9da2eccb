/** Purpose: choices that a seed decides, for tests that make packets and expressions up. */
import { Random } from "../sender/random.ts";

/** Seeded choices. */
export class Dice {
  readonly #random: Random;

  constructor(seed: number) {
    this.#random = Random.fromSeed(seed);
  }

  /** From 0 to n - 1. */
  below(n: number): number {
    return Math.floor((this.#random.next() >>> 0) / 2 ** 32 * n);
  }

  /** Both ends included. */
  between(low: number, high: number): number {
    return low + this.below(high - low + 1);
  }

  pick<T>(values: readonly T[]): T {
    return values[this.below(values.length)];
  }

  /** True once in n times. */
  once(n: number): boolean {
    return this.below(n) === 0;
  }

  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.below(256));
  }
}
