/**
 * Purpose: a capture file as a port. It is read, and synced, by TypeScript alone.
 *
 * ```text
 *  region  │ rx ring, 1024 slots │ scratch ring │ window over the file             │ spare │
 *                └─ buf_idx ────────────────────▶ packet, where it was read
 * ```
 * A sync that finds all slots released parses the next packets of the window into slots; once the window
 * has no whole packet left, it reads on. With a speed, packets are shown only when they are due. Opening
 * standard input or a named pipe blocks until the file's header has come; after that no sync blocks.
 */
import { openCaptureFile } from "./capture_file.ts";
import { type CaptureFile, MAX_RECORD_BYTES } from "./capture_record.ts";
import { commandName } from "./command_name.ts";
import { type ByteSource, FileWindow, HEADROOM_BYTES } from "./file_window.ts";
import { RING, type Ring, ringAt, SLOT_WORDS } from "./layout.ts";
import { type Library, loadLibrary } from "./library.ts";
import { openBytes, readError } from "./open_bytes.ts";
import { packetsReady, type Port, type PortCounts, type PortOptions, RX, TX } from "./port.ts";
import { PortError } from "./port_error.ts";

const SLOTS = 1024, MASK = SLOTS - 1, BATCH = SLOTS - 1;
const CHUNK_BYTES = 256 * 1024;
const SPARE_BYTES = 256; // behind the window: a packet is read by whole words, and a few ahead
/** The scratch ring's buffers hold the largest packet that a filter can want. */
const SCRATCH_SLOTS = 64, SCRATCH_BUFFER_BYTES = 1536;
const RING_BYTES = RING.slots * 4, SLOT_BYTES = SLOT_WORDS * 4;
const SCRATCH_AT = RING_BYTES + SLOTS * SLOT_BYTES;
const SCRATCH_BUFFERS = SCRATCH_AT + RING_BYTES + SCRATCH_SLOTS * SLOT_BYTES;
const WINDOW_AT = SCRATCH_BUFFERS + SCRATCH_SLOTS * SCRATCH_BUFFER_BYTES;
const STRIDE_BYTES = 4;

/** How a file is replayed. */
interface Replay {
  speed: number;
  passes: number;
  chunkBytes: number;
}

/** A capture file: `pcap:FILE`, or standard input: `pcap:-`. */
export class PcapPort implements Port {
  readonly mode: string;
  readonly patient = true;
  readonly rx: readonly Ring[];
  readonly tx: readonly Ring[] = [];
  readonly scratch: Ring;
  readonly #library: Library = loadLibrary();
  readonly #words: Int32Array;
  readonly #source: ByteSource;
  readonly #window: FileWindow;
  readonly #speed: number;
  #file: CaptureFile;
  #passesLeft: number;
  #filled = 0;
  #over = false;
  #open = true;
  /** When the first sync was, by performance.now(). */
  #startMs = -1;
  /** Of this pass: whether it had a packet, when its first was, and its last so far, in the file's time. */
  #hasPackets = false;
  #firstSecond = 0;
  #firstNanosecond = 0;
  #lastS = 0;
  /** The file's time that the passes before took. */
  #passedS = 0;

