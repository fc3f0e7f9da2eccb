import { assert, assertEquals, assertThrows } from "@std/assert";
import { PacketFilter } from "../filter/packet_filter.ts";
import { VERDICT } from "../filter/verdict.ts";
import { Random } from "../sender/random.ts";
import { randomPacket, tickPacket } from "./packets.ts";
import { referenceVerdict } from "./reference_filter.ts";

const filter = new PacketFilter({ destinationPort: 5001, destinationAddress: 0x0a000002 });

function judge(packet: Uint8Array, by = filter): number {
  return by.judge(packet, 0, packet.length);
}

function changed(at: number, ...bytes: number[]): Uint8Array {
  const packet = tickPacket();
  packet.set(bytes, at);
  return packet;
}

Deno.test("PacketFilter.judge says where the payload of a wanted packet begins", () => {
  assertEquals(judge(tickPacket()), 42);
  assertEquals(judge(tickPacket({ options: 8 })), 50);
  assertEquals(judge(tickPacket({ tags: 1 })), 46);
  assertEquals(judge(tickPacket({ tags: 2, options: 40, padding: 3 })), 90);
});

Deno.test("PacketFilter.judge rejects by cause", () => {
  assertEquals(judge(changed(12, 0x86, 0xdd)), -VERDICT.notIpv4);
  assertEquals(judge(tickPacket({ tags: 3 })), -VERDICT.notIpv4);
  assertEquals(judge(changed(23, 6)), -VERDICT.notUdp);
  assertEquals(judge(tickPacket({ address: 0x0a000003 })), -VERDICT.address);
  assertEquals(judge(tickPacket({ port: 5002 })), -VERDICT.port);
  assertEquals(judge(tickPacket({ payloadBytes: 13 })), -VERDICT.length);
  assertEquals(judge(tickPacket({ payloadBytes: 0 })), -VERDICT.length);
});

Deno.test("PacketFilter.judge tells what is malformed by cause", () => {
  assertEquals(judge(new Uint8Array(0)), -VERDICT.truncated);
  assertEquals(judge(tickPacket().subarray(0, 13)), -VERDICT.truncated);
  assertEquals(judge(tickPacket().subarray(0, 55)), -VERDICT.truncated);
  assertEquals(judge(changed(14, 0x65)), -VERDICT.badHeader);
  assertEquals(judge(changed(14, 0x44)), -VERDICT.badHeader);
  assertEquals(judge(changed(16, 0, 19)), -VERDICT.badHeader);
  assertEquals(judge(changed(20, 0x20)), -VERDICT.fragment);
  assertEquals(judge(changed(21, 1)), -VERDICT.fragment);
  assertEquals(judge(changed(16, 0, 27)), -VERDICT.badUdpLength);
  assertEquals(judge(changed(38, 0, 7)), -VERDICT.badUdpLength);
  assertEquals(judge(changed(38, 0, 23)), -VERDICT.badUdpLength);
});

Deno.test("PacketFilter.judge takes any port and any address where none is given", () => {
  const any = new PacketFilter();
  assertEquals(judge(tickPacket({ port: 1, address: 0xffffffff }), any), 42);
});

Deno.test("PacketFilter.judge agrees with a naive reading of random and mutated packets", () => {
  const seed = Number(Deno.env.get("USPF_SEED") ?? Date.now() % 0x7fffffff);
  const random = Random.fromSeed(seed);
  const filters = [
    { port: 5001, address: 0x0a000002, payloadBytes: 14 },
    { port: 0, payloadBytes: 14 },
    { port: 5001, payloadBytes: 14 },
  ];
  for (let i = 0; i < 60_000; i++) {
    const packet = randomPacket(random), wanted = filters[i % filters.length];
    const by = new PacketFilter({
      destinationPort: wanted.port,
      destinationAddress: wanted.address,
    });
    const { verdict } = referenceVerdict(packet, wanted);
    const expected = verdict === VERDICT.badTick ? VERDICT.accepted : verdict; // the decoder's business
    const judged = judge(packet, by);
    assertEquals(
      judged > 0 ? VERDICT.accepted : -judged,
      expected,
      `packet ${i} (${packet}): rerun with USPF_SEED=${seed} deno test -P=test tests/packet_filter.test.ts`,
    );
  }
});

Deno.test("PacketFilter.judge reads nothing beyond the packet's length", () => {
  const packet = tickPacket({ options: 8, tags: 1 });
  for (let length = 0; length <= packet.length; length++) {
    // What lies behind the packet must not matter: once zeros, once ones.
    const verdicts = [0, 0xff].map((filler) => {
      const room = new Uint8Array(200).fill(filler);
      room.set(packet.subarray(0, length), 50);
      return filter.judge(room, 50, length);
    });
    assertEquals(verdicts[0], verdicts[1], `length ${length}`);
    assertEquals(verdicts[0] > 0, length === packet.length);
  }
});

Deno.test("PacketFilter takes an empty expression, which accepts every packet, and none that is no string", () => {
  for (const empty of ["", " \n\t"]) {
    assert(PacketFilter.compile(empty).matches(new Uint8Array(0)));
    assert(new PacketFilter({ expression: empty }).matches(new Uint8Array(60)));
  }
  const says = (type: string) =>
    `Cannot compile the filter: the expression is of type ${type}: give a string`;
  for (const [value, type] of [[undefined, "undefined"], [null, "null"], [5, "number"]]) {
    assertThrows(() => PacketFilter.compile(value as never), TypeError, says(type as string));
    if (value === undefined) continue;
    const options = { expression: value as never };
    assertThrows(() => new PacketFilter(options), TypeError, says(type as string));
  }
});

Deno.test("PacketFilter refuses a port, a size and an address out of range", () => {
  for (const destinationPort of [-1, 65536, 1.5, NaN]) {
    assertThrows(
      () => new PacketFilter({ destinationPort }),
      RangeError,
      "Cannot make a packet filter",
    );
  }
  assertThrows(() => new PacketFilter({ payloadBytes: 1473 }), RangeError, "payload size");
  assertThrows(() => new PacketFilter({ destinationAddress: 2 ** 32 }), RangeError, "address");
});
