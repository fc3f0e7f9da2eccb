/**
 * Purpose: a copy of the program in a folder of its own, for tests of where it finds its native library.
 */
import { dirname, resolve } from "node:path";
import { LIBRARY_NAME, type LibraryRecord, recordPath } from "../ffi/library_record.ts";
import type { Finished } from "./command.ts";

const root = `${import.meta.dirname}/..`;
const PARTS = ["deno.json", "deno.lock", "log.ts", "ffi", "engine", "filter", "capture", "sender"];
/** Prints which library is loaded, or why none is. */
const PROBE = `import { libraryFile } from "./ffi/library.ts";
try {
  console.log(libraryFile().path);
} catch (error) {
  if (!error.expected) throw error;
  console.log(error.message);
}
`;
/** All C sources but this one. */
const FEW = /^(?!host).*\.c$/;
const LIMIT_MS = 60_000;

/** Which C sources a copy has. */
export type Sources = "all" | "few";

/** A copy of the program; `using` it removes it. */
export class ProgramCopy {
  /** Where it is; a blank and a percent sign are in the path. */
  readonly folder: string = `${Deno.makeTempDirSync({ prefix: "uspf-copy-" })}/a %20 copy`;

  /** Makes one without a library, and without C sources unless asked for; `few` make one that does nothing, soon. */
  constructor({ sources }: { sources?: Sources } = {}) {
    Deno.mkdirSync(this.folder);
    const without = sources === "all" ? /$^/ : sources === "few" ? FEW : /\.[ch]$/;
    for (const part of PARTS) copy(`${root}/${part}`, `${this.folder}/${part}`, without);
    Deno.writeTextFileSync(`${this.folder}/probe.ts`, PROBE);
  }

  /** Puts this checkout's library into a folder of the copy; what the record says may be changed. */
  put(folder: string, changes: Partial<LibraryRecord> = {}): string {
    const from = `${root}/ffi/build/${LIBRARY_NAME}`, to = resolve(this.folder, folder);
    Deno.mkdirSync(to, { recursive: true });
    Deno.copyFileSync(from, `${to}/${LIBRARY_NAME}`);
    const record = { ...JSON.parse(Deno.readTextFileSync(recordPath(from))), ...changes };
    Deno.writeTextFileSync(recordPath(`${to}/${LIBRARY_NAME}`), JSON.stringify(record));
    return `${to}/${LIBRARY_NAME}`;
  }

  /** Removes a library and its record. */
  remove(library: string): void {
    for (const path of [library, recordPath(library)]) Deno.removeSync(path);
  }

  /** Which library a program in it loads, and what it says on standard error; without options: with all permissions. */
  async probe(env: Record<string, string> = {}, options = ["-A"]): Promise<Finished> {
    return await this.run(["run", "-q", "--no-prompt", ...options, "probe.ts"], env);
  }

  /** Runs deno in it. */
  async run(args: string[], env: Record<string, string> = {}): Promise<Finished> {
    const { USPF_LIBRARY: _, CC: __, ...rest } = Deno.env.toObject();
    const child = new Deno.Command(Deno.execPath(), {
      args,
      cwd: this.folder,
      env: { ...rest, NO_COLOR: "1", ...env },
      clearEnv: true,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const timer = setTimeout(() => child.kill("SIGKILL"), LIMIT_MS);
    const { code, stdout, stderr } = await child.output();
    clearTimeout(timer);
    const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    return { code, stdout: text(stdout), stderr: text(stderr) };
  }

  [Symbol.dispose](): void {
    Deno.removeSync(dirname(this.folder), { recursive: true });
  }
}

function copy(from: string, to: string, without: RegExp): void {
  if (!Deno.statSync(from).isDirectory) return Deno.copyFileSync(from, to);
  Deno.mkdirSync(to, { recursive: true });
  for (const { name } of Deno.readDirSync(from)) {
    if (name === "build" || without.test(name)) continue;
    copy(`${from}/${name}`, `${to}/${name}`, without);
  }
}
