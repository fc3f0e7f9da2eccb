/**
 * Purpose: finds the native library: the first place whose library is good is taken.
 *
 * ```text
 *  1  $USPF_LIBRARY
 *  2  beside the program   a self-contained one: its folder; else the folder that ffi/ is in
 *  3  ffi/build/           where "deno task build" puts it
 *  4  built with cc        where running it is permitted
 * ```
 * It never prompts: what is not permitted is a place that failed, and says what would permit it.
 */
import { resolve } from "node:path";
import { buildLibrary, builtLibrary } from "./build.ts";
import {
  checkLibrary,
  LIBRARY_NAME,
  type LibraryFile,
  MISSING,
  Refusal,
} from "./library_record.ts";
import { warn as sayWarning } from "./voice.ts";

const VARIABLE = "USPF_LIBRARY";
/** What the first place is called where the variable is set. */
const SET = `${VARIABLE}="`;
const NO_FILES = `there is none, for the code is from ${new URL(import.meta.url).origin}: ` +
  `set ${VARIABLE}`;

/** No place has a library that can be used, or a thread's is another now. */
export class LibraryError extends Error {
  /** Always `LibraryError`. */
  override readonly name = "LibraryError";
  /** What runCommand looks at. */
  readonly expected = true;
}

/** A library that was found, and what it was found for. */
export interface Found<T> {
  file: LibraryFile;
  library: T;
}

/** A place where the library may be. */
interface Place {
  name: string;
  /** Where exactly; throws a Refusal where that cannot be said. */
  locate: () => string;
  /** What to do where nothing is there. */
  remedy?: string;
}

/**
 * Finds the library: `use` loads what passed the check, and may refuse it.
 *
 * @throws {LibraryError} where no place has one; it says why for each.
 */
export function findLibrary<T>(abi: number, use: (path: string) => T): Found<T> {
  const failed: string[] = [];
  for (const place of places()) {
    try {
      const file = checkLibrary(place.locate(), abi);
      const found = { file, library: use(file.path) };
      if (failed[0]?.startsWith(SET)) warn(failed[0], file);
      return found;
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      const { message } = error;
      failed.push(`${place.name}: ${message}${message === MISSING ? `: ${place.remedy}` : ""}`);
    }
  }
  const first = `Cannot load the native library: ${failed.length} places tried:`;
  throw new LibraryError([first, ...failed].join("\n  "));
}

/** @throws {Refusal} where loading this file is not permitted; it never prompts. */
export function checkMayLoad(path: string): void {
  if (Deno.permissions.querySync({ name: "ffi", path }).state === "granted") return;
  const remedy = Deno.build.standalone
    ? "give the program its own name back, and unset TMPDIR" // its permissions name both
    : `allow it with --allow-ffi=${path}`;
  throw new Refusal(`loading it is not permitted: ${remedy}`);
}

function places(): Place[] {
  const beside = besideProgram(), built = builtLibrary();
  return [
    named(),
    at("beside the program", beside, "put library and record there"),
    at("ffi/build/", built, 'run "deno task build"'),
    { name: "built with cc", locate: () => build(built) },
  ];
}

function build(library: string | undefined): string {
  if (library === undefined) throw new Refusal(NO_FILES);
  if (Deno.build.standalone) throw new Refusal("a self-contained program has no C sources");
  checkMayLoad(library); // or building it would be in vain
  buildLibrary();
  return library;
}

function named(): Place {
  if (Deno.permissions.querySync({ name: "env", variable: VARIABLE }).state !== "granted") {
    return refused(VARIABLE, `reading it is not permitted: allow it with --allow-env=${VARIABLE}`);
  }
  const value = Deno.env.get(VARIABLE);
  if (!value) return refused(VARIABLE, "not set: have it name a library");
  return at(`${SET}${value}"`, resolve(value), "have it name a library, or unset it");
}

function besideProgram(): string | undefined {
  if (Deno.build.standalone) return resolve(Deno.execPath(), "..", LIBRARY_NAME);
  const here = import.meta.dirname;
  return here && resolve(here, "..", LIBRARY_NAME);
}

function at(name: string, path: string | undefined, remedy: string): Place {
  if (path === undefined) return refused(name, NO_FILES);
  return { name: name.startsWith(SET) ? name : `${name}, "${path}"`, locate: () => path, remedy };
}

function refused(name: string, why: string): Place {
  return {
    name,
    locate: () => {
      throw new Refusal(why);
    },
  };
}

/** By the isolate that searches, so once: threads of ours are told what it found. */
function warn(why: string, { path }: LibraryFile): void {
  sayWarning(`Cannot use ${why}; "${path}" is taken instead`);
}
