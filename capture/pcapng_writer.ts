/**
 * Purpose: blocks of packets into one pcapng file, or a row of them: each is a complete file of its own.
 *
 * ```text
 *  │ section │ interface 0 │ … │ packets … │ statistics of interface 0 │ … │
 *   └ head, the same in all ─┘               └ tail, made anew ──────────┘
 * ```
 * With a limit of size or time "x.pcapng" becomes x_00001.pcapng, x_00002.pcapng, and so on
 * (output_files.ts). The next file is begun when there is something to be written to it.
 *
 * Whatever is written, the tail is written behind it, and cut off before what comes next: so a file is
 * whole at any time, and a full disk has room for the tail. If we are killed in the middle of a write, the
 * file ends within a block, which readers know of captures; never is the rest of an older tail taken for a
 * packet's bytes.
 */
import {
  directoryOf,
  IN_USE,
  IS_INPUT,
  OutputFiles,
  type OutputFilesOptions,
} from "./output_files.ts";
import { type BlockRun, blocksWithin } from "./pcapng_format.ts";

/** What to write, and when to begin the next file. */
export interface PcapngWriterOptions extends OutputFilesOptions {
  /** Largest size of a file, except that it has one packet at least; 0: no limit. */
  rotateBytes: number;
  /** Longest time from a file's begin to its last packet; 0: no limit. */
  rotateSeconds: number;
}

/** What surrounds the packets of every file. */
export interface Frame {
  head: Uint8Array<ArrayBuffer>;
  /** Makes the tail, as of now. */
  tail: () => Uint8Array<ArrayBuffer>;
  /** Its size, at most. */
  tailBytes: number;
}

/** Who is told what became of packets. */
export interface WriteCounter {
  /** Below 0: so many of those counted are not. */
  countWritten(packets: number, bytes: number): void;
  countUnwritten(packets: number, bytes: number): void;
}

/** A file that cannot be opened, written or removed: one sentence. */
export class WriteError extends Error {
  /** Always `WriteError`. */
  override readonly name = "WriteError";
}

const NO_RUN: BlockRun = { bytes: 0, packets: 0, packetBytes: 0 };

/** Writes pcapng files; it must be closed. */
export class PcapngWriter {
  /** Files begun so far. */
  files = 0;
  readonly #output: OutputFiles;
  #file: Deno.FsFile | undefined;
  #bytes = 0; // head and blocks
  #size = 0;
  #openedMs = 0;

  /**
   * Begins the first file: a single one replaces what is there, one of a row comes behind all that are.
   *
   * @throws {WriteError} where that cannot be.
   */
  constructor(readonly options: PcapngWriterOptions, readonly frame: Frame) {
    this.#output = new OutputFiles(options, options.rotateBytes > 0 || options.rotateSeconds > 0);
    this.#open();
  }

  /**
   * Writes whole blocks, `all` of them; the log is told which of their packets are in a file now, and which
   * never will be.
   *
   * @throws {WriteError} where it cannot; the file is then closed, and ends with a whole block.
   */
  write(blocks: Uint8Array<SharedArrayBuffer>, all: BlockRun, log: WriteCounter): void {
    const { rotateBytes, rotateSeconds } = this.options, left = { ...all };
    try {
      if (rotateSeconds > 0 && performance.now() - this.#openedMs >= rotateSeconds * 1000) {
        this.#rotate();
      }
      while (rotateBytes > 0 && this.#bytes + left.bytes + this.frame.tailBytes > rotateBytes) {
        let run = blocksWithin(blocks, rotateBytes - this.frame.tailBytes - this.#bytes);
        if (run.bytes === 0 && this.#isEmpty) run = firstBlock(blocks);
        this.#put(blocks.subarray(0, run.bytes), run, left, log);
        blocks = blocks.subarray(run.bytes);
        if (left.bytes === 0) return;
        this.#rotate();
      }
      this.#put(blocks, { ...left }, left, log);
    } finally {
      log.countUnwritten(left.packets, left.packetBytes);
    }
  }

  /**
   * Completes the file and closes it.
   *
   * @throws {WriteError} where it cannot.
   */
  close(): void {
    if (this.#file === undefined) return;
    const fault = this.#putTail();
    if (fault !== undefined) this.#fail(fault);
    this.#file.close();
    this.#file = undefined;
  }

  get #isEmpty(): boolean {
    return this.#bytes === this.frame.head.length;
  }

  #rotate(): void {
    if (this.#isEmpty) {
      this.#openedMs = performance.now();
      return;
    }
    const fault = this.#putTail();
    if (fault !== undefined) this.#fail(fault);
    this.#open();
  }

  /** Opens the next file, and only then closes the one before it: see output_files.ts. */
  #open(): void {
    const before = this.#file;
    try {
      this.#file = this.#output.open();
      before?.close();
      this.files++;
      this.#output.trim();
    } catch (error) {
      this.#fail(error);
    }
    this.#bytes = this.frame.head.length;
    this.#size = 0;
    this.#openedMs = performance.now();
    const fault = this.#writeAt(0, this.frame.head) ?? this.#putTail();
    if (fault === undefined) return;
    this.#cut(0);
    this.#fail(fault);
  }

