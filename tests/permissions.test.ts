import { assertEquals, assertNotEquals } from "@std/assert";

const root = new URL("..", import.meta.url).pathname;

async function probe(set: string, ...args: string[]): Promise<Record<string, string>> {
  const command = new Deno.Command(Deno.execPath(), {
    args: ["run", "-q", `-P=${set}`, "tests/permissions_probe.ts", ...args],
    cwd: root,
  });
  const { stdout, stderr } = await command.output();
  const text = new TextDecoder().decode(stdout).trim();
  assertNotEquals(text, "", new TextDecoder().decode(stderr));
  return JSON.parse(text);
}

/** Reading and writing files is what the commands may do until their threads run: for capture files. */
const ALLOWED: Record<string, string[]> = {
  capture: ["read a file of others", "write a file", "write into the program"],
  send: ["read a file of others"],
};

for (const set of ["capture", "send"]) {
  Deno.test(
    `deno task ${set} may load no other library, open no socket, run no program; ${
      ALLOWED[set].join(", ")
    } it may`,
    async () => {
      for (const [attempt, result] of Object.entries(await probe(set))) {
        assertEquals(result, ALLOWED[set].includes(attempt) ? "allowed" : "NotCapable", attempt);
      }
    },
  );
}

Deno.test("capture without --write gives writing up before it opens anything", async () => {
  for (const [attempt, result] of Object.entries(await probe("capture", "no-writing"))) {
    assertEquals(result, attempt === "read a file of others" ? "allowed" : "NotCapable", attempt);
  }
});

Deno.test("BackgroundCapture's thread may load no other library, open no socket, write no file, run no program", async () => {
  for (const [attempt, result] of Object.entries(await probe("capture", "worker"))) {
    assertEquals(result, "NotCapable", attempt);
  }
});

Deno.test("giveUpPermissions leaves the main isolate nothing, not even our own library", async () => {
  const results = await probe("capture", "given-up");
  assertEquals(Object.keys(results).length >= 10, true);
  for (const [attempt, result] of Object.entries(results)) {
    assertEquals(result, "NotCapable", attempt);
  }
});

Deno.test("deno.json gives capture and send neither network nor run, and no library but ours", () => {
  const { permissions } = JSON.parse(Deno.readTextFileSync(`${root}deno.json`));
  for (const set of ["capture", "send"]) {
    const { net, run, ffi } = permissions[set];
    assertEquals([net, run], [undefined, undefined]);
    assertEquals(ffi, ["./ffi/build/libuspf.so"]);
  }
});
