/**
 * Purpose: ports whose receive ring is full at every sync, with the packets that were laid there once.
 */
import { FakePort } from "../../ffi/fake_port.ts";
import { type Library, loadLibrary } from "../../ffi/library.ts";

/** Reads no clock. */
export class FullPort extends FakePort {
  override rxSync(): number {
    this.refill();
    return super.rxSync();
  }
}

/** Reads the clock as real ports do. */
export class TimedPort extends FullPort {
  readonly #library: Library = loadLibrary();

  override rxSync(): number {
    super.rxSync();
    return this.#library.uspf_clock();
  }

  override clock(): number {
    return this.#library.uspf_clock();
  }
}
