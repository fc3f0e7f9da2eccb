/**
 * Purpose: runs the project's commands as a user would, for tests.
 */
const root = new URL("..", import.meta.url).pathname;

const SERVED = /(?:metrics|dashboard) at http:\/\/([^/]+)\//;

/** A finished command. */
export interface Finished {
  code: number;
  stdout: string;
  stderr: string;
}

/** A command that runs. */
export interface Running {
  process: Deno.ChildProcess;
  /** Resolves once standard output has shown `text`. */
  shown(text: string): Promise<void>;
  /** Resolves with the address that `--metrics` or `--dashboard` got, wherever it is said; "" if never. */
  served(): Promise<string>;
  /** Resolves once an object of `--json` that it has shown is enough, or it has ended. */
  counted(enough: (statistics: AnyStatistics) => boolean): Promise<void>;
  finished: Promise<Finished>;
}

/** Starts `deno task <name>` without the task's own build step; it is killed after `limitMs`. */
export function start(
  name: "capture" | "send",
  args: string[],
  env: Record<string, string> = {},
  limitMs = 30_000,
  inside: (command: string[]) => string[] = (command) => command,
): Running {
  const main = name === "capture" ? "capture/main.ts" : "sender/main.ts";
  return startProgram([`-P=${name}`, main, ...args], env, limitMs, inside);
}

/** Starts `deno run -q` with these arguments; it is killed after `limitMs`. */
export function startProgram(
  args: string[],
  env: Record<string, string> = {},
  limitMs = 30_000,
  inside: (command: string[]) => string[] = (command) => command,
): Running {
  const [program, ...words] = inside([Deno.execPath(), "run", "-q", ...args]);
  const process = new Deno.Command(program, {
    args: words,
    cwd: root,
    env: { NO_COLOR: "1", ...env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const timer = setTimeout(() => process.kill("SIGKILL"), limitMs);
  let stdout = "", stderr = "", ended = false;
  const waiting: { enough: () => boolean; resolve: () => void }[] = [];
  const read = async (stream: ReadableStream<Uint8Array>, take: (chunk: string) => void) => {
    for await (const chunk of stream.pipeThrough(new TextDecoderStream())) {
      take(chunk);
      for (const { enough, resolve } of waiting) if (enough()) resolve();
    }
  };
  const finish = async () => {
    const [{ code }] = await Promise.all([
      process.status,
      read(process.stdout, (chunk) => stdout += chunk),
      read(process.stderr, (chunk) => stderr += chunk),
    ]);
    clearTimeout(timer);
    ended = true;
    for (const { resolve } of waiting) resolve();
    return { code, stdout, stderr };
  };
  const finished = finish();
  const until = (enough: () => boolean) =>
    ended || enough()
      ? Promise.resolve()
      : new Promise<void>((resolve) => waiting.push({ enough, resolve }));
  const shown = (text: string) => until(() => stdout.includes(text));
  const counted = (enough: (statistics: AnyStatistics) => boolean) =>
    until(() => objects(stdout.slice(0, stdout.lastIndexOf("\n") + 1)).some(enough));
  const address = () => SERVED.exec(stdout + stderr)?.[1];
  const served = () => until(() => address() !== undefined).then(() => address() ?? "");
  return { process, shown, served, counted, finished };
}

/** Runs a command to its end. */
export function run(
  name: "capture" | "send",
  args: string[],
  env: Record<string, string> = {},
): Promise<Finished> {
  return start(name, args, env).finished;
}

/** The objects of `--json`, one a line. */
export function objects(stdout: string): Record<string, unknown>[] {
  return stdout.split("\n").filter((line) => line.startsWith("{")).map((line) => JSON.parse(line));
}

// deno-lint-ignore no-explicit-any -- statistics are looked at field by field
export type AnyStatistics = Record<string, any>;

/** The last object, which must be the final one. */
export function finalOf(finished: Finished): AnyStatistics {
  const last = objects(finished.stdout).at(-1);
  if (last?.final !== true) {
    throw new Error(`no final object: ${finished.stdout}${finished.stderr}`);
  }
  return last;
}
