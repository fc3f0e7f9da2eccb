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

/** A program of ours in a process of its own. */
export class Child {
  readonly #process: Deno.ChildProcess;
  readonly #reader: ReadableStreamDefaultReader<string>;
  readonly #timer: ReturnType<typeof setTimeout>;
  readonly #name: string;
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
    this.#name = `${file} ${args.join(" ")}`;
    this.#process = new Deno.Command(program, {
      args: rest,
      cwd: new URL("../..", import.meta.url).pathname,
      stdin: "null",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    alive.add(this.#process);
    this.#timer = setTimeout(() => kill(this.#process), timeoutMs);
    this.#reader = this.#process.stdout.pipeThrough(new TextDecoderStream()).getReader();
  }

  /** Resolves when it has said "ready"; rejects if it ended instead. */
  async ready(): Promise<void> {
    while (!/^ready$/m.test(this.#text)) {
      if (!await this.#more()) throw await this.#failed();
    }
  }

  /** Everything that it printed, when it has ended; rejects if it failed. `onLine` gets each line but the last at once. */
  async output(onLine: (line: string) => void = () => {}): Promise<string> {
    let shown = 0;
    for (let more = true; more;) {
      const end = this.#text.lastIndexOf("\n", this.#text.length - 2);
      if (end > shown) {
        onLine(this.#text.slice(shown, end));
        shown = end + 1;
      }
      more = await this.#more();
    }
    const { success } = await this.#process.status;
    clearTimeout(this.#timer);
    alive.delete(this.#process);
    if (!success) throw await this.#failed();
    return this.#text;
  }

  /** The object on the last line that it printed. */
  async result<T>(): Promise<T> {
    const lines = (await this.output()).trimEnd().split("\n");
    return JSON.parse(lines.at(-1)!);
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

  async #failed(): Promise<Error> {
    const { code, signal } = await this.#process.status;
    clearTimeout(this.#timer);
    alive.delete(this.#process);
    const how = signal === null ? `exit code ${code}` : signal;
    return new Error(`Cannot go on: "${this.#name}" failed: ${how}: see what it said above`);
  }
}

/** Asks all children to end. */
export function stopChildren(): void {
  for (const process of alive) kill(process, "SIGINT");
}

/** Ends all children at once: for a bench that is interrupted. */
export function killChildren(): void {
  for (const process of alive) kill(process);
}

function kill(process: Deno.ChildProcess, signal: Deno.Signal = "SIGKILL"): void {
  try {
    process.kill(signal);
  } catch { /* it has ended */ }
}
