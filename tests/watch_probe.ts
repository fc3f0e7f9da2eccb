/**
 * Purpose: takes the terminal as `--watch` does, says something, and ends as it is told; run by
 * watch_command.test.ts.
 */
import { Terminal } from "../capture/monitor/watch/terminal.ts";
import { HeldMessages } from "../capture/monitor/watch/held_messages.ts";

const terminal = new Terminal({ onChange() {}, onKey() {} });
const messages = new HeldMessages();
terminal.enter();
addEventListener("unload", () => messages.release());
messages.hold();
console.error("said meanwhile");
terminal.write("\x1b[1;1Hdrawn");
const ways: Record<string, () => void> = {
  exit: () => Deno.exit(3),
  throw: () => {
    throw new Error("a bug");
  },
  reject: () => void Promise.reject(new Error("a bug")),
};
setTimeout(ways[Deno.args[0]], 300);
