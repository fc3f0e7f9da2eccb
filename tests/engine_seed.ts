/** Seeded inputs for the engine's tests, and how to run a failure again. */

/** A generator of u32 (mulberry32), the same for the same seed. */
export function seededRandom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = state + 0x6d2b79f5 | 0;
    let mixed = Math.imul(state ^ state >>> 15, 1 | state);
    mixed = mixed + Math.imul(mixed ^ mixed >>> 7, 61 | mixed) ^ mixed;
    return (mixed ^ mixed >>> 14) >>> 0;
  };
}

/**
 * Runs `property` with a few fixed seeds, or with the one of `-- --seed=N`; a
 * failure names its seed and the command.
 *
 * @param file the test's `import.meta.url`
 */
export async function withSeeds(
  file: string,
  property: (random: () => number) => void | Promise<void>,
): Promise<void> {
  const chosen = Deno.args.find((arg) => arg.startsWith("--seed="))?.slice(7);
  for (const seed of chosen === undefined ? [1, 2, 3] : [Number(chosen)]) {
    try {
      await property(seededRandom(seed));
    } catch (cause) {
      const name = file.slice(file.lastIndexOf("/") + 1);
      throw new Error(
        `failed with seed ${seed}: rerun with deno test -P=test tests/${name} -- --seed=${seed}`,
        { cause },
      );
    }
  }
}
