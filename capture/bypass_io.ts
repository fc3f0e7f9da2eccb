/**
 * Purpose: a port for those who want its packets themselves: bursts in and out.
 *
 * ```text
 *  const n = io.rx(256);                    packets 0 .. n of one ring:
 *  io.bytes, io.offsets[i], io.lengths[i]   read in place, until
 *  io.release();                            gives them back
 *
 *  io.tx(bytes, offset, length);            copied into the transmit ring
 *  io.flush();                              sent
 * ```
 * A packet is an offset and a length in shared memory, never an object.
 */
import { advance, bufferByte, RING, type Ring, SLOT_WORDS, slotsReady } from "../ffi/layout.ts";
import { openPort } from "../ffi/open_port.ts";
import { type Port, type PortOptions, RX, TX } from "../ffi/port.ts";
import { idle, IDLE_EVERY_MS, turn } from "../ffi/usage.ts";
import { offsetMask } from "./plain_loop.ts";

const MAX_BURST = 4096;
const SLICE_MS = 10; // after which the event loop turns, in `bursts`

/** How to open a port for bursts. */
export interface BypassOptions extends PortOptions {
  /** Whether to receive. */
  rx?: boolean;
  /** Whether to send. */
  tx?: boolean;
}

/** How `BypassIO.bursts` goes on. */
export interface BurstOptions {
  /** Packets of a burst at most, 1 to 4096; 256 by default. */
  max?: number;
  /** Ends it; see {@linkcode stopSignal} for that of Ctrl-C. */
  signal?: AbortSignal;
}

/**
 * Bursts of packets in and out of a port.
 *
 * @example Send through a pipe, and receive
 * ```ts
 * import { BypassIO } from "@uspf/uspf";
 *
 * using left = BypassIO.open("soft:doc_io{1"), right = BypassIO.open("soft:doc_io}1");
 * left.tx(new Uint8Array(60).fill(7));
 * left.flush();
 * const count = right.rx();
 * console.assert(count === 1 && right.lengths[0] === 60 && right.bytes[right.offsets[0]] === 7);
 * ```
 */
export class BypassIO {
  /** The memory that `offsets` index; valid until the next `rx` or `close`. */
  bytes: Uint8Array = new Uint8Array(0);
  /** Where each packet of the burst begins in `bytes`. */
  readonly offsets: Int32Array = new Int32Array(MAX_BURST);
  /** Bytes of each packet of the burst, from its Ethernet header on. */
  readonly lengths: Int32Array = new Int32Array(MAX_BURST);
  /** Transmissions that found the ring full. */
  full = 0;
  #ring: Ring | undefined;
  #taken = 0;
  #turn = 0;
  #txTurn = 0;

  /** Wraps an open port; `BypassIO.open` opens one by name. */
  constructor(readonly port: Port) {}

  /**
   * Opens a port, by default in both directions; a capture file to receive only.
   *
   * @throws {TypeError} for a name that is no port's.
   * @throws {PortError} where it cannot be opened.
   */
  static open(
    name: string,
    { rx = true, tx = !name.startsWith("pcap:"), ...options }: BypassOptions = {},
  ): BypassIO {
    return new BypassIO(openPort(name, (rx ? RX : 0) | (tx ? TX : 0), options));
  }

