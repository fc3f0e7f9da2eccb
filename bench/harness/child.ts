/**
 * Purpose: the other processes of a bench: each says "ready" when it is, and prints one JSON object at its
 * end. None outlives its bench.
 */

/** How a child is started. */
export interface ChildOptions {
  /** What goes before the command, such as `ip netns exec NAME`. */
  inside?: string[];
  /** Permission set of deno.json; "bench" by default. */
  permissions?: string;
  /** Flags of V8. */
  v8Flags?: string[];
  /** It is killed then. */
  timeoutMs: number;
}

const alive = new Set<Deno.ChildProcess>();

/** A child failed; it has said why, so one line is enough. */
export class ChildError extends Error {
  override readonly name = "ChildError";
  /** What runCommand looks at. */
  readonly expected = true;
}

/** A program of ours in a process of its own. */
export class Child {
  readonly #process: Deno.ChildProcess;
  readonly #reader: ReadableStreamDefaultReader<string>;
  readonly #timer: ReturnType<typeof setTimeout>;
  readonly #name: string;
  #isLate = false;
  /** What it has printed and nobody has been given. */
  #text = "";

  /** Starts `file` (from the top of the project) with `args`. */
  constructor(
    file: string,
    args: string[],
    { inside = [], permissions = "bench", v8Flags = [], timeoutMs }: ChildOptions,
  ) {
    const flags = v8Flags.length > 0 ? [`--v8-flags=${v8Flags.join(",")}`] : [];
    const [program, ...rest] = [...inside, Deno.execPath(), "run", "-q", `-P=${permissions}`]
      .concat(flags, file, args);
    this.#name = file;
    this.#process = new Deno.Command(program, {
      args: rest,
      cwd: new URL("../..", import.meta.url).pathname,
      stdin: "null",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    alive.add(this.#process);
    this.#timer = setTimeout(() => {
      this.#isLate = true;
      kill(this.#process);
    }, timeoutMs);
    this.#reader = this.#process.stdout.pipeThrough(new TextDecoderStream()).getReader();
  }

  /** Resolves when it has said "ready"; rejects if it ended instead. */
  async ready(): Promise<void> {
    while (!/^ready$/m.test(this.#text)) {
      if (!await this.#more()) throw await this.#failed();
    }
  }

  /**
   * The last line that it printed, when it has ended; rejects if it failed. `onLine` gets each line before
   * that as soon as another follows; no line is kept, for a soak prints for days.
   */
  async lastLine(onLine: (line: string) => void = () => {}): Promise<string> {
    for (let more = true; more;) {
      const end = this.#text.lastIndexOf("\n", this.#text.length - 2);
      if (end >= 0) {
        const lines = this.#text.slice(0, end);
        this.#text = this.#text.slice(end + 1);
        for (const line of lines.split("\n")) onLine(line);
      }
      more = await this.#more();
    }
    const { success } = await this.#process.status;
    clearTimeout(this.#timer);
    alive.delete(this.#process);
    if (!success) throw await this.#failed();
    return this.#text.trimEnd();
  }

  /** The object on the last line that it printed. */
  async result<T>(): Promise<T> {
    return JSON.parse(await this.lastLine());
  }

  /** Asks it to end. */
  stop(): void {
    kill(this.#process, "SIGINT");
  }

  async #more(): Promise<boolean> {
    const { value, done } = await this.#reader.read();
    this.#text += value ?? "";
    return !done;
  }

  async #failed(): Promise<ChildError> {
    const { code, signal } = await this.#process.status;
    clearTimeout(this.#timer);
    alive.delete(this.#process);
    const how = this.#isLate ? "it took too long" : signal ?? `exit code ${code}`;
    return new ChildError(`Cannot go on: "${this.#name}" failed: ${how}: see what it said above`);
  }
}

/** Asks all children to end. */
export function stopChildren(): void {
  for (const process of alive) kill(process, "SIGINT");
}

/** Ends all children at once, for a bench that is interrupted; resolves when they are gone. */
export async function killChildren(): Promise<void> {
  for (const process of alive) kill(process);
  await Promise.all([...alive].map(({ status }) => status));
}

function kill(process: Deno.ChildProcess, signal: Deno.Signal = "SIGKILL"): void {
  try {
    process.kill(signal);
  } catch { /* it has ended */ }
}
