/**
 * Purpose: a large file for a bench: it lies in memory where there is room, is written when it is first
 * asked for, and goes with the bench.
 */
const PLACES = ["/dev/shm", "/tmp"];

/** The first place with room for twice so many bytes; `undefined` where there is none. */
export function placeFor(bytes: number): string | undefined {
  return PLACES.find((directory) => {
    const args = ["--output=avail", "-B1", directory];
    const { success, stdout } = new Deno.Command("df", { args, stderr: "null" }).outputSync();
    return success && Number(new TextDecoder().decode(stdout).split("\n")[1]) > 2 * bytes;
  });
}

/** A file in a temporary directory of its own. */
export class TemporaryFile {
  readonly #write: (path: string) => void;
  readonly #place: string;
  #directory: string | undefined;

  /** Will lie in `place`, as `write` writes it. */
  constructor(place: string, write: (path: string) => void) {
    this.#place = place;
    this.#write = write;
  }

  /** Where it lies; it is there. */
  get path(): string {
    if (this.#directory === undefined) {
      this.#directory = Deno.makeTempDirSync({ dir: this.#place, prefix: "uspf-bench-" });
      this.#write(`${this.#directory}/file`);
    }
    return `${this.#directory}/file`;
  }

  /** Removes it with its directory. */
  remove(): void {
    if (this.#directory !== undefined) Deno.removeSync(this.#directory, { recursive: true });
  }
}
