/**
 * Purpose: the plan that an AF_PACKET socket's filter runs: it may let through too much, never too little,
 * for all that comes is judged again.
 *
 * ```text
 *  on the wire       │ addresses │ 8100 tag │ 0800 │ ...      our packet: port shows it so again
 *  for the filter    │ addresses │ 0800 │ ...                 the tag is the kernel's own note
 * ```
 * So a packet with a tag is let through, and one of which the port will show less than there is.
 */
import { ACCEPT, type Plan } from "../plan/plan.ts";
import { acceptLonger, behindOne } from "./socket_plan.ts";
import { loadAt, number } from "../plan/tree.ts";
import { usesLength } from "../plan/uses_length.ts";

/** Where the kernel notes a tag: SKF_AD_OFF + SKF_AD_VLAN_TAG_PRESENT (linux/filter.h). */
const TAG_PRESENT = -0x1000 + 48;
/** A packet of up to so many bytes fits into a block of the port's ring, whatever stands before it. */
const SHOWN_BYTES = 65000;

/** What the filter of a packet: port's socket has to ask, for `toClassicBpf`. */
export function forPacketSocket(plan: Plan): Plan {
  const whole = usesLength(plan) ? acceptLonger(plan, SHOWN_BYTES) : plan;
  const { entry, blocks } = behindOne(whole);
  const untagged = { left: loadAt(TAG_PRESENT, 1), right: number(0), yes: entry, no: ACCEPT };
  return { entry: 0, blocks: [{ relation: "==", ...untagged }, ...blocks] };
}
