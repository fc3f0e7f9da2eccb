/**
 * Purpose: makes a thread of a program stand still for a while; see freeze_thread.c.
 */

let program: string | undefined;

/** A thread that stands still until it is let go. */
export class FrozenThread {
  private constructor(readonly child: Deno.ChildProcess) {}

  /** Freezes a thread of this system by its number. */
  static async freeze(thread: number): Promise<FrozenThread> {
    program ??= build();
    const stdio = { stdin: "piped", stdout: "piped", stderr: "piped" } as const;
    const child = new Deno.Command(program, { args: [`${thread}`], ...stdio }).spawn();
    const reader = child.stdout.getReader(), { value } = await reader.read();
    reader.releaseLock();
    if (new TextDecoder().decode(value) !== "frozen\n") {
      throw new Error(`Cannot freeze thread ${thread}: ${await new Response(child.stderr).text()}`);
    }
    return new FrozenThread(child);
  }

  /** Lets it go on. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.child.stdin.close();
    await Promise.all([this.child.status, this.child.stdout.cancel(), this.child.stderr.cancel()]);
  }
}

/** The threads that a program has started for its workers, in their order. */
export function workerThreads(pid: number): number[] {
  const threads = [...Deno.readDirSync(`/proc/${pid}/task`)].map(({ name }) => Number(name));
  const named = threads.map((thread) => ({
    thread,
    number: /^worker-(\d+)\n$/.exec(Deno.readTextFileSync(`/proc/${pid}/task/${thread}/comm`))?.[1],
  }));
  return named.filter(({ number }) => number !== undefined)
    .sort((a, b) => Number(a.number) - Number(b.number)).map(({ thread }) => thread);
}

function build(): string {
  const directory = Deno.makeTempDirSync(), path = `${directory}/freeze_thread`;
  addEventListener("unload", () => Deno.removeSync(directory, { recursive: true }));
  const source = new URL("freeze_thread.c", import.meta.url).pathname;
  const args = ["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-O1", source, "-o", path];
  const { success } = new Deno.Command(Deno.env.get("CC") ?? "cc", { args }).outputSync();
  if (!success) throw new Error(`Cannot build "${source}"`);
  return path;
}

async function whyNot(): Promise<string | undefined> {
  const child = new Deno.Command("sleep", { args: ["10"] }).spawn();
  try {
    const frozen = await FrozenThread.freeze(child.pid);
    await frozen[Symbol.asyncDispose]();
    return undefined;
  } catch (error) {
    return `${(error as Error).message.trim()} here`;
  } finally {
    child.kill();
    await child.status;
  }
}

/** Why no thread can be frozen here; `undefined`: it can. */
export const noFreezing: string | undefined = await whyNot();
