/**
 * Purpose: builds the native library where it is missing, made from other sources, or not the one that its
 * record says (`deno task build`).
 *
 * ```text
 *  ffi/*.c *.h ── $CC, cc, gcc or clang ──▶ libuspf.so ── SHA-256 ──┐
 *  .git, deno.json ── commit, version ──────────────────────────────┴──▶ libuspf.so.json
 * ```
 * Whoever builds has the folder locked, and both files are written beside and renamed: a program that is
 * running keeps the file that it has mapped. Between the two renames the record is of the library before;
 * who dies there leaves what the next build mends.
 *
 * No flag of this machine (`-march=native`) goes in: the library only makes system calls.
 */
import { createHash } from "node:crypto";
import { readCommit } from "./commit.ts";
import {
  fitsProcessor,
  LIBRARY_NAME,
  type LibraryRecord,
  readRecord,
  recordPath,
  Refusal,
  sha256Of,
} from "./library_record.ts";
import { VERSION } from "./version.ts";

const here = import.meta.dirname; // code that was fetched has none, and no sources either
const beside = here && `${here}/../${LIBRARY_NAME}`;
const COMPILERS = ["cc", "gcc", "clang"];
const FLAGS = [
  "-std=c11",
  "-O2",
  "-g",
  "-Wall",
  "-Wextra",
  "-Werror",
  "-fPIC",
  "-shared",
  "-fvisibility=hidden",
  "-pthread",
];

/** How to build, and where to. */
export interface BuildOptions {
  /**
   * The compiler, and arguments for it behind blanks: "musl-gcc -isystem DIR". By default $CC, and without
   * that what there is.
   */
  compiler?: string;
  /** Where the library and its record go; `ffi/build` by default. */
  directory?: string;
}

/** Where `deno task build` puts the library; `undefined` where this code is not in files. */
export function builtLibrary(): string | undefined {
  return here && `${here}/build/${LIBRARY_NAME}`;
}

/**
 * Builds the library if needed, and has its record say which commit this is; returns whether it compiled.
 *
 * @throws {Refusal} where it cannot.
 */
export function buildLibrary({ compiler, directory }: BuildOptions = {}): boolean {
  const folder = directory ?? `${here}/build`, library = `${folder}/${LIBRARY_NAME}`;
  if (!granted({ name: "write", path: folder })) {
    throw new Refusal(`writing to "${folder}" is not permitted: run "deno task build"`);
  }
  const wanted = (compiler ?? environmentsCompiler())?.trim() || undefined;
  try {
    Deno.mkdirSync(folder, { recursive: true });
    return whileLocked(folder, () => {
      const record = currentRecord(library, wanted);
      if (record === undefined) compile(library, wanted);
      else bringUpToDate(library, record);
      return record === undefined;
    });
  } catch (error) {
    if (!isForbidden(error)) throw error;
    throw new Refusal(`writing to "${folder}" is not allowed (${error.code}): build as its owner`);
  }
}

function environmentsCompiler(): string | undefined {
  return granted({ name: "env", variable: "CC" }) ? Deno.env.get("CC") : undefined;
}

/** Whether the system forbids it, not Deno. */
function isForbidden(error: unknown): error is { code: string } {
  return ["EACCES", "EPERM", "EROFS"].includes((error as { code?: string }).code ?? "");
}

/** Runs in a folder as the only one that builds there; a lock ends with its program. */
function whileLocked<T>(folder: string, work: () => T): T {
  using lock = Deno.openSync(folder, { read: true });
  lock.lockSync(true);
  return work();
}

/** What is recorded of a library that need not be compiled again, as one that came without sources. */
function currentRecord(library: string, compiler?: string): LibraryRecord | undefined {
  const record = readRecord(library);
  if (record === undefined || record.sha256 !== sha256Of(library)) return undefined;
  const asWanted = compiler === undefined
    ? fitsProcessor(record)
    : record.command === commandOf(words(compiler));
  const asHere = filesHere(".c").length === 0 || record.sources === sourcesHash();
  return asWanted && asHere ? record : undefined;
}

/** By contents, for times lie: archives bring old ones, and an edit may come while a compiler runs. */
function sourcesHash(): string {
  const hash = createHash("sha256").update(FLAGS.join(" "));
  for (const name of [...filesHere(".c"), ...filesHere(".h")]) {
    const bytes = Deno.readFileSync(`${here}/${name}`);
    hash.update(`\0${name}\0${bytes.length}\0`).update(bytes);
  }
  return hash.digest("hex");
}

/**
 * Without `.git`, as in what was unpacked from an archive, the commit stays what it was; so it does where
 * another user builds, who may use the library but not write.
 */
function bringUpToDate(library: string, record: LibraryRecord): void {
  const now = { version: VERSION, commit: readCommit(`${here}/..`) ?? record.commit };
  if (now.version === record.version && now.commit === record.commit) return;
  try {
    writeRecord(library, { ...record, ...now });
  } catch (error) {
    if (!isForbidden(error)) throw error;
  }
}

