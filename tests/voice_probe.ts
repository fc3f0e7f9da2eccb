/**
 * Purpose: a command with bugs, for json_log.test.ts: what it is told to do first, then `--log`.
 */
import { voiceOf } from "../ffi/json_voice.ts";
import { runCommand } from "../ffi/usage.ts";
import { say } from "../ffi/voice.ts";

const BUGS: Record<string, () => unknown> = {
  "throw": () => {
    throw new TypeError("a bug", { cause: new Error("its cause") });
  },
  "reject": () => {
    Promise.reject(new RangeError("nobody caught it"));
    return new Promise((resolve) => setTimeout(resolve, 1000));
  },
  "timer": () => {
    setTimeout(() => {
      throw new RangeError("nobody caught it");
    }, 0);
    return new Promise((resolve) => setTimeout(resolve, 1000));
  },
  "big cause": () => {
    throw new TypeError("a bug", { cause: { count: 5n } });
  },
  "no error": () => Promise.reject("just text"),
  "console": () => {
    console.log("a %s of", "log", { a: 1 });
    console.warn("a warning of soft:x{1 and }");
    console.error(new Error("of a library"));
    console.table([{ a: 1 }]);
    console.dir({ a: 2 });
    console.count("counted");
    console.assert(false, "asserted");
    console.time("timed");
    console.timeEnd("timed");
    say("braces {like} these {{ stay }", { fields: { a: ["b\n"] } });
  },
};

await runCommand(async () => {
  await BUGS[Deno.args[0]]();
  return 0;
}, voiceOf(Deno.args, "probe"));
