import { assert, assertEquals, assertStringIncludes } from "@std/assert";

const root = new URL("..", import.meta.url).pathname;

async function deno(...args: string[]) {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args,
    cwd: root,
    stdin: "null",
    env: { NO_COLOR: "1" },
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

const task = (...args: string[]) => deno("run", "-q", "-P=bench", "bench/main.ts", ...args);

/** Benches by name. */
const names = [...Deno.readDirSync(`${root}bench`)].map(({ name }) => name)
  .filter((name) => name.endsWith(".bench.ts")).map((name) => name.slice(0, -".bench.ts".length));

Deno.test("bench compares in turn, prints a table a group, and its JSON says what was wanted", async () => {
  const { stdout, stderr } = await task("hot_loop", "--seconds", "0.05", "--json", "-");
  const { bench, command, results } = JSON.parse(stdout);
  assertEquals([bench, command], ["bench", "deno task bench hot_loop --seconds 0.05 --json -"]);
  assertEquals(Object.keys(results), ["hot_loop"]);
  for (const { group, unit, rounds, ways: [c, ours] } of results.hot_loop) {
    assertStringIncludes(stderr, group);
    assertEquals([unit, c.name, ours.name, c.ratio], ["packet", "C", "TypeScript", 1]);
    assert(rounds >= 7 && ours.ns >= ours.minNs && ours.ns <= ours.maxNs && ours.minNs > 0);
    assertStringIncludes(ours.wanted, "times");
  }
});

Deno.test("bench refuses what is no bench, in one line", async () => {
  const { code, stdout, stderr } = await task("hot_loop", "warp_drive");
  const line = `Cannot run bench "warp_drive": no such bench: see --help\n`;
  assertEquals([code, stdout, stderr], [2, "", line]);
});

Deno.test("bench --help names every bench", async () => {
  const { code, stdout } = await task("--help");
  assertEquals(code, 0);
  for (const name of names) assertStringIncludes(stdout, name);
});

Deno.test("deno bench runs a comparison, the baseline and the other way", async () => {
  const { code, stdout } = await deno(
    "bench",
    "-q",
    "-P=bench",
    "--json",
    "bench/overhead.bench.ts", // the quickest with two groups
  );
  assertEquals(code, 0);
  const groups = Map.groupBy<string, { group: string; name: string; baseline: boolean }>(
    JSON.parse(stdout.slice(stdout.indexOf("{"))).benches,
    ({ group }) => group,
  );
  assertEquals(groups.size, 2);
  for (const benches of groups.values()) {
    assertEquals(benches.map(({ baseline }) => baseline), [true, false]);
  }
});

Deno.test("deno bench without permissions lists every bench as skipped, and why", async () => {
  const { code, stderr } = await deno("bench", "-q", "--no-check", "bench");
  assertEquals(code, 0);
  const skipped = stderr.split("\n").filter((line) => line.startsWith("skipped: "));
  assert(skipped.length >= names.length, stderr);
  for (const line of skipped) assertStringIncludes(line, "run deno bench -P=bench");
});

Deno.test("the README's figures are those of bench/results", async () => {
  const { code, stderr } = await deno("run", "-q", "-P=bench", "bench/report/main.ts", "--check");
  assertEquals([code, stderr], [0, ""]);
});
