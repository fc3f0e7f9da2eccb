/**
 * Purpose: `deno task service`: prints a systemd unit for a capture. It opens nothing,
 * and reads nothing but what the build recorded, for --version.
 */
import { print, runCommand } from "../ffi/usage.ts";
import { describeVersion } from "../ffi/version.ts";
import { parseServiceOptions, SERVICE_HELP } from "./service_options.ts";
import { unitOf } from "./unit.ts";

function main(): Promise<number> {
  const options = parseServiceOptions(Deno.args);
  if (options === "help") print(SERVICE_HELP);
  else if (options === "version") print(describeVersion());
  else print(unitOf(options));
  return Promise.resolve(0);
}

await runCommand(main);
