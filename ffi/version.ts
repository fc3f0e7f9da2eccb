/**
 * Purpose: the version of the program, as in deno.json.
 */
import config from "../deno.json" with { type: "json" };

/** The version, such as "0.1.0". */
export const VERSION: string = config.version;
