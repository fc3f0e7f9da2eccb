/**
 * Purpose: a finding: what is, why it matters, and the command that mends it.
 */

/** From the worst: no packet would come; packets or time are lost; worth knowing; as it should be. */
export const LEVELS = ["stops", "harms", "note", "ok"] as const;
/** How bad it is. */
export type Level = (typeof LEVELS)[number];

/** One thing that was looked at. */
export interface Finding {
  /** What it is about, for programs: `offloads.lro`. */
  id: string;
  level: Level;
  what: string;
  /** Empty where all is well. */
  why: string;
  /** Lines for a shell, as root where that is needed; what is no command is a comment. */
  remedy: string[];
}

/** No packet would come. */
export const stops = finding("stops");
/** Packets or time would be lost. */
export const harms = finding("harms");
/** Worth knowing. */
export const note = finding("note");

/** As it should be. */
export function ok(id: string, what: string): Finding {
  return { id, level: "ok", what, why: "", remedy: [] };
}

function finding(level: Level) {
  return (id: string, what: string, why: string, ...remedy: string[]): Finding => ({
    id,
    level,
    what,
    why,
    remedy,
  });
}
