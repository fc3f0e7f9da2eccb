/**
 * Purpose: why a filter cannot run in the kernel, for a caller to run it in user space only.
 */

/** A filter that the kernel cannot run; `reason` says what of it. */
export class CannotPush extends Error {
  /** Always `CannotPush`. */
  override readonly name = "CannotPush";

  /** `reason` is a clause, as in `it reads the IPv4 checksum, which a udp port does not know`. */
  constructor(readonly reason: string) {
    super(`Cannot run the filter in the kernel: ${reason}: it runs in user space only`);
  }
}
