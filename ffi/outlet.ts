/**
 * Purpose: standard output and standard error for a program that must go on whether they are read or not:
 * a thread of the runtime writes, and nobody here waits for it.
 *
 * ```text
 *  send ───▶ waiting texts, whole, in order ──▶ one write at a time ──▶ standard output or error
 *  offer ──▶ the same, while there is room; else left out, and counted
 * ```
 * Before the program ends, `flush` waits for all that was sent; where it ends by an error that nobody has
 * caught, what waits is written at once.
 */
import { OutputError } from "./print.ts";

/** So many bytes of messages may wait for who reads standard error. */
const MESSAGE_ROOM = 1 << 18;

/** What can be written to in both ways. */
export type Stream = Pick<typeof Deno.stdout, "write" | "writeSync">;

/** A stream that is written to without waiting. */
export class Outlet {
  /** Is called when the stream has not taken something. */
  onFailed: (error: OutputError) => void = () => {};
  readonly #encoder = new TextEncoder();
  readonly #waiting: Uint8Array[] = [];
  #pending = 0;
  #writing: Promise<void> | undefined;
  #failure: OutputError | undefined;
  #state: "open" | "ending" | "given up" = "open";
  #leftOut = 0;

  /** `room`: bytes that may wait when more is offered; Infinity: nothing is left out. */
  constructor(readonly stream: Stream, public room: number) {}

  /** Whether something that was sent has not been taken yet. */
  get busy(): boolean {
    return this.#pending > 0;
  }

  /** Whether it is not waited for any longer. */
  get givenUp(): boolean {
    return this.#state === "given up";
  }

  /** How many texts were left out. */
  get leftOut(): number {
    return this.#leftOut;
  }

  /** Writes a text after all that waits. */
  send(text: string): void {
    if (this.#state !== "open") return this.sendNow(text);
    const bytes = this.#encoder.encode(text);
    this.#waiting.push(bytes);
    this.#pending += bytes.length;
    this.#writing ??= this.#write();
  }

  /** Writes a text, unless more than `room` waits. */
  offer(text: string): void {
    if (this.#pending > this.room) this.#leftOut++;
    else this.send(text);
  }

  /** Writes what waits, and a text, before it returns: for a program that ends. */
  sendNow(text: string): void {
    if (this.#state === "given up") return;
    const all = [...this.#waiting.splice(0), this.#encoder.encode(text)];
    try {
      for (const bytes of all) {
        for (let at = 0; at < bytes.length;) at += this.stream.writeSync(bytes.subarray(at));
      }
    } catch (error) {
      this.#fail(error);
    }
  }

  /**
   * Resolves when all has been taken.
   *
   * @throws {OutputError} where something has not.
   */
  async flush(): Promise<void> {
    await this.#writing;
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Resolves when all has been taken, or will not be, or after `limitMs`. */
  async settle(limitMs: number): Promise<void> {
    const late = Promise.withResolvers<void>(), timer = setTimeout(late.resolve, limitMs);
    await Promise.race([this.#writing, late.promise]);
    clearTimeout(timer);
  }

  /** Has the rest written at once: this isolate ends. */
  end(): void {
    if (this.#state === "open") this.#state = "ending";
    if (this.#waiting.length > 0) this.sendNow("");
  }

  /** Writes nothing more: nobody reads it, and the program shall end. */
  giveUp(): void {
    this.#state = "given up";
  }

  async #write(): Promise<void> {
    await null; // so that `#writing` is there
    for (let bytes; (bytes = this.#waiting.shift()) !== undefined;) {
      try {
        for (let at = 0; at < bytes.length;) at += await this.stream.write(bytes.subarray(at));
      } catch (error) {
        this.#fail(error);
      }
      this.#pending -= bytes.length;
    }
    this.#pending = 0;
    this.#writing = undefined;
  }

  #fail(error: unknown): void {
    const { code = "EIO" } = error as { code?: string };
    this.#failure ??= new OutputError(code === "EPIPE", code);
    this.onFailed(this.#failure);
  }
}

/** Standard output: of what is offered, nothing waits for who does not read it. */
export const standardOutput: Outlet = new Outlet(Deno.stdout, 0);
/** Standard error. */
export const standardError: Outlet = new Outlet(Deno.stderr, MESSAGE_ROOM);

addEventListener("unload", () => {
  standardOutput.end();
  standardError.end();
});

/** Ends the program at once: whoever reads neither does not hold it up. */
export function exitAtOnce(code: number): never {
  // Both may be the same terminal.
  if (standardOutput.busy || standardError.busy) {
    standardOutput.giveUp();
    standardError.giveUp();
  }
  Deno.exit(code);
}
