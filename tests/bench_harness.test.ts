import { assertEquals, assertRejects } from "@std/assert";
import { Child, ChildError } from "../bench/harness/child.ts";
import { coreDistanceNs } from "../bench/harness/core_distance.ts";
import { median } from "../bench/harness/numbers.ts";
import { stolenFrom, waitedBy, waitedOn } from "../bench/harness/taken.ts";
import { hasHeader } from "../bench/harness/yardstick.ts";
import { allowedCores } from "../ffi/host.ts";

const build = new URL("../ffi/build", import.meta.url).pathname;

/** Calls `use` with a program that runs `source`; within the project, where its deno.json holds. */
async function withProgram(source: string, use: (file: string) => Promise<void>): Promise<void> {
  const file = Deno.makeTempFileSync({ dir: build, suffix: ".js" });
  try {
    Deno.writeTextFileSync(file, source);
    await use(file);
  } finally {
    Deno.removeSync(file);
  }
}

Deno.test("Child gives each line as another follows, and the last one at its end", async () => {
  const source = `console.log("ready\\none\\n\\ntwo");
    setTimeout(() => console.log('three\\n{"sum":3}'), 50);`;
  await withProgram(source, async (file) => {
    const child = new Child(file, [], { timeoutMs: 20_000 }), lines: string[] = [];
    await child.ready();
    assertEquals(await child.lastLine((...line) => lines.push(...line)), `{"sum":3}`);
    assertEquals(lines.filter((line) => line !== ""), ["ready", "one", "two", "three"]);
  });
});

Deno.test("Child that takes too long is killed, and its error says so", async () => {
  await withProgram("setInterval(() => {}, 1000);", async (file) => {
    const child = new Child(file, [], { timeoutMs: 300 });
    await assertRejects(() => child.result(), ChildError, "failed: it took too long: ");
  });
});

Deno.test("median: of none, of one, of an odd and of an even number", () => {
  assertEquals([[], [7], [9, 1, 2], [4, 1, 3, 100]].map(median), [NaN, 7, 2, 3.5]);
});

Deno.test("coreDistanceNs of a core to itself is 0, and takes no time", () => {
  const [core] = allowedCores(), start = performance.now();
  assertEquals(coreDistanceNs(core, core), 0);
  assertEquals(performance.now() - start < 1000, true);
});

Deno.test("stolenFrom and waitedBy: nothing of no cores, and of a thread that is not there", () => {
  assertEquals([stolenFrom([]), waitedBy("none"), waitedOn([])], [0, 0, 0]);
});

Deno.test("hasHeader: of the C library's, and of one that is nowhere", () => {
  assertEquals([hasHeader("stdint.h"), hasHeader("uspf/nowhere.h")], [true, false]);
});
