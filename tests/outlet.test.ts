import { assertEquals, assertRejects } from "@std/assert";
import { Outlet, type Stream } from "../ffi/outlet.ts";
import { OutputError } from "../ffi/print.ts";

/** A stream that takes so many bytes each time it is let. */
class Reader implements Stream {
  taken = "";
  failsWith?: Error;
  #letGo = Promise.withResolvers<void>();

  constructor(readonly atOnce = Infinity) {}

  async write(bytes: Uint8Array): Promise<number> {
    await this.#letGo.promise;
    return this.writeSync(bytes);
  }

  writeSync(bytes: Uint8Array): number {
    if (this.failsWith !== undefined) throw this.failsWith;
    const part = bytes.subarray(0, this.atOnce);
    this.taken += new TextDecoder().decode(part);
    return part.length;
  }

  /** Reads from now on. */
  read(): void {
    this.#letGo.resolve();
  }
}

Deno.test("Outlet sends every text whole and in order, however little is taken at once", async () => {
  const reader = new Reader(3), outlet = new Outlet(reader, 0);
  outlet.send("first\n");
  outlet.send("second\n");
  assertEquals([outlet.busy, reader.taken], [true, ""]);
  reader.read();
  await outlet.flush();
  assertEquals([outlet.busy, reader.taken], [false, "first\nsecond\n"]);
  outlet.send("third\n");
  await outlet.flush();
  assertEquals(reader.taken, "first\nsecond\nthird\n");
});

Deno.test("Outlet leaves out whole texts that have no room, counts them, and takes more once it is read", async () => {
  const reader = new Reader(), outlet = new Outlet(reader, 0);
  for (const text of ["a", "b", "c"]) outlet.offer(text);
  outlet.send("final");
  assertEquals(outlet.leftOut, 2);
  reader.read();
  await outlet.flush();
  outlet.offer("d");
  await outlet.flush();
  assertEquals([reader.taken, outlet.leftOut], ["afinald", 2]);
  const roomy = new Outlet(new Reader(), 10);
  for (let i = 0; i < 5; i++) roomy.offer("12345");
  assertEquals(roomy.leftOut, 2);
  roomy.room = Infinity;
  roomy.offer("12345");
  assertEquals(roomy.leftOut, 2);
});

Deno.test("Outlet.flush rejects where something was not taken, and says so once it happens", async () => {
  for (const [code, closed] of [["EPIPE", true], ["ENOSPC", false]] as const) {
    const reader = new Reader(), outlet = new Outlet(reader, 0), heard: boolean[] = [];
    outlet.onFailed = (error) => heard.push(error.closed);
    reader.failsWith = Object.assign(new Error("failed"), { code });
    outlet.send("x");
    reader.read();
    await assertRejects(() => outlet.flush(), OutputError);
    assertEquals([heard, outlet.busy], [[closed], false]);
  }
});

Deno.test("Outlet.settle waits for who reads, but not for ever", async () => {
  const reader = new Reader(), outlet = new Outlet(reader, 0);
  outlet.send("x");
  await outlet.settle(20);
  assertEquals(outlet.busy, true);
  setTimeout(() => reader.read(), 20);
  await outlet.settle(60_000);
  assertEquals(outlet.busy, false);
});

Deno.test("Outlet.end writes what waits at once, and what is sent later, too, unless it was given up", () => {
  const reader = new Reader(), outlet = new Outlet(reader, Infinity);
  outlet.send("waits ");
  outlet.end();
  outlet.offer("last");
  assertEquals(reader.taken, "waits last");
  outlet.giveUp();
  outlet.sendNow("never");
  outlet.send("never");
  assertEquals(reader.taken, "waits last");
});
