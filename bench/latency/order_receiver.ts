/**
 * Purpose: the generator's other half: takes orders off the wire and records how long ago the ticks were sent
 * that they answer.
 */
import { PacketCapture } from "../../capture/packet_capture.ts";
import { INSTRUMENT_WORD, PRICE_WORD, QUANTITY_WORD, RECORD_SHIFT } from "../../engine/tick.ts";
import { RECORDS_WORD, TickRing } from "../../engine/tick_ring.ts";
import type { Port, Wanted } from "../../ffi/port.ts";
import { PacketFilter } from "../../filter/packet_filter.ts";
import { beatsOf, beatsSince, type Records } from "./stamp.ts";

const CAPACITY = 1024;

/** Receives orders, through a capture of its own: whatever kind of port, they are read as ticks are. */
export class OrderReceiver {
  readonly #port: Port;
  readonly #capture: PacketCapture;
  readonly #orders = TickRing.create(CAPACITY);
  readonly #records: Records;

  /** The caller closes the port. */
  constructor(port: Port, wanted: Wanted, records: Records) {
    this.#port = port;
    this.#records = records;
    const filter = new PacketFilter(wanted);
    this.#capture = new PacketCapture({ port, filter, ticks: this.#orders });
  }

  /** Has V8 compile its loop. */
  warmUp(): void {
    this.#port.rxSync();
    this.#capture.warmUp();
  }

  /** To be called before the first step. */
  begin(): void {
    this.#capture.begin();
  }

  /** Takes what has come; returns how many. */
  step(): number {
    if (this.#capture.pump() === 0) return 0;
    const orders = this.#orders, count = orders.take(CAPACITY), now = this.#port.clock();
    const { words, head, mask } = orders;
    for (let i = 0; i < count; i++) {
      const word = RECORDS_WORD + ((head + i & mask) << RECORD_SHIFT);
      const late = beatsOf(words[word + QUANTITY_WORD]);
      this.#records.add(
        words[word + INSTRUMENT_WORD],
        beatsSince(words[word + PRICE_WORD], now),
        late,
      );
    }
    orders.release(count);
    return count;
  }
}