  /** Writes a run of blocks, and takes what is in the file then off what is `left`. */
  #put(
    blocks: Uint8Array<SharedArrayBuffer>,
    all: BlockRun,
    left: BlockRun,
    log: WriteCounter,
  ): void {
    const before = this.#bytes;
    this.#cut(before);
    let fault = this.#writeAt(before, blocks), counted = NO_RUN, run = all;
    if (fault === undefined) {
      // The tail is to know of them; where it finds no room, some must make room for it.
      log.countWritten(all.packets, all.packetBytes);
      counted = all;
      fault = this.#writeAt(before + all.bytes, this.frame.tail());
    }
    if (fault !== undefined) run = blocksWithin(blocks, this.#size - before - this.frame.tailBytes);
    log.countWritten(run.packets - counted.packets, run.packetBytes - counted.packetBytes);
    left.bytes -= run.bytes;
    left.packets -= run.packets;
    left.packetBytes -= run.packetBytes;
    this.#bytes += run.bytes;
    if (fault === undefined) return;
    log.countUnwritten(left.packets, left.packetBytes);
    left.packets = left.packetBytes = 0;
    this.#putTail();
    this.#fail(fault);
  }

  /** Ends the file with a tail, or where there is no room for it without; returns the error it met, if any. */
  #putTail(): unknown {
    this.#cut(this.#bytes);
    const fault = this.#writeAt(this.#bytes, this.frame.tail());
    if (fault !== undefined) this.#cut(this.#bytes);
    return fault;
  }

  /** Writes; returns the error that it met, if any. */
  #writeAt(at: number, bytes: Uint8Array<ArrayBufferLike>): unknown {
    let done = 0;
    try {
      this.#file!.seekSync(at, Deno.SeekMode.Start);
      while (done < bytes.length) {
        done += this.#file!.writeSync(bytes.subarray(done) as Uint8Array<ArrayBuffer>);
      }
    } catch (error) {
      return error ?? new Error("unknown error");
    } finally {
      this.#size = Math.max(this.#size, at + done);
    }
  }

  #cut(bytes: number): void {
    if (this.#size <= bytes) return;
    try {
      this.#file!.truncateSync(bytes);
      this.#size = bytes;
    } catch { /* what cannot be cut off is no worse than the error that brought us here */ }
  }

  #fail(error: unknown): never {
    this.#file?.close();
    this.#file = undefined;
    const { name } = this.#output;
    throw new WriteError(`Cannot write "${name}": ${explain(error, this.options.file)}`);
  }
}

function firstBlock(blocks: Uint8Array): BlockRun {
  const bytes = new DataView(blocks.buffer, blocks.byteOffset).getUint32(4, true);
  return blocksWithin(blocks, bytes);
}

/** The state and the remedy of an error from the file system. */
function explain(error: unknown, file: string): string {
  const { code, message } = error as { code?: string; message: string };
  if (error instanceof Deno.errors.NotCapable) {
    return "Deno permits no writing there: choose an ordinary file outside /dev, /proc and /sys";
  }
  if (message === IS_INPUT) return `${message}: choose another name`;
  if (message === IN_USE) return `${message}: stop it, or choose another name`;
  switch (code) {
    case "ENOSPC":
      return "no space left on device: make room, or choose another disk";
    case "EDQUOT":
      return "disk quota exceeded: make room, or choose another disk";
    case "EFBIG":
      return "the file has reached its largest size: rotate files";
    case "ENOENT":
      return `no such directory: create "${directoryOf(file)}" first`;
    case "ENOTDIR":
      return `"${directoryOf(file)}" is no directory: choose another place`;
    case "EISDIR":
      return "it is a directory: give the name of a file";
    case "EACCES":
    case "EPERM":
      return "permission denied: choose a place that you may write to";
    case "ESPIPE":
      return "it is a pipe: give the name of a file";
    case "EROFS":
      return "the file system is read-only: choose another place";
  }
  return `${code ?? message}: see errno(3), or choose another place`;
}