function compile(library: string, wanted?: string): void {
  const sources = filesHere(".c"), fresh = `${library}.new`;
  if (sources.length === 0) throw new Refusal("its C sources are not here: build it in a checkout");
  const compiler = findCompiler(wanted);
  // Paths of this machine stay out of it, so that a build elsewhere gives the same bytes.
  const read = sourcesHash();
  const args = [...FLAGS, `-ffile-prefix-map=${here}=ffi`, "-o", fresh, ...sources];
  Deno.writeFileSync(fresh, new Uint8Array()); // or it is the linker that may not
  const { success, stderr } = run([...compiler, ...args], here);
  if (!success) {
    Deno.removeSync(fresh);
    throw new Refusal(`${compiler.join(" ")} failed:\n${stderr.trimEnd()}`);
  }
  const record = {
    version: VERSION,
    commit: readCommit(`${here}/..`),
    abi: interfaceOf(),
    sha256: sha256Of(fresh)!,
    sources: read,
    compiler: run([...compiler, "--version"]).stdout.split("\n")[0],
    command: commandOf(compiler),
    target: targetOf(compiler, fresh),
  };
  Deno.renameSync(fresh, library);
  writeRecord(library, record);
}

function writeRecord(library: string, record: LibraryRecord): void {
  const path = recordPath(library), fresh = `${path}.new`;
  Deno.writeTextFileSync(fresh, `${JSON.stringify(record, null, 2)}\n`);
  Deno.renameSync(fresh, path);
}

function commandOf(compiler: string[]): string {
  return [...compiler, ...FLAGS].join(" ");
}

/** USPF_ABI, as it is compiled in. */
function interfaceOf(): number {
  return Number(/USPF_ABI (\d+)/.exec(Deno.readTextFileSync(`${here}/uspf.h`))![1]);
}

/** What musl-gcc says of itself is its host's; the library's own word is which C library it wants. */
function targetOf(compiler: string[], library: string): string {
  const machine = run([...compiler, "-dumpmachine"]).stdout.trim().split("-")[0];
  const text = new TextDecoder("latin1").decode(Deno.readFileSync(library));
  return `${machine}-linux-${text.includes("\0libc.so.6\0") ? "gnu" : "musl"}`;
}

/** @throws {Refusal} where none is there, or none may be run; it never prompts. */
function findCompiler(wanted?: string): string[] {
  const candidates = wanted === undefined ? COMPILERS.map((name) => [name]) : [words(wanted)];
  const permitted = candidates.filter(([command]) => granted({ name: "run", command }));
  if (permitted.length === 0) {
    throw new Refusal(`running "${candidates[0][0]}" is not permitted: run "deno task build"`);
  }
  const found = permitted.find((words) => run([...words, "--version"]).success);
  if (found !== undefined) return found;
  throw new Refusal(
    `no C compiler${wanted ? ` "${wanted}"` : ""}: ` +
      `install one, on Debian or Ubuntu with "apt-get install gcc libc6-dev"`,
  );
}

function run([program, ...args]: string[], cwd?: string) {
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  try {
    const { success, stdout, stderr } = new Deno.Command(program, { args, cwd }).outputSync();
    return { success, stdout: text(stdout), stderr: text(stderr) };
  } catch (error) {
    const { NotFound, PermissionDenied } = Deno.errors; // the second: not to be executed
    if (![NotFound, PermissionDenied].some((kind) => error instanceof kind)) throw error;
    return { success: false, stdout: "", stderr: (error as Error).message };
  }
}

function filesHere(ending: string): string[] {
  if (here === undefined || !granted({ name: "read", path: here })) return [];
  return [...Deno.readDirSync(here)].map(({ name }) => name).filter((name) => name.endsWith(ending))
    .sort();
}

function words(text: string): string[] {
  return text.split(/\s+/);
}

function granted(permission: Deno.PermissionDescriptor): boolean {
  return Deno.permissions.querySync(permission).state === "granted";
}

/** What is searched before ffi/build/, if a library is there as it was built: a machine without compiler needs no other. */
function another(): string | undefined {
  const places = {
    USPF_LIBRARY: Deno.env.get("USPF_LIBRARY"),
    "the one beside the program": beside,
  };
  return Object.entries(places).find(([, path]) => path && isAsBuilt(path))?.[0];
}

function isAsBuilt(path: string): boolean {
  const record = readRecord(path);
  try {
    return record !== undefined && record.sha256 === sha256Of(path);
  } catch {
    return false; // it may not be read
  }
}

if (import.meta.main) {
  try {
    buildLibrary();
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const instead = another();
    const end = instead === undefined ? "" : `; ${instead} is taken instead`;
    console.error(`Cannot build "${builtLibrary()}": ${error.message}${end}`);
    Deno.exit(instead === undefined ? 1 : 0);
  }
}
