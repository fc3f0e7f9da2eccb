/**
 * Purpose: why an expression that is fine for user space cannot run in the kernel.
 */

/** An expression that has no program for the kernel; user space can judge by it all the same. */
export class CannotPush extends Error {
  /** Always `CannotPush`. */
  override readonly name = "CannotPush";
  /** What stands against it, to be shown by itself. */
  readonly state: string;

  /** `state` says what stands against it, `remedy` what to do. */
  constructor(state: string, remedy = "shorten the expression, or filter in user space alone") {
    super(`Cannot push the filter into the kernel: ${state}: ${remedy}`);
    this.state = state;
  }
}
