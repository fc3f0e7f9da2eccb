/**
 * What the library offers to programs on it, beyond what the commands use.
 */
import { assert, assertEquals, assertLess, assertRejects, assertThrows } from "@std/assert";
import {
  asUsage,
  BackgroundCapture,
  BypassIO,
  CaptureWriter,
  FakePort,
  PacketTemplate,
  RECORD_SHIFT,
  RECORDS_WORD,
  TickRing,
  UsageError,
  writeTick,
} from "@uspf/uspf";
import { TemporaryFile } from "./foreign.ts";
import { tickPacket } from "./packets.ts";

const network = `soft:api_${Deno.pid}`;

Deno.test("BypassIO.bursts gives all packets of a file, then ends", async () => {
  const packets = Array.from({ length: 3000 }, (_, i) => tickPacket({ instrument: i }));
  using file = TemporaryFile.of(packets.map((bytes, i) => ({ bytes, atNs: i * 1000 })));
  using io = BypassIO.open(`pcap:${file.path}`);
  const seen: Uint8Array[] = [];
  for await (const count of io.bursts({ max: 100 })) {
    assert(count <= 100);
    for (let i = 0; i < count; i++) {
      seen.push(io.bytes.slice(io.offsets[i], io.offsets[i] + io.lengths[i]));
    }
  }
  assertEquals(seen, packets);
});

Deno.test("BypassIO.bursts gives 0 while nothing comes, lets timers run, and ends with its signal", async () => {
  using io = BypassIO.open(`${network}:1`, { tx: false });
  const began = performance.now(), counts: number[] = [];
  let fired = 0;
  const timer = setInterval(() => fired++, 10);
  for await (const count of io.bursts({ signal: AbortSignal.timeout(300) })) counts.push(count);
  clearInterval(timer);
  assertLess(performance.now() - began, 5000);
  assert(counts.length > 1 && counts.every((count) => count === 0));
  assert(fired > 1);
});

Deno.test("BypassIO.bursts gives nothing where its signal is aborted, and throws for a max out of range", async () => {
  const io = new BypassIO(new FakePort({ slotCount: 16, bufferBytes: 2048 }));
  for await (const _ of io.bursts({ signal: AbortSignal.abort() })) assert(false);
  await assertRejects(() => io.bursts({ max: 0 }).next(), RangeError);
});

Deno.test("BypassIO and BackgroundCapture end with the block that uses them", async () => {
  const ticks = TickRing.create(256), options = { port: `${network}:2`, ticks };
  for (let i = 0; i < 2; i++) { // the second finds the port free
    using _io = BypassIO.open(`${network}:3`);
    await using capture = await BackgroundCapture.start(options);
    assertEquals(capture.state.finished, false);
  }
});

Deno.test("TickRing.tickAt reads records behind the head, across the wrap", () => {
  const ring = TickRing.create(256, 0xffffffff - 99), { words, floats, mask } = ring;
  ring.publish(200);
  ring.release(ring.take(200));
  for (let i = 0; i < ring.claim(256); i++) {
    const tick = { instrument: i, type: 0, side: 1, price: i / 2, quantity: 1 } as const;
    writeTick(words, floats, RECORDS_WORD + ((ring.tail + i & mask) << RECORD_SHIFT), tick);
  }
  ring.publish(256);
  assertEquals(ring.take(256), 256);
  for (const i of [0, 1, 55, 56, 255]) {
    assertEquals(ring.tickAt(i), { instrument: i, type: 0, side: 1, price: i / 2, quantity: 1 });
  }
});

Deno.test("CaptureWriter.record refuses a capture without a log", async () => {
  const ticks = TickRing.create(256);
  await using capture = await BackgroundCapture.start({ port: `${network}:4`, ticks });
  await assertRejects(
    async () => await CaptureWriter.record([capture], { file: "/nowhere/x.pcapng" }),
    TypeError,
    "its capture has no log",
  );
});

Deno.test("PacketTemplate without fields makes the packet of deno task send", () => {
  const { words, packetBytes } = new PacketTemplate(), bytes = new Uint8Array(words.buffer);
  assertEquals(packetBytes, 56);
  assertEquals([...bytes.subarray(0, 14)], [255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0, 1, 8, 0]);
  assertEquals([...bytes.subarray(26, 34)], [10, 0, 0, 1, 10, 0, 0, 2]);
  assertEquals([bytes[22], bytes[34] * 256 + bytes[35], bytes[36] * 256 + bytes[37]], [
    64,
    5000,
    5001,
  ]);
});

Deno.test("asUsage turns a caller's mistakes into usage errors, also those of a promise, and no others", async () => {
  const mistakes = [new TypeError("a"), new RangeError("b"), new SyntaxError("c")];
  const raise = (error: Error) => () => {
    throw error;
  };
  for (const error of mistakes) {
    assertThrows(() => asUsage(raise(error)), UsageError, error.message);
    await assertRejects(() => asUsage(() => Promise.reject(error)), UsageError, error.message);
  }
  assertThrows(() => asUsage(raise(new Error("d"))), Error, "d");
  assertEquals(await asUsage(() => Promise.resolve(1)), 1);
});

Deno.test("BackgroundCapture.start without permission names the flags that are enough", async () => {
  const script = Deno.makeTempFileSync({ suffix: ".ts" }), root = new URL("..", import.meta.url);
  Deno.writeTextFileSync(
    script,
    `import { BackgroundCapture, TickRing } from "${new URL("mod.ts", root)}";
     const options = { port: "${network}-flags:1", ticks: TickRing.create(256) };
     await BackgroundCapture.start(options)
       .then((capture) => capture.stop().then(() => console.log("started")), (error) =>
         console.log(error.message));`,
  );
  const library = new URL("ffi/build/libuspf.so", root).pathname;
  const tell = async (...flags: string[]) => {
    const args = ["run", "-q", "--no-prompt", "--config", "deno.json", ...flags, script];
    const { stdout } = await new Deno.Command(Deno.execPath(), { args, cwd: root }).output();
    return new TextDecoder().decode(stdout).trim();
  };
  const refused = await tell(`--allow-ffi=${library}`, `--allow-read=${library},${library}.json`);
  const [, flags] = /^Cannot open "soft:.*: run with (--allow-\S+ --allow-\S+)$/.exec(refused) ??
    [];
  assert(flags !== undefined, refused);
  assertEquals(await tell(...flags.split(" ")), "started");
  Deno.removeSync(script);
});
