/**
 * Purpose: what the pipeline can say of a packet. Every packet gets exactly one verdict, so that
 * `received = accepted + rejected + malformed` holds by counting.
 */

/** Verdicts, as indices into a tally. Rejected: well formed, but not wanted. Malformed: not what it says. */
export const VERDICT = {
  accepted: 0,
  notIpv4: 1,
  notUdp: 2,
  address: 3,
  port: 4,
  length: 5,
  expression: 6,
  truncated: 7,
  badHeader: 8,
  fragment: 9,
  badUdpLength: 10,
  badTick: 11,
  split: 12,
} as const;

/** Number of verdicts. */
export const VERDICTS = 13;

/** Causes of rejection. */
export const REJECTED = ["notIpv4", "notUdp", "address", "port", "length", "expression"] as const;

/**
 * Causes of malformation. `fragment`: an IPv4 fragment; `split`: a packet over several buffers of its
 * ring; `badTick`: a payload that is no tick.
 */
export const MALFORMED = [
  "truncated",
  "badHeader",
  "fragment",
  "badUdpLength",
  "badTick",
  "split",
] as const;
