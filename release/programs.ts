/**
 * Purpose: which programs are released. What each of them needs is found in its modules, see
 * `module_graph.ts`.
 */

/** A command, as users of a release know it. */
export interface Program {
  /** Name of the file. */
  name: string;
  /** The module that it runs. */
  main: string;
  /** Its permission set in deno.json. */
  permissions: string;
}

/** All of them. */
export const PROGRAMS: readonly Program[] = [
  { name: "uspf-capture", main: "capture/main.ts", permissions: "capture" },
  { name: "uspf-send", main: "sender/main.ts", permissions: "send" },
  { name: "uspf-doctor", main: "doctor/main.ts", permissions: "doctor" },
];

/** Their names, as in a sentence. */
export function programNames(): string {
  const names = PROGRAMS.map(({ name }) => name);
  return `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}
