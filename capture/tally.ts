/**
 * Purpose: what one burst adds up to: a count for each verdict, then the bytes.
 *
 * The loops add to a tally; PacketCapture moves it into the counters after each burst and clears it, so
 * int32 is wide enough: a burst is at most 65536 packets.
 */
import { VERDICTS } from "../filter/verdict.ts";

/** Index of the bytes in a tally; before it stand the verdicts. */
export const TALLY_BYTES = VERDICTS;
/** Index of the slots that were no packet of their own: further pieces of a split packet. */
export const TALLY_PIECES = VERDICTS + 1;
/** Length of a tally. */
export const TALLY_LENGTH = VERDICTS + 2;
