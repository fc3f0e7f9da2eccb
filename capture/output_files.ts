/**
 * Purpose: opens the files that a capture writes, so that nothing is written by two, and nothing of an
 * earlier run is written over: one file, or a row of them.
 *
 * ```text
 *  x.pcapng                                            locked, then emptied
 *  x_00001.pcapng  x_00002.pcapng │ x_00003.pcapng …   made anew, each behind the last that is there
 *   └ of earlier runs ───────────┘  └ ours: the newest one is locked
 * ```
 * The lock is flock(2)'s: it ends with the program, however that ends. The next file of a row is locked
 * before the one before it is let go, so that a second capture always finds the newest one locked.
 */
import { type FileIdentity, isInput } from "./input_file.ts";

/** Why a file is not opened. */
export const IS_INPUT = "it is the file that is being read";
/** Why a file is not opened. */
export const IN_USE = "another program is writing it";

const DIGITS = 5;
const MOST_TRIES = 100; // to come behind what others make and remove
/** What `padStart` makes of a number: of seven digits at most, a date has eight. */
const NUMBER = /^(\d{5}|[1-9]\d{5,6})$/;

/** Which files. */
export interface OutputFilesOptions {
  /** The file's path. */
  file: string;
  /** How many files of a row are kept, those of earlier runs among them; 0: all. */
  rotateFiles: number;
  /** The file that the packets are read from: it is neither written to nor removed. */
  input?: FileIdentity;
}

/** Files, opened one after the other. */
export class OutputFiles {
  /** Path of the file that was opened, or tried, last. */
  name = "";
  readonly #stem: string;
  readonly #ending: string;
  #number = 0;
  /** Numbers of the files that are there, the oldest first; empty where all are kept. */
  #row: number[] = [];

  /** `inRow`: whether there can be a second file. */
  constructor(readonly options: OutputFilesOptions, readonly inRow: boolean) {
    const { file } = options, dot = file.lastIndexOf(".");
    const hasEnding = dot > file.lastIndexOf("/") + 1;
    this.#stem = hasEnding ? file.slice(0, dot) : file;
    this.#ending = hasEnding ? file.slice(dot) : "";
  }

  /**
   * Opens the first file, or the next one; it is empty, and locked until it is closed.
   *
   * @throws {Error} of the file system, or with `IS_INPUT` or `IN_USE` as its message.
   */
  open(): Deno.FsFile {
    if (!this.inRow) return this.#openOnly();
    return this.name === "" ? this.#openFirst() : this.#openNext();
  }

  /** Removes the oldest files of the row, if there are too many. */
  trim(): void {
    const { rotateFiles, input } = this.options;
    while (rotateFiles > 0 && this.#row.length > rotateFiles) {
      const name = this.#nameOf(this.#row.shift()!);
      if (input === undefined || !isInput(name, input)) remove(name);
    }
  }

  #openOnly(): Deno.FsFile {
    const { file, input } = this.options;
    this.name = file;
    if (input && isInput(file, input)) throw new Error(IS_INPUT);
    const opened = locked(file, { write: true, create: true });
    opened.truncateSync(0);
    return opened;
  }

  /** Behind the last one of an earlier run; another capture may be about to do the same. */
  #openFirst(): Deno.FsFile {
    this.name = this.#nameOf(1);
    for (let tries = 1;; tries++) {
      const row = this.#numbers(), last = row.at(-1);
      this.#number = last ?? 0;
      try {
        if (last !== undefined) this.name = this.#nameOf(last);
        using _before = last === undefined ? undefined : locked(this.name, { write: true });
        const opened = this.#create(this.#number + 1);
        if (this.options.rotateFiles > 0) this.#row = [...row, this.#number];
        return opened;
      } catch (error) {
        const { AlreadyExists, NotFound } = Deno.errors;
        const moved = error instanceof AlreadyExists ||
          error instanceof NotFound && last !== undefined;
        if (!moved || tries === MOST_TRIES) throw error;
      }
    }
  }

  /** What somebody else has put in its place is left alone. */
  #openNext(): Deno.FsFile {
    for (let number = this.#number + 1;; number++) {
      try {
        const opened = this.#create(number);
        if (this.options.rotateFiles > 0) this.#row.push(number);
        return opened;
      } catch (error) {
        if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
      }
    }
  }

  #create(number: number): Deno.FsFile {
    this.name = this.#nameOf(number);
    const opened = locked(this.name, { write: true, createNew: true });
    this.#number = number;
    return opened;
  }

  /** Numbers of the row's files that are there, in order. */
  #numbers(): number[] {
    const begin = `${this.#stem.slice(this.#stem.lastIndexOf("/") + 1)}_`, numbers = [];
    for (const { name } of Deno.readDirSync(directoryOf(this.options.file))) {
      if (!name.startsWith(begin) || !name.endsWith(this.#ending)) continue;
      const digits = name.slice(begin.length, name.length - this.#ending.length);
      if (NUMBER.test(digits)) numbers.push(Number(digits));
    }
    return numbers.sort((a, b) => a - b);
  }

  #nameOf(number: number): string {
    return `${this.#stem}_${String(number).padStart(DIGITS, "0")}${this.#ending}`;
  }
}

/** Opens a file and locks it. Where there are no locks, as on some network file systems, it goes without. */
function locked(name: string, options: Deno.OpenOptions): Deno.FsFile {
  const opened = Deno.openSync(name, options);
  let mine = true;
  try {
    mine = opened.tryLockSync(true);
  } catch { /* no locks here */ }
  if (mine) return opened;
  opened.close();
  throw new Error(IN_USE);
}

/** Removes a file, unless somebody else has done so. */
function remove(file: string): void {
  try {
    Deno.removeSync(file);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** The directory that a file lies in. */
export function directoryOf(file: string): string {
  const slash = file.lastIndexOf("/");
  return slash < 0 ? "." : slash === 0 ? "/" : file.slice(0, slash);
}
