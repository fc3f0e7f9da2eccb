/**
 * Purpose: is the native library there? Without it nothing can be captured, nor asked of the kernel.
 */
import { libraryFile } from "../../ffi/library.ts";
import { type Finding, ok, stops } from "../finding.ts";

/** Loads it. */
export function checkLibrary(): Finding {
  try {
    return ok("library", `Deno ${Deno.version.deno}, native library ${libraryFile().path}`);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return stops(
      "library",
      "the native library does not load",
      error.message,
      hasSources() ? "deno task build" : "# unpack the archive again, or install the program again",
    );
  }
}

/** What was released has the library alone, and no tasks. */
function hasSources(): boolean {
  try {
    return Deno.statSync(new URL("../../ffi/uspf.h", import.meta.url)).isFile;
  } catch {
    return false;
  }
}
