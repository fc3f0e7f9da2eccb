/**
 * `--log json`: whatever happens, every line of standard error is an object, and nothing else is printed.
 */
import { assert, assertEquals, assertGreater, assertMatch } from "@std/assert";
import { finalOf, type Finished, run, start } from "./command.ts";

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const LEVELS = ["debug", "info", "warning", "error"];

// deno-lint-ignore no-explicit-any -- fields are looked at one by one
type Entry = Record<string, any>;

/** The lines of a log, each of which must be one. */
function entriesOf({ stderr }: Pick<Finished, "stderr">): Entry[] {
  if (stderr === "") return [];
  assert(stderr.endsWith("\n"), stderr);
  const entries = stderr.slice(0, -1).split("\n").map((line) => JSON.parse(line) as Entry);
  for (const { time, level, stage, message } of entries) {
    assertMatch(time, TIME);
    assert(LEVELS.includes(level), level);
    assertEquals([typeof stage, typeof message], ["string", "string"]);
  }
  return entries;
}

Deno.test("capture --log json says how it starts and, with every number, how it ends, and prints nothing", async () => {
  const before = new Date().toISOString();
  const finished = await run("capture", ["-r", "3", "--log", "json", "--metrics", "127.0.0.1:0"]);
  assertEquals([finished.code, finished.stdout], [0, ""]);
  const entries = entriesOf(finished), messages = entries.map(({ message }) => message);
  assertEquals(
    entries.map(({ level, stage }) => `${level} ${stage}`),
    Array(3).fill("info capture"),
  );
  assertMatch(messages[0], /^capturing from the built-in soft switch/);
  assertMatch(messages[1], /^metrics at http:\/\/127\.0\.0\.1:\d+\/metrics/);
  assertMatch(messages[2], /^captured \d+ packets in \d+\.\d+ s: /);
  const { statistics, time } = entries[2];
  assertEquals(statistics.received, statistics.accepted);
  assertGreater(statistics.received, 0);
  assertEquals(statistics.final, true);
  assert(time > before && time < new Date().toISOString());
});

Deno.test("capture --log json says the same beside --json, and only the end with --quiet", async () => {
  const both = await run("capture", ["-r", "2", "--log", "json", "--json"]);
  const entries = entriesOf(both);
  assertEquals([both.code, entries.length], [0, 2]);
  assertEquals(entries[1].statistics, finalOf(both));
  assert(both.stdout.trim().split("\n").every((line) => typeof JSON.parse(line).pps === "number"));
  const quiet = await run("capture", ["-r", "1", "--log=json", "--quiet"]);
  assertEquals(entriesOf(quiet).map(({ message }) => message.split(" ")[0]), ["captured"]);
});

Deno.test("capture --log json logs every stage with USPF_DEBUG=1, as JSON, too", async () => {
  const finished = await run("capture", ["-r", "2", "--log", "json"], { USPF_DEBUG: "1" });
  const stages = entriesOf(finished).filter(({ level }) => level === "debug").map((e) => e.stage);
  assertEquals([...new Set(stages)], ["capture", "filter", "ring", "engine"]);
  assertEquals(finished.stdout, "");
});

Deno.test("capture --log json ends with a summary when it is told to end", async () => {
  const capture = start("capture", ["-i", "soft:t_log{1", "--log", "json", "--json"]);
  await capture.shown("{");
  capture.process.kill("SIGTERM");
  const finished = await capture.finished, [first, last] = entriesOf(finished);
  assertEquals([finished.code, first.port], [0, "soft:t_log{1"]);
  assertMatch(last.message, /^captured 0 packets/);
});

for (
  const [args, code, message] of [
    [["--log", "json", "--frobnicate"], 2, /^Cannot use "--frobnicate": no such option/],
    [["--frobnicate", "--log=json"], 2, /^Cannot use "--frobnicate": no such option/],
    [["--log", "json", "--log", "text"], 2, /^Cannot use --log twice/],
    [["--log", "json", "-i", "frob:x"], 2, /^Cannot parse port name "frob:x"/],
    [["--log", "json", "-i", "udp:192.0.2.1:5001"], 1, /^Cannot open "udp:192.0.2.1:5001"/],
    [["--log", "json", "--metrics", "192.0.2.1:1"], 1, /^Cannot serve on "192.0.2.1:1"/],
    [["--log", "json", "-i", "pcap:/no/such"], 1, /^Cannot /],
    [["--log", "json", "--write", "/no/such"], 1, /^Cannot write "\/no\/such"/],
  ] as const
) {
  Deno.test(`capture ${args.join(" ")} fails in one JSON line and exits ${code}`, async () => {
    const finished = await run("capture", [...args]), entries = entriesOf(finished);
    assertEquals([finished.code, finished.stdout, entries.length], [code, "", 1], finished.stderr);
    assertEquals([entries[0].level, entries[0].exitCode], ["error", code]);
    assertMatch(entries[0].message, message);
  });
}

