/**
 * Purpose: runs the programs that a release is made with.
 */
import { stripVTControlCharacters } from "node:util";
import { ReleaseError } from "./release_error.ts";

/** What a program printed. */
export interface Printed {
  success: boolean;
  stdout: string;
  stderr: string;
}

/** Runs a program to its end, or to `limitMs`. `undefined`: there is no such program. */
export async function tryProgram(
  [program, ...args]: readonly string[],
  { limitMs, ...options }: Deno.CommandOptions & { limitMs?: number } = {},
): Promise<Printed | undefined> {
  const signal = limitMs === undefined ? undefined : AbortSignal.timeout(limitMs);
  try {
    const command = new Deno.Command(program, {
      args: [...args],
      signal,
      stdin: "null",
      ...options,
      env: { NO_COLOR: "1", ...options.env },
    });
    const { success, stdout, stderr } = await command.output();
    const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    return { success, stdout: text(stdout), stderr: text(stderr) };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/**
 * Runs a program that must succeed; returns what it printed.
 *
 * @throws {ReleaseError} if it does not.
 */
export async function runProgram(
  purpose: string,
  command: readonly string[],
  options: Deno.CommandOptions = {},
): Promise<string> {
  const printed = await tryProgram(command, options);
  if (printed?.success) return printed.stdout;
  const state = printed === undefined ? "there is none" : `failed: ${complaint(printed.stderr)}`;
  throw new ReleaseError(`Cannot ${purpose}: ${command[0]}: ${state}`);
}

/** What is wrong, in one line of what a program printed; Deno has causes and a backtrace behind it. */
export function complaint(stderr: string): string {
  const text = stripVTControlCharacters(stderr).trim(), lines = text.split("\n");
  const line = lines.find((line) => line.startsWith("error: ")) ?? lines[0];
  const causes = /^Caused by:\n((?: +.+\n?)+)/m.exec(text)?.[1].trimEnd().split("\n");
  const cause = causes?.at(-1)?.replace(/^ +(\d+: )?/, ": ") ?? "";
  return line.trim().replace(/^error: /, "") + cause;
}
