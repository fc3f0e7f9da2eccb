/**
 * Purpose: loads the native library, the only place where that happens.
 *
 * The same file is opened twice: for calls (Deno.dlopen), and as a Node-API addon for `region`, which
 * gives a port's memory as an ArrayBuffer. So `--allow-ffi` stays scoped to this one path. Where it lies,
 * find_library.ts finds out.
 */
import process from "node:process";
import { checkMayLoad, findLibrary, type Found, LibraryError } from "./find_library.ts";
import { type LibraryFile, Refusal, sha256Of } from "./library_record.ts";

/** The interface that this code speaks; USPF_ABI in uspf.h. */
const ABI = 7;

const SYMBOLS = {
  uspf_abi: { parameters: [], result: "i32" },
  uspf_open: { parameters: ["buffer", "buffer"], result: "i32" },
  uspf_close: { parameters: ["i32"], result: "i32" },
  uspf_rxsync: { parameters: ["i32"], result: "i32" },
  uspf_txsync: { parameters: ["i32"], result: "i32" },
  uspf_wait: { parameters: ["i32", "i32", "i32"], result: "i32" },
  uspf_stat: { parameters: ["i32", "buffer"], result: "i32" },
  uspf_control: { parameters: ["i32", "i32", "i32"], result: "i32" },
  uspf_clock: { parameters: [], result: "i32" },
  uspf_tsc: { parameters: [], result: "f64" },
  uspf_tsc_hz: { parameters: [], result: "f64" },
  uspf_now_ns: { parameters: [], result: "f64" },
  uspf_thread_cpu_ns: { parameters: [], result: "f64" },
  uspf_sleep_ns: { parameters: ["f64"], result: "i32" },
  uspf_suspend: { parameters: [], result: "i32" },
  uspf_pin: { parameters: ["i32"], result: "i32" },
  uspf_may_pin: { parameters: ["i32"], result: "i32" },
  uspf_core: { parameters: [], result: "i32" },
  uspf_cores: { parameters: ["buffer", "i32"], result: "i32" },
  uspf_switches: { parameters: [], result: "f64" },
  uspf_realtime: { parameters: ["buffer"], result: "i32" },
  uspf_rx_queues: { parameters: ["buffer"], result: "i32" },
  uspf_is_up: { parameters: ["buffer"], result: "i32" },
  uspf_readable: { parameters: ["i32", "i32"], result: "i32" },
  uspf_try_bind: { parameters: ["i32", "i32", "buffer"], result: "i32" },
  uspf_ethtool: { parameters: ["buffer", "buffer", "i32"], result: "i32" },
  uspf_netlink: { parameters: ["i32", "buffer", "i32", "buffer", "i32"], result: "i32" },
  uspf_program_name: { parameters: ["i32", "buffer"], result: "i32" },
  uspf_read_file: { parameters: ["buffer", "buffer", "i32"], result: "i32" },
  uspf_read_folder: { parameters: ["buffer", "buffer", "i32"], result: "i32" },
  uspf_read_link: { parameters: ["buffer", "buffer", "i32"], result: "i32" },
  uspf_file_info: { parameters: ["buffer", "buffer"], result: "i32" },
} as const;

/** The native library's calls, and `region`. */
export type Library = Deno.DynamicLibrary<typeof SYMBOLS>["symbols"] & {
  /** The memory of an open port; `undefined` for a handle that is not open. */
  region(handle: number): ArrayBuffer | undefined;
};

let loaded: Found<Library> | undefined;

/**
 * Loads the library on the first call; later calls return the same one. Each isolate loads its own.
 *
 * @throws {LibraryError} where no place has one that can be used.
 */
export function loadLibrary(): Library {
  loaded ??= findLibrary(ABI, load);
  return loaded.library;
}

/**
 * The file that this isolate has loaded, for its threads: they may not search.
 *
 * @throws {LibraryError} where no place has one that can be used.
 */
export function libraryFile(): LibraryFile {
  loadLibrary();
  return loaded!.file;
}

/**
 * Loads the file that another isolate has loaded, instead of searching.
 *
 * @throws {LibraryError} where it is another now, for one process shall not run two.
 */
export function useLibrary(file: LibraryFile): void {
  if (loaded !== undefined) return;
  const { path, sha256 } = file;
  try {
    if (sha256Of(path) !== sha256) throw new Refusal("it has changed since the start: start again");
    loaded = { file, library: load(path) };
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    throw new LibraryError(`Cannot load "${path}": ${error.message}`, { cause: error });
  }
}

/** @throws {Refusal} where the machine, or the permissions, do not let it in. */
function load(path: string): Library {
  checkMayLoad(path);
  const symbols = open(path);
  const abi = symbols.uspf_abi();
  if (abi !== ABI) {
    throw new Refusal(`it has interface ${abi}, this code speaks ${ABI}: build it from this code`);
  }
  const addon = { exports: {} as { region: Library["region"] } };
  process.dlopen(addon, path);
  return { ...symbols, region: addon.exports.region };
}

function open(path: string): Deno.DynamicLibrary<typeof SYMBOLS>["symbols"] {
  try {
    return Deno.dlopen(path, SYMBOLS).symbols;
  } catch (cause) {
    const why = (cause as Error).message.split("\n")[0].split(`${path}: `).at(-1);
    throw new Refusal(`it cannot be opened (${why}): build it for this machine`, { cause });
  }
}
