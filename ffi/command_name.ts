/**
 * Purpose: what a command is called, for the texts that name it: a task in a checkout, a program in a release.
 */
import config from "../deno.json" with { type: "json" };

/** "deno task capture", or "uspf-capture" in a release: tasks are for developers, and not in its deno.json. */
export function commandName(task: "capture" | "send" | "doctor"): string {
  return "tasks" in config ? `deno task ${task}` : `uspf-${task}`;
}
