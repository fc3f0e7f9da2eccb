/** The test network itself. */

import { assert, assertEquals } from "@std/assert";
import { noTestbed, Testbed } from "./testbed.ts";

Deno.test({
  name: "Testbed.create removes what a killed program left, and nothing of one that lives" +
    (noTestbed ? ` (${noTestbed})` : ""),
  ignore: noTestbed !== undefined,
  fn: async () => {
    const living = Deno.pid, dead = await killedMaker();
    const mine = `uspf-test-${living}-999-l`, foreign = `uspf-else-${dead}`;
    try {
      for (const name of [mine, foreign]) await ip("netns", "add", name);
      const left = (await namespaces()).filter((name) => name.startsWith(`uspf-test-${dead}-`));
      assertEquals(left.length, 2);
      Testbed.create()[Symbol.dispose]();
      const names = await namespaces();
      assertEquals(names.filter((name) => left.includes(name)), []);
      assert(names.includes(mine) && names.includes(foreign), names.join());
    } finally {
      for (const name of [mine, foreign]) await ip("netns", "delete", name);
    }
  },
});

/** Makes a test network in another program, which is killed; returns its process id. */
async function killedMaker(): Promise<number> {
  const code = `const { Testbed } = await import(${JSON.stringify(TESTBED)}); Testbed.create(); ` +
    `Deno.kill(Deno.pid, "SIGKILL");`;
  const child = new Deno.Command(Deno.execPath(), { args: ["eval", code] }).spawn();
  assertEquals((await child.status).signal, "SIGKILL");
  return child.pid;
}

const TESTBED = new URL("testbed.ts", import.meta.url).href;

async function namespaces(): Promise<string[]> {
  return (await ip("netns", "list")).split("\n").map((line) => line.split(" ")[0]);
}

async function ip(...args: string[]): Promise<string> {
  const { success, stdout } = await new Deno.Command("ip", { args, stderr: "inherit" }).output();
  assert(success, args.join(" "));
  return new TextDecoder().decode(stdout);
}