Deno.test("capture --log xml is refused as a usage error, in plain text", async () => {
  const { code, stderr } = await run("capture", ["--log", "xml"]);
  assertEquals([code, stderr], [
    2,
    'Cannot use --log "xml": no such way: choose text, json\n',
  ]);
});

Deno.test("capture --log json says that a file cannot be written any longer, goes on, and exits 1", async () => {
  const finished = await run("capture", ["-r", "2", "--log", "json", "--write", "/dev/full"]);
  const entries = entriesOf(finished);
  assertEquals([finished.code, finished.stdout], [1, ""]);
  assert(
    entries.some(({ level, message }) => level === "error" && message.startsWith("Cannot write")),
  );
});

for (const to of ["2>&-", "2>/dev/full", "2> >(exec true)"]) {
  Deno.test(`capture --log json goes on where nobody takes its log: ${to}`, async () => {
    const inside = (command: string[]) => [
      "bash",
      "-c",
      `${command.map((word) => `'${word}'`).join(" ")} ${to}`,
    ];
    const args = ["-r", "2", "--log", "json", "--json"];
    const finished = await start("capture", args, { USPF_DEBUG: "1" }, 30_000, inside).finished;
    assertEquals(finished.code, 0, finished.stderr);
    assertGreater(finalOf(finished).received, 0);
  });
}

Deno.test("send --log json says how it starts and ends, and prints nothing", async () => {
  const args = ["-i", "soft:t_sendlog:1", "-c", "1000", "--log", "json"];
  const finished = await run("send", args), [first, last, ...rest] = entriesOf(finished);
  assertEquals([finished.code, finished.stdout, rest], [0, "", []]);
  assertEquals([first.stage, first.port], ["send", "soft:t_sendlog:1"]);
  assertMatch(last.message, /^sent 1000 packets/);
  assertEquals(last.statistics.sent, 1000);
  const wrong = await run("send", ["--log", "json"]);
  assertEquals([wrong.code, wrong.stdout, entriesOf(wrong).length], [2, "", 1]);
});

/** A command that has a bug. */
async function bug(name: string, ...args: string[]): Promise<Finished> {
  const probe = new URL("voice_probe.ts", import.meta.url).pathname;
  const options = { args: ["run", "-q", probe, name, ...args], env: { NO_COLOR: "1" } };
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), options).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

for (
  const [name, message] of [
    ["throw", "a bug"],
    ["big cause", "a bug"],
    ["reject", "nobody caught it"],
    ["timer", "nobody caught it"],
    ["no error", "just text"],
  ]
) {
  Deno.test(`runCommand says a bug with its stack, as JSON where that is wanted: ${name}`, async () => {
    const json = await bug(name, "--log", "json"), [entry, ...rest] = entriesOf(json);
    assertEquals([json.code, json.stdout, rest], [1, "", []]);
    assertEquals([entry.level, entry.stage, entry.message], ["error", "probe", message]);
    if (name !== "no error") assertMatch(entry.stack, /Error: .*\n +at .*voice_probe\.ts/);
    if (name === "throw") assertMatch(entry.cause, /^Error: its cause\n +at /);
    const plain = await bug(name);
    assertEquals([plain.code, plain.stdout], [1, ""]);
    assert(plain.stderr.includes(message) && !plain.stderr.startsWith("{"), plain.stderr);
  });
}

Deno.test("voiceOf takes what libraries write to the console, and keeps braces", async () => {
  const finished = await bug("console", "--log", "json"), entries = entriesOf(finished);
  assertEquals([finished.code, finished.stdout], [0, ""]);
  assertEquals(entries.map(({ level, message }) => [level, message.split(/\n|: \d.*ms$/)[0]]), [
    ["info", "a log of { a: 1 }"],
    ["warning", "a warning of soft:x{1 and }"],
    ["error", "Error: of a library"],
    ["info", "┌─────────┬───┐"],
    ["info", "{ a: 2 }"],
    ["info", "counted: 1"],
    ["error", "Assertion failed: asserted"],
    ["info", "timed"],
    ["info", "braces {like} these {{ stay }"],
  ]);
  assertEquals(entries.at(-1)!.fields, { a: ["b\n"] });
});
