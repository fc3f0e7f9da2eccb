import { assertEquals, assertNotEquals } from "@std/assert";

const root = new URL("..", import.meta.url).pathname;

async function probe(set: string, ...args: string[]): Promise<Record<string, string>> {
  const command = new Deno.Command(Deno.execPath(), {
    args: ["run", "-q", `-P=${set}`, "tests/permissions_probe.ts", ...args, `${freePort()}`],
    cwd: root,
  });
  const { stdout, stderr } = await command.output();
  const text = new TextDecoder().decode(stdout).trim();
  assertNotEquals(text, "", new TextDecoder().decode(stderr));
  return JSON.parse(text);
}

/** A port that nobody listens on. */
function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return (listener.addr as Deno.NetAddr).port;
}

const READING = ["read a file of others"];
const WRITING = ["write a file", "write into the program"];
/** Where it may connect to this machine, nobody listens. */
const NETWORK = [
  "listen on this machine's address",
  "listen on the address that --metrics names",
  "connect to this machine",
];
/** Reading and writing files, and this machine's addresses, are the commands' until their threads run. */
const ALLOWED: Record<string, string[]> = {
  capture: [...READING, ...WRITING, ...NETWORK],
  send: READING,
};

function assertAllowed(results: Record<string, string>, allowed: string[]): void {
  assertEquals(allowed.every((attempt) => attempt in results), true);
  for (const [attempt, result] of Object.entries(results)) {
    const may = attempt.startsWith("connect") ? "ConnectionRefused" : "allowed";
    assertEquals(result, allowed.includes(attempt) ? may : "NotCapable", attempt);
  }
}

for (const set of ["capture", "send"]) {
  Deno.test(
    `deno task ${set} may load no other library, reach no other machine, run no program; ${
      ALLOWED[set].join(", ")
    } it may`,
    async () => assertAllowed(await probe(set), ALLOWED[set]),
  );
}

Deno.test("capture without --write gives writing up before it opens anything", async () => {
  assertAllowed(await probe("capture", "no-writing"), [...READING, ...NETWORK]);
});

Deno.test("capture without --metrics and --dashboard gives the network up before it opens anything", async () => {
  assertAllowed(await probe("capture", "no-network"), [...READING, ...WRITING]);
  const main = Deno.readTextFileSync(`${root}capture/main.ts`);
  const at = (call: string) => main.indexOf(`${call}(`);
  assertEquals(at("await giveUpUnneeded") > 0, true);
  assertEquals(at("await giveUpUnneeded") < at("OpenCapture.open"), true);
});

Deno.test("WebServer's thread may listen on the address that was named, and nothing else", async () => {
  assertAllowed(await probe("capture", "web thread"), [
    "listen on the address that --metrics names",
  ]);
});

for (const thread of ["capture", "sender", "writer"]) {
  Deno.test(`the ${thread} thread may load no other library, open no socket, write no file of others, run no program`, async () => {
    const results = await probe("capture", `${thread} thread`);
    assertEquals(Object.keys(results).length >= 10, true);
    assertAllowed(results, []);
  });
}

Deno.test("giveUpPermissions leaves the main isolate nothing, not even our own library", async () => {
  const results = await probe("capture", "given-up");
  assertEquals(Object.keys(results).length >= 10, true);
  for (const [attempt, result] of Object.entries(results)) {
    assertEquals(result, "NotCapable", attempt);
  }
});

Deno.test("deno.json gives capture this machine's addresses, send none, neither run, and no library but ours", () => {
  const { permissions } = JSON.parse(Deno.readTextFileSync(`${root}deno.json`));
  const own = ["127.0.0.1", "0.0.0.0", "[::1]", "[::]", "localhost"];
  for (const [set, addresses] of [["capture", own], ["send", undefined]] as const) {
    const { net, run, ffi } = permissions[set];
    assertEquals([net, run], [addresses, undefined]);
    assertEquals(ffi, ["./libuspf.so", "./ffi/build/libuspf.so"]);
  }
});
