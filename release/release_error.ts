/**
 * Purpose: what keeps a release from being made; one line for people.
 */

/** An expected failure. */
export class ReleaseError extends Error {
  /** Always `ReleaseError`. */
  override readonly name = "ReleaseError";
  /** What runCommand looks at. */
  readonly expected = true;
}
