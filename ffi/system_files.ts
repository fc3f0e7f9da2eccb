/**
 * Purpose: the kernel's own files, in /proc, /sys and /dev. Deno shows them to programs that may do
 * everything only; system_files.c shows those that tell of the machine.
 */
import { loadLibrary } from "./library.ts";

const ROOM = 1 << 20;

/** What is known of a file without opening it. */
export interface FileInfo {
  /** Type and permissions, as of stat(2). */
  mode: number;
  owner: number;
  group: number;
  /** Whether we may read and write it. */
  writable: boolean;
  /** Room on its file system for those who are not root, in bytes. */
  freeBytes: number;
}

/** Files by their paths; tests give others than the machine's. */
export interface SystemFiles {
  /** A file's text, without white space around it; `undefined` where it is missing or unreadable. */
  text(path: string): string | undefined;
  /** The names in a folder, in no order; none where there is none. */
  names(path: string): string[];
  /** Where a link leads. */
  link(path: string): string | undefined;
  info(path: string): FileInfo | undefined;
}

/** This machine's: those that system_files.c allows. */
export class MachineFiles implements SystemFiles {
  readonly #library = loadLibrary();
  readonly #room = new Uint8Array(ROOM);

  text(path: string): string | undefined {
    return this.#read(this.#library.uspf_read_file(zeroEnded(path), this.#room, ROOM))?.trim();
  }

  names(path: string): string[] {
    const bytes = this.#library.uspf_read_folder(zeroEnded(path), this.#room, ROOM);
    return this.#read(bytes)?.split("\0").filter((name) => name !== "") ?? [];
  }

  link(path: string): string | undefined {
    return this.#read(this.#library.uspf_read_link(zeroEnded(path), this.#room, ROOM));
  }

  info(path: string): FileInfo | undefined {
    const info = new Float64Array(5);
    const result = this.#library.uspf_file_info(zeroEnded(path), info);
    if (result < 0) return undefined;
    const [mode, owner, group, writable, freeBytes] = info;
    return { mode, owner, group, writable: writable === 1, freeBytes };
  }

  #read(bytes: number): string | undefined {
    return bytes < 0 ? undefined : new TextDecoder().decode(this.#room.subarray(0, bytes));
  }
}

/** Text as C has it. */
export function zeroEnded(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(`${text}\0`);
}
