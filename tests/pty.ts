/**
 * A command on a terminal of its own, made by script(1) of util-linux, and what a person would see there:
 * its bytes are played into a grid.
 */
import { run as runProgram } from "./pty_programs.ts";
import { Grid } from "./terminal_grid.ts";

/** A size in characters. */
export interface Size {
  columns: number;
  rows: number;
}

/** A chunk of what the terminal was sent, and when it came. */
export interface Arrival {
  atMs: number;
  text: string;
}

/** A program on a terminal. */
export class Pty {
  readonly grid: Grid;
  readonly arrivals: Arrival[] = [];
  readonly #process: Deno.ChildProcess;
  readonly #stdin: WritableStreamDefaultWriter<Uint8Array>;
  readonly #reading: Promise<void>;
  readonly #kill: ReturnType<typeof setTimeout>;
  #waiting: (() => void)[] = [];

  /** `command` is the shell's. The terminal's name and the shell's process are its first line. */
  constructor(command: string, size: Size, env: Record<string, string> = {}, limitMs = 40_000) {
    this.grid = new Grid(size);
    const { columns, rows } = size;
    const script = `stty cols ${columns} rows ${rows}; echo "$(tty) $$"; ${command}`;
    const { NO_COLOR: _, ...inherited } = Deno.env.toObject();
    this.#process = new Deno.Command("script", {
      args: ["-qefc", script, "/dev/null"],
      cwd: new URL("..", import.meta.url).pathname,
      env: { ...inherited, TERM: "xterm", LC_ALL: "C.UTF-8", SHELL: "/bin/sh", ...env },
      clearEnv: true,
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    this.#stdin = this.#process.stdin.getWriter();
    this.#kill = setTimeout(() => this.#process.kill("SIGKILL"), limitMs);
    this.#reading = this.#read();
  }

  /** Types. */
  async type(text: string): Promise<void> {
    await this.#stdin.write(new TextEncoder().encode(text));
  }

  /** Changes the terminal's size, as a window that is dragged does. */
  async resize(size: Size): Promise<void> {
    this.grid.resize(size);
    const { columns, rows } = size, [tty] = this.first;
    await runProgram("stty", ["-F", tty, "cols", `${columns}`, "rows", `${rows}`]);
  }

  /** The terminal's flags, as stty(1) shows them. */
  async flags(): Promise<string[]> {
    return (await runProgram("stty", ["-F", this.first[0], "-a"])).split(/[\s;]+/);
  }

  /** Sets flags of the terminal. */
  async setFlags(...flags: string[]): Promise<void> {
    await runProgram("stty", ["-F", this.first[0], ...flags]);
  }

  /** The terminal's name, and the process of the shell or of what it has become. */
  get first(): [tty: string, pid: number] {
    const [, tty, pid] = this.text.match(/^(\/dev\/\S+) (\d+)/) ?? [];
    if (tty === undefined) {
      throw new Error(`no terminal: ${JSON.stringify(this.text.slice(0, 200))}`);
    }
    return [tty, Number(pid)];
  }

  /** All that the terminal was sent. */
  get text(): string {
    return this.arrivals.map(({ text }) => text).join("");
  }

  /** Resolves when what is seen is as `enough` wants; rejects after `limitMs`, and says what is seen. */
  async seen(enough: (screen: string, grid: Grid) => boolean, limitMs = 15_000): Promise<string> {
    const end = performance.now() + limitMs;
    for (;;) {
      const screen = this.grid.toString();
      if (enough(screen, this.grid)) return screen;
      const left = end - performance.now();
      if (left <= 0) throw new Error(`never seen, but:\n${screen}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#waiting.push(() => resolve(clearTimeout(timer)));
      });
    }
  }

  /** Resolves with the exit code of the command. */
  async ended(): Promise<number> {
    const [{ code }] = await Promise.all([this.#process.status, this.#reading]);
    clearTimeout(this.#kill);
    await this.#stdin.close().catch(() => {});
    return code;
  }

  /** Takes the terminal away, as a closed window does: its programs get SIGHUP. */
  close(): void {
    this.#process.kill("SIGKILL");
  }

  async #read(): Promise<void> {
    for await (const text of this.#process.stdout.pipeThrough(new TextDecoderStream())) {
      this.arrivals.push({ atMs: performance.now(), text });
      this.grid.play(text);
      this.#waiting.splice(0).forEach((look) => look());
    }
    this.#waiting.splice(0).forEach((look) => look());
  }
}
