/**
 * Purpose: what the parts of the live view have in common.
 */
import type { Glyphs } from "./glyphs.ts";
import type { Recent } from "./history.ts";
import type { Line } from "./line.ts";

/** What does not change while a capture runs. */
export interface ViewSetup {
  /** What is captured from, for people. */
  from: string;
  /** Packets that the port's receive rings can hold, 0 where that is not known. */
  slots: number;
  /** Whether the terminal shows more than ASCII. */
  unicode: boolean;
}

/** What a section is made from. */
export interface Sight extends Recent {
  setup: ViewSetup;
  glyphs: Glyphs;
  /** The room from left to right. */
  columns: number;
}

/**
 * A part of the view, in more and more detail; the first is nothing. How many lines a level has does not
 * depend on what was counted, so that nothing jumps.
 */
export type Section = readonly (readonly Line[])[];