  private constructor(
    readonly name: string,
    readonly source: string,
    bytes: ByteSource,
    replay: Replay,
  ) {
    const windowEnd = WINDOW_AT + HEADROOM_BYTES + 4 + replay.chunkBytes + MAX_RECORD_BYTES & ~3;
    const words = new Int32Array((windowEnd + SPARE_BYTES) / 4);
    this.#words = words;
    this.rx = [
      layRing(words, 0, {
        slots: SLOTS,
        buffers: WINDOW_AT,
        bufferBytes: 65535,
        tail: 0,
        originals: new Int32Array(SLOTS),
      }),
    ];
    this.scratch = layRing(words, SCRATCH_AT, {
      slots: SCRATCH_SLOTS,
      buffers: SCRATCH_BUFFERS,
      bufferBytes: SCRATCH_BUFFER_BYTES,
      tail: SCRATCH_SLOTS - 1,
    });
    this.#source = bytes;
    const region = new Uint8Array(words.buffer);
    this.#window = new FileWindow(
      source,
      words,
      region,
      bytes,
      WINDOW_AT,
      windowEnd,
      replay.chunkBytes,
    );
    this.#speed = replay.speed;
    this.#passesLeft = replay.passes === 0 ? Infinity : replay.passes;
    this.#file = this.#begin();
    this.mode = this.#file.mode;
  }

  /**
   * Opens a file to be read; `chunkBytes` is how much is read at a time.
   *
   * @throws {RangeError} for a speed below 0, or a number of passes that is none.
   * @throws {PortError} where the file cannot be opened, or is none that can be read.
   */
  static open(
    text: string,
    file: string,
    directions: number,
    options: PortOptions,
    chunkBytes: number = CHUNK_BYTES,
  ): Port {
    const { speed = 0, loop = 1 } = options;
    checkReplay(text, speed, loop);
    if ((directions & TX) !== 0) {
      throw new PortError(
        `Cannot open "${text}": a capture file is only read: open it to receive alone, ` +
          `or write one with "${commandName("capture")} --write ${file === "-" ? "FILE" : file}"`,
        "EBADF",
      );
    }
    const bytes = openBytes(text, file, loop !== 1);
    try {
      return new PcapPort(text, file, bytes, { speed, passes: loop, chunkBytes });
    } catch (error) {
      bytes.close();
      throw error;
    }
  }

  get ended(): boolean {
    return this.#over && this.#words[this.rx[0].at + RING.head] === this.#filled;
  }

  rxSync(): number {
    const words = this.#words, at = this.rx[0].at, head = words[at + RING.head];
    if (head === this.#filled && !this.#over) this.#fill(head);
    words[at + RING.tail] = this.#speed === 0 ? this.#filled : this.#due(words[at + RING.tail]);
    return this.#library.uspf_clock();
  }

  txSync(): number {
    return this.#library.uspf_clock();
  }

  clock(): number {
    return this.#library.uspf_clock();
  }

  /** Sleeps until the next packet is due; without a speed not at all, until the file has ended. */
  wait(directions: number, timeoutUs: number): void {
    if ((directions & RX) !== 0 && packetsReady(this) > 0) return;
    let us = timeoutUs < 0 ? Infinity : timeoutUs;
    if (!this.#over) {
      const tail = this.#words[this.rx[0].at + RING.tail];
      if (this.#speed === 0 || tail === this.#filled) {
        this.#source.ready?.(us === Infinity ? -1 : us);
        return;
      }
      const dueMs = (this.#passedS + this.#slotS(tail)) * 1000 / this.#speed;
      us = Math.min(us, (this.#startMs + dueMs - performance.now()) * 1000);
    }
    if (us > 0 && us !== Infinity) this.#library.uspf_sleep_ns(us * 1000);
  }

  /** All 0: a file waits, and there is no kernel that could find no buffer, or turn anything away. */
  counts(): PortCounts {
    return { lost: 0, starved: 0, rejectedEarly: 0 };
  }

  lost(): number {
    return 0;
  }

  starved(): number {
    return 0;
  }

  rejectedEarly(): number {
    return 0;
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    (this.#words.buffer as ArrayBuffer).transfer(0);
    this.#source.close();
  }

  /** Reads the file's header, at its beginning. */
  #begin(): CaptureFile {
    const opened = this.#reading(() => openCaptureFile(this.#window, this.rx[0]));
    if (typeof opened === "string") throw this.#unreadable(opened);
    return opened;
  }

  /** Fills slots from `head` on, which are all free; reads on as often as it must. */
  #fill(head: number): void {
    for (;;) {
      const taken = this.#file.take(head, BATCH);
      if (taken > 0) {
        this.#filled = head + taken & MASK;
        if (!this.#hasPackets) this.#noteFirst(head);
        return;
      }
      const { failure } = this.#file;
      if (failure === undefined && this.#source.ready?.(0) === false) return;
      if (failure === undefined && this.#reading(() => this.#window.refill())) continue;
      const state = this.#file.failure ?? this.#file.cutOff();
      if (state !== undefined) throw this.#unreadable(state);
      if (!this.#nextPass()) {
        this.#over = true;
        return;
      }
    }
  }

  #noteFirst(slot: number): void {
    const word = this.rx[0].slotsAt + slot * SLOT_WORDS;
    this.#firstSecond = this.#words[word + 2] >>> 0;
    this.#firstNanosecond = this.#words[word + 3];
    this.#hasPackets = true;
  }

  /** A pass without a packet is the last one: without end it would never end. */
  #nextPass(): boolean {
    if (!this.#hasPackets || --this.#passesLeft <= 0) return false;
    this.#hasPackets = false;
    this.#passedS += this.#lastS;
    this.#lastS = 0;
    this.#reading(() => this.#window.rewind());
    this.#file = this.#begin();
    return true;
  }

  /** The tail, moved on over the packets that are due. */
  #due(tail: number): number {
    const now = performance.now();
    if (this.#startMs < 0) this.#startMs = now;
    const elapsedS = (now - this.#startMs) / 1000 * this.#speed - this.#passedS;
    while (tail !== this.#filled) {
      const packetS = this.#slotS(tail);
      if (packetS > elapsedS) break;
      if (packetS > this.#lastS) this.#lastS = packetS;
      tail = tail + 1 & MASK;
    }
    return tail;
  }

  /** Seconds from the pass's first packet to that of a slot. */
  #slotS(slot: number): number {
    const word = this.rx[0].slotsAt + slot * SLOT_WORDS;
    return (this.#words[word + 2] >>> 0) - this.#firstSecond +
      (this.#words[word + 3] - this.#firstNanosecond) * 1e-9;
  }

  #reading<T>(read: () => T): T {
    try {
      return read();
    } catch (error) {
      this.#over = true;
      throw readError(this.source, error);
    }
  }

  #unreadable(state: string): PortError {
    this.#over = true;
    return new PortError(`Cannot read "${this.source}": ${state}`, "EBADMSG");
  }
}

function layRing(
  words: Int32Array,
  offset: number,
  { slots, buffers, bufferBytes, tail, originals }: {
    slots: number;
    buffers: number;
    bufferBytes: number;
    tail: number;
    originals?: Int32Array;
  },
): Ring {
  const at = offset / 4;
  words[at + RING.bufOfs] = buffers - offset;
  words[at + RING.numSlots] = slots;
  words[at + RING.bufSize] = bufferBytes;
  words[at + RING.tail] = tail;
  for (let i = 0; i < slots; i++) {
    words[at + RING.slots + i * SLOT_WORDS] = i * SCRATCH_BUFFER_BYTES / STRIDE_BYTES;
  }
  return ringAt(words, offset, { strideBytes: STRIDE_BYTES, hasTimes: true, originals });
}

function checkReplay(text: string, speed: number, loop: number): void {
  if (!(speed >= 0 && speed < Infinity)) {
    throw new RangeError(
      `Cannot open "${text}": speed is ${speed}: give a number from 0 on, where 0 is as fast as it goes`,
    );
  }
  if (!(Number.isSafeInteger(loop) && loop >= 0)) {
    throw new RangeError(
      `Cannot open "${text}": loop is ${loop}: give a whole number from 0 on, where 0 is without end`,
    );
  }
}