  /**
   * Syncs, and shows the next burst: up to `max` (4096 at most) packets of one receive ring, the rings in
   * turn. The burst before is released. Returns how many; 0 where none is there. A packet that lies in
   * several slots comes as its pieces, one after the other.
   *
   * @throws {RangeError} for a `max` that is no whole number from 1 on.
   * @throws {PortError} where the port fails.
   */
  rx(max = 256): number {
    if (!Number.isInteger(max) || max < 1) {
      throw new RangeError(`Cannot receive: at most ${max} packets: give a whole number from 1 on`);
    }
    this.release();
    this.port.rxSync();
    const rings = this.port.rx;
    for (let i = 0; i < rings.length; i++) {
      this.#turn = this.#turn + 1 < rings.length ? this.#turn + 1 : 0;
      const ready = slotsReady(rings[this.#turn]);
      if (ready > 0) return this.#show(rings[this.#turn], Math.min(ready, max, MAX_BURST));
    }
    return 0;
  }

  /**
   * The bursts of `rx` as they come, by their size; while there are none a 0 every 10 ms, after a sleep on the
   * port. So often, too, the event loop turns, for timers and signals. It ends when `signal` is aborted, and
   * when a capture file has been read to its end.
   *
   * @throws {RangeError} as `rx`.
   * @throws {PortError} where the port fails.
   *
   * @example Count for a tenth of a second
   * ```ts
   * import { BypassIO } from "@uspf/uspf";
   *
   * using io = BypassIO.open("soft:doc_bursts:1", { tx: false });
   * let packets = 0;
   * for await (const count of io.bursts({ signal: AbortSignal.timeout(100) })) packets += count;
   * ```
   */
  async *bursts({ max, signal }: BurstOptions = {}): AsyncGenerator<number, void> {
    let turnedAt = performance.now(), idleAt = turnedAt;
    while (!signal?.aborted) {
      const count = this.rx(max);
      if (count === 0) {
        if (this.port.ended) return;
        this.port.wait(RX, SLICE_MS * 1000);
      }
      yield count;
      const now = performance.now();
      if (now - turnedAt < SLICE_MS) continue;
      turnedAt = now;
      if (now - idleAt < IDLE_EVERY_MS) {
        await turn();
      } else {
        await idle();
        idleAt = now;
      }
    }
  }

  /** Gives the burst back; its memory is then the port's again. */
  release(): void {
    if (this.#ring !== undefined) advance(this.#ring, this.#taken);
    this.#ring = undefined;
    this.#taken = 0;
  }

  /**
   * Copies a packet into a transmit ring, to be sent by `flush`; `false` where all rings are full, or the
   * packet is larger than a buffer.
   *
   * @throws {RangeError} for bytes that are not in the array.
   */
  tx(bytes: Uint8Array, offset = 0, length: number = bytes.length - offset): boolean {
    if (!(offset >= 0 && length >= 0 && offset + length <= bytes.length)) {
      throw new RangeError(
        `Cannot send: ${length} bytes from ${offset} on of ${bytes.length}: stay inside the array`,
      );
    }
    const rings = this.port.tx;
    for (let i = 0; i < rings.length; i++) {
      const ring = rings[this.#txTurn];
      if (slotsReady(ring) > 0 && startOf(ring) + length <= ring.bufferBytes) {
        this.#put(ring, bytes, offset, length);
        return true;
      }
      this.#txTurn = this.#txTurn + 1 < rings.length ? this.#txTurn + 1 : 0;
    }
    this.full++;
    return false;
  }

  /**
   * Sends what `tx` put into the rings, as far as the port takes it now; the rest stays for the next time.
   *
   * @throws {PortError} where the port fails.
   */
  flush(): void {
    this.port.txSync();
  }

  /** Closes the port; `bytes` is detached then and reads as empty. */
  close(): void {
    this.release();
    this.port.close();
  }

  /** Closes it at the end of a block: `using io = BypassIO.open(name)`. */
  [Symbol.dispose](): void {
    this.close();
  }

  #show(ring: Ring, count: number): number {
    const { words, bufferBytes } = ring, head = words[ring.at + RING.head];
    const offsets = ring.hasOffsets ? offsetMask(ring) : 0;
    for (let i = 0; i < count; i++) {
      const slot = ring.slotsAt + (head + i) % ring.slotCount * SLOT_WORDS;
      const offset = (words[slot + 2] & offsets) >>> 0;
      this.offsets[i] = bufferByte(ring, slot) + offset;
      this.lengths[i] = Math.max(0, Math.min(words[slot + 1] & 0xffff, bufferBytes - offset));
    }
    this.#ring = ring;
    this.#taken = count;
    this.bytes = ring.bytes;
    return count;
  }

  #put(ring: Ring, bytes: Uint8Array, offset: number, length: number): void {
    const slot = ring.slotsAt + ring.words[ring.at + RING.head] * SLOT_WORDS;
    const at = bufferByte(ring, slot) + startOf(ring);
    for (let i = 0; i < length; i++) ring.bytes[at + i] = bytes[offset + i];
    ring.words[slot + 1] = length;
    advance(ring, 1);
  }
}

/** Where the next packet begins in its buffer. */
function startOf(ring: Ring): number {
  if (!ring.hasOffsets) return 0;
  const slot = ring.slotsAt + ring.words[ring.at + RING.head] * SLOT_WORDS;
  return (ring.words[slot + 2] & offsetMask(ring)) >>> 0;
}
