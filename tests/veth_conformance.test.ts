/**
 * Runs the conformance tests of the kinds that need an interface (tests/port_conformance.test.ts, and
 * port_survival.test.ts) in a namespace with a veth pair. Each of their tests is a step here.
 */
import { assert } from "@std/assert";
import { INTERFACE, noTestbed, Testbed } from "./testbed.ts";

const LIMIT_MS = 240_000;
const here = new URL(".", import.meta.url).pathname;

for (const symbol of ["XdpPort", "PacketPort"]) {
  for (const file of ["port_conformance", "port_survival"]) {
    Deno.test({
      name: `${symbol} does what every kind does: ${file}.test.ts between two ends of a veth pair${
        noTestbed ? ` (${noTestbed})` : ""
      }`,
      ignore: noTestbed !== undefined,
      fn: async (t) => {
        using testbed = Testbed.create({ together: true });
        const { left, right } = INTERFACE;
        const child = testbed.spawn("left", [
          Deno.execPath(),
          "test",
          "-q",
          "-P=test",
          "--no-check",
          `--filter=/^${symbol}/`,
          `${here}${file}.test.ts`,
        ], { env: { USPF_VETH: `${left},${right}`, NO_COLOR: "1" } });
        const timer = setTimeout(() => child.kill("SIGKILL"), LIMIT_MS);
        const { success, stdout, stderr } = await child.output();
        clearTimeout(timer);
        const text = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
        const names = [...text.matchAll(new RegExp(`^(${symbol} .*?) \\.\\.\\. (\\w+)`, "gm"))];
        for (const [, name, result] of names) {
          await t.step(name, () => assert(result === "ok", text));
        }
        assert(success && names.length > 0, text);
      },
    });
  }
}
