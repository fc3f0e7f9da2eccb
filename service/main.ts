/**
 * Purpose: `deno task service`: prints a systemd unit for a capture. It opens nothing and needs no permission.
 */
import { print, runCommand } from "../ffi/usage.ts";
import { VERSION } from "../ffi/version.ts";
import { parseServiceOptions, SERVICE_HELP } from "./service_options.ts";
import { unitOf } from "./unit.ts";

function main(): Promise<number> {
  const options = parseServiceOptions(Deno.args);
  if (options === "help") print(SERVICE_HELP);
  else if (options === "version") print(`uspf ${VERSION}`);
  else print(unitOf(options));
  return Promise.resolve(0);
}

await runCommand(main);
