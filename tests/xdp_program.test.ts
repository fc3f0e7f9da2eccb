/** The program that chooses packets, run by an interpreter (ebpf.ts) and compared with the filter. */
import { assert, assertEquals } from "@std/assert";
import type { Wanted } from "../ffi/port.ts";
import { xdpProgram } from "../ffi/xdp_program.ts";
import { planOf } from "../filter/expression/plan/plan.ts";
import { toEbpf } from "../filter/expression/compilers/to_ebpf.ts";
import { PacketFilter } from "../filter/packet_filter.ts";
import { VERDICT } from "../filter/verdict.ts";
import { Random } from "../sender/random.ts";
import { runProgram } from "./ebpf.ts";
import { withSeeds } from "./engine_seed.ts";
import { randomPacket, tickPacket } from "./packets.ts";
import { randomTree } from "./random_tree.ts";
import { holds } from "./tree_judge.ts";
import { changed, OURS, TABLE } from "./xdp_packets.ts";

const ALL_WANTED: Wanted[] = [
  OURS,
  { ...OURS, destinationPort: 0 },
  { destinationPort: 5001, payloadBytes: 14 },
  { destinationAddress: 0xef010203, destinationPort: 65535, payloadBytes: 1472 },
  { payloadBytes: 0 },
];

/** Found only behind what the program reads; the filter counts them. */
const MALFORMED_LATER: number[] = [VERDICT.truncated, VERDICT.badHeader, VERDICT.badUdpLength];

Deno.test("xdpProgram redirects all that the filter accepts, and else only what is malformed", () =>
  withSeeds(import.meta.url, (random) => {
    const packets = new Random(random(), 1);
    let redirected = 0, passed = 0;
    for (let i = 0; i < 3000; i++) {
      const packet = randomPacket(packets);
      for (const wanted of ALL_WANTED) {
        const verdict = -new PacketFilter(wanted).judge(packet, 0, packet.length);
        const decision = runProgram(xdpProgram(wanted), packet);
        if (verdict <= 0) assertEquals(decision, "redirect");
        if (decision === "redirect") assert(verdict <= 0 || MALFORMED_LATER.includes(verdict));
        if (decision === "redirect") redirected++;
        else passed++;
      }
    }
    assert(redirected > 500 && passed > 500, `${redirected} redirected, ${passed} passed`);
  }));

for (const [what, packet, decision] of TABLE) {
  Deno.test(`xdpProgram decides on ${what}: ${decision}`, () => {
    assertEquals(runProgram(xdpProgram(OURS), packet, 3), decision);
  });
}

Deno.test("xdpProgram redirects everything where nothing is said of what is wanted", () => {
  for (const [, packet] of TABLE) assertEquals(runProgram(xdpProgram(), packet, 1), "redirect");
  assertEquals(runProgram(xdpProgram(), new Uint8Array(0)), "redirect");
});

Deno.test("xdpProgram asks the expression and what is wanted, and counts what it passes", () =>
  withSeeds(import.meta.url, (random) => {
    const packets = new Random(random(), 1), counts = { redirect: 0, pass: 0 };
    for (let i = 0; i < 300; i++) {
      const tree = randomTree(random, { nodeDepth: 2 }), piece = toEbpf(planOf(tree)).bytes;
      for (let j = 0; j < 10; j++) {
        const packet = randomPacket(packets), accepted = holds(tree, packet, 0, packet.length);
        const wanted = runProgram(xdpProgram(OURS), packet, 5);
        const decision = runProgram(xdpProgram(OURS, piece), packet, 5);
        assertEquals(
          runProgram(xdpProgram(undefined, piece), packet),
          accepted ? "redirect" : "pass",
        );
        assertEquals(decision, accepted ? wanted : "pass");
        counts[decision]++;
      }
    }
    assert(counts.redirect > 50 && counts.pass > 50, JSON.stringify(counts));
  }));

Deno.test("xdpProgram takes any UDP where no field is wanted", () => {
  const program = xdpProgram({});
  assertEquals(runProgram(program, tickPacket({ port: 1, payloadBytes: 3 })), "redirect");
  assertEquals(runProgram(program, changed(23, 6)), "pass");
});
