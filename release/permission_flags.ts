/**
 * Purpose: a permission set of deno.json as options of deno's command line.
 */
import type { PermissionSet } from "./stage.ts";

/**
 * The options; `library` takes the place of the native libraries that the set names: a program cannot say
 * "beside me", and a relative path would be one of the folder that it is started in.
 */
export function permissionFlags(set: PermissionSet, library: string): string[] {
  const flags = Object.entries({ ...set, ffi: [library] }).flatMap(flagOf);
  return ["--no-prompt", "--deny-import", ...flags];
}

function flagOf([name, allowed]: [string, boolean | string[]]): string[] {
  if (allowed === false) return [];
  if (allowed === true) return [`--allow-${name}`];
  return [`--allow-${name}=${allowed.join(",")}`];
}
