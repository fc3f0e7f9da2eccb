/**
 * Purpose: what a program or library for Linux says of itself; elf(5).
 */

/** What is read of it. */
export interface ElfFile {
  /** `e_machine`. */
  machine: number;
  /** The newest version of glibc that it asks for, such as "2.33"; `undefined` where it asks for none. */
  glibc?: string;
}

const MAGIC = 0x7f454c46, MACHINE_AT = 18;

/** Reads a file; `undefined` if it is none of that format, or not there. */
export function readElf(path: string): ElfFile | undefined {
  const bytes = read(path), view = new DataView(bytes.buffer);
  if (bytes.length < 64 || view.getUint32(0) !== MAGIC) return undefined;
  // The names of the versions stand among its strings, as in .gnu.version_r.
  const names = new TextDecoder("latin1").decode(bytes).matchAll(/GLIBC_(\d+\.\d+(?:\.\d+)?)\0/g);
  const versions = [...names].map(([, version]) => version);
  return { machine: view.getUint16(MACHINE_AT, true), glibc: newest(versions) };
}

function read(path: string): Uint8Array<ArrayBuffer> {
  try {
    return Deno.readFileSync(path);
  } catch (error) {
    const { NotFound, NotADirectory, IsADirectory, PermissionDenied } = Deno.errors;
    const kinds = [NotFound, NotADirectory, IsADirectory, PermissionDenied];
    if (kinds.some((kind) => error instanceof kind)) return new Uint8Array();
    throw error;
  }
}

/** The newest of some versions; `undefined` of none. */
export function newest(versions: readonly string[]): string | undefined {
  const collator = new Intl.Collator("en", { numeric: true });
  return [...versions].sort(collator.compare).at(-1);
}
