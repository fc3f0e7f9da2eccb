/**
 * Purpose: the version of the program, as in deno.json, and the commit, as the build recorded it.
 */
import config from "../deno.json" with { type: "json" };
import { LIBRARY_NAME, readRecord, recordPath } from "./library_record.ts";

const SHOWN_DIGITS = 10; // of a commit

/** The version, such as "0.1.0". */
export const VERSION: string = config.version;

/** For `--version`: "uspf 0.1.0 (commit abc1234def)"; without the commit where none is recorded. */
export function describeVersion(): string {
  const commit = recordedCommit();
  return `uspf ${VERSION}` + (commit ? ` (commit ${commit.slice(0, SHOWN_DIGITS)})` : "");
}

/** What the build of this code recorded; of another version's it would be a lie. */
export function recordedCommit(): string | null | undefined {
  const here = import.meta.dirname; // code that was fetched has none, and no record
  if (here === undefined) return undefined;
  const library = `${here}/build/${LIBRARY_NAME}`;
  const permission = { name: "read", path: recordPath(library) } as const;
  if (Deno.permissions.querySync(permission).state !== "granted") return undefined;
  const record = readRecord(library);
  return record?.version === VERSION ? record.commit : undefined;
}
