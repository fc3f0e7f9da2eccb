/** Expressions as JavaScript, in functions and in the packet loop: compared with the interpreter of trees. */

import { assert, assertEquals } from "@std/assert";
import { EXPRESSIONS } from "../bench/harness/expressions.ts";
import { compileMatches, Expression } from "../filter/expression/expression.ts";
import { interpret } from "../filter/expression/interpret.ts";
import { meaningOf } from "../filter/expression/meaning.ts";
import { optimise } from "../filter/expression/plan/optimise.ts";
import { type Plan, planOf } from "../filter/expression/plan/plan.ts";
import { blankPacket, samplePackets } from "../filter/expression/plan/sample.ts";
import { loadAt, type Node, not, test as testOf } from "../filter/expression/plan/tree.ts";
import { seededRandom, withSeeds } from "./engine_seed.ts";
import { ARITHMETIC, EVERYDAY, NESTED, PRECEDENCE, PRIMITIVES } from "./filter_corpus.ts";
import { FullRing } from "./full_ring.ts";
import { type FilterPacket, filterPackets } from "./filter_packets.ts";
import { type Random, randomPacketOf, randomTree } from "./random_tree.ts";

const TREES = 500, PACKETS = 64, SAMPLE = 256; // of packets powers of two: one a slot
const OPTIMISED_EVERY = 40, OPTIMISED_RUNS = 400;

/** What a function of the plan says of each packet, which begin at any byte of a buffer. */
function functionVerdicts(plan: Plan, packets: FilterPacket[]): number[] | undefined {
  const matches = compileMatches(plan);
  return matches && packets.map(({ bytes, wireLength }, i) => {
    const before = i % 5, buffer = new Uint8Array(before + bytes.length + 8).fill(0xff);
    buffer.set(bytes, before);
    return matches(buffer, before, bytes.length, wireLength) ? 1 : 0;
  });
}

/** Says which packet it was. */
function assertSame(
  got: number[] | undefined,
  wanted: number[],
  packets: FilterPacket[],
  what: string,
) {
  const wrong = got?.findIndex((verdict, i) => verdict !== wanted[i]) ?? -1;
  if (wrong < 0) return;
  const { bytes, wireLength } = packets[wrong];
  throw new Error(
    `${got![wrong]}, not ${
      wanted[wrong]
    }, of ${bytes.toHex()}, ${wireLength} bytes on the wire: ${what}`,
  );
}

function interpreted(plan: Plan, packets: FilterPacket[]): number[] {
  return packets.map(({ bytes, wireLength }) =>
    interpret(plan, bytes, 0, bytes.length, wireLength) ? 1 : 0
  );
}

function randomPackets(random: Random): FilterPacket[] {
  return Array.from({ length: PACKETS }, () => {
    const bytes = randomPacketOf(random), cut = random() % 4 === 0 ? random() % 2000 : 0;
    return { bytes, wireLength: bytes.length + cut };
  });
}

Deno.test("toJavaScript of random trees says what the interpreter says, in functions and in the loop", async () => {
  await withSeeds(import.meta.url, (random) => {
    const full = new FullRing(random, randomPackets(random), 128), { packets } = full;
    let compiled = 0, accepted = 0;
    for (let i = 0; i < TREES; i++) {
      const tree = randomTree(random), plan = planOf(tree), better = optimise(plan);
      const wanted = interpreted(plan, packets), text = JSON.stringify(tree);
      const runs = i % OPTIMISED_EVERY === 0 ? OPTIMISED_RUNS : 1;
      assert(better.blocks.length <= plan.blocks.length, text);
      assertSame(functionVerdicts(plan, packets), wanted, packets, `function ${text}`);
      assertSame(functionVerdicts(better, packets), wanted, packets, `optimised function ${text}`);
      assertSame(full.verdicts(plan), wanted, packets, `loop ${text}`);
      const looped = full.verdicts(better, runs);
      assertSame(looped, wanted, packets, `optimised loop ${text}`);
      if (looped !== undefined) compiled++;
      accepted += wanted.filter((verdict) => verdict === 1).length;
    }
    assert(compiled > TREES * 0.95, `${compiled} of ${TREES} trees compiled`);
    const share = accepted / (TREES * PACKETS);
    assert(share > 0.2 && share < 0.8, `${share} of all accepted: most trees say nothing`);
  });
});

Deno.test("PacketFilter's loop says of expressions what the interpreter says", () => {
  const random = seededRandom(1), all = filterPackets();
  const step = Math.floor(all.length / SAMPLE);
  const packets = all.filter((_, i) => i % step === 0).slice(0, SAMPLE);
  const full = new FullRing(random, packets, 2048);
  const texts = [...EVERYDAY, ...PRIMITIVES, ...ARITHMETIC, ...PRECEDENCE, ...NESTED];
  for (const text of texts) {
    const { plan } = new Expression(text);
    const wanted = interpreted(meaningOf(text).plan, packets);
    assertSame(full.verdicts(plan), wanted, packets, `loop of ${text}`);
    assertSame(functionVerdicts(plan, packets), wanted, packets, `function of ${text}`);
  }
});

Deno.test("Expression.matches takes lengths on the wire as numbers of 32 bits, whatever their upper bit", () => {
  const bytes = new Uint8Array(60);
  bytes.set([0x80, 0, 0, 60]);
  const texts = [
    ...["len | 0 = len", "len = len + 0", "len > 0x7fffffff", "len >= 0x80000000", "less 100"],
    ...["len = 0x8000003c", "len != 0x8000003c", "ether[0:4] = len", "len = ether[0:4]"],
    ...["len / 2 = 0x4000001e", "len % 7 = 3", "len * 2 = 120", "len >> 31 = 1", "-len < len"],
    ...[
      "ether[len - 0x8000003c] = 0x80",
      "ether[len & 3:4] = len",
      "ether[len] = 0",
      "1 / len = 0",
    ],
  ];
  for (const text of texts) {
    const { plan } = meaningOf(text), { matches } = new Expression(text);
    for (const wireLength of [60, 2 ** 31 - 1, 2 ** 31, 2 ** 31 + 60, 2 ** 32 - 1]) {
      const wanted = interpret(plan, bytes, 0, 60, wireLength);
      assertEquals(matches(bytes, 0, 60, wireLength), wanted, `${text} of ${wireLength} bytes`);
    }
  }
  assert(new Expression("len | 0 = len").matches(bytes, 0, 60, 2 ** 31 + 60));
});

Deno.test("optimise asks for the EtherType once in udp dst port 5001 and host 10.0.0.2", () => {
  const { tree, plan } = new Expression("udp dst port 5001 and host 10.0.0.2");
  const types = ({ blocks }: Plan) =>
    blocks.filter(({ left }) =>
      left.kind === "load" && left.offset === 12 && left.base === undefined
    );
  assert(types(planOf(tree)).length > 1);
  assertEquals(types(plan).map(({ right }) => right), [{ kind: "number", value: 0x0800 }]);
  assertEquals(plan.blocks.length, 6); // type, protocol, fragment, port, source, destination
});

Deno.test("optimise asks for the protocol once in a list of ports", () => {
  const at = (plan: Plan, offset: number) =>
    plan.blocks.filter(({ left }) => left.kind === "load" && left.offset === offset && !left.base);
  for (const text of ["port 80", "port 53 or 80 or 443 or 5001"]) {
    const { plan } = new Expression(text), protocols = [20, 23].map((offset) => at(plan, offset));
    assertEquals(protocols.map(({ length }) => length), [3, 3], text); // SCTP, TCP, UDP; IPv6's, IPv4's
  }
});

Deno.test("optimise of trees that ask the same few values again and again keeps every verdict", async () => {
  await withSeeds(import.meta.url, (random) => {
    const packets = Array.from({ length: 3 ** 4 }, (_, i) => {
      const bytes = Uint8Array.of(i % 3, i / 3 % 3, i / 9 % 3, i / 27);
      return { bytes, wireLength: 4 };
    });
    for (let i = 0; i < TREES; i++) {
      const tree = repetitiveTree(random, 5), plan = planOf(tree);
      const wanted = interpreted(plan, packets), text = JSON.stringify(tree);
      assertSame(functionVerdicts(optimise(plan), packets), wanted, packets, text);
    }
  });
});

/** Tests of four bytes, which are 0 to 2; the packets have only these, and all of them. */
function repetitiveTree(random: Random, depth: number): Node {
  const relations = ["==", "==", "!=", ">", "<="] as const;
  if (depth === 0 || random() % 8 === 0) {
    const relation = relations[random() % relations.length];
    return testOf(relation, loadAt(random() % 4, 1), random() % 3);
  }
  const parts = Array.from({ length: 2 + random() % 2 }, () => repetitiveTree(random, depth - 1));
  const joined: Node = { kind: random() % 2 === 0 ? "and" : "or", parts };
  return random() % 4 === 0 ? not(joined) : joined;
}

Deno.test("samplePackets finds packets that an expression accepts, and some that it does not", () => {
  for (const text of [...EXPRESSIONS, ...EVERYDAY]) {
    const { plan, matches } = new Expression(text), samples = samplePackets(plan, blankPacket());
    for (const { packet, accepted } of samples) {
      assertEquals(matches(packet, 0, packet.length, packet.length), accepted, text);
    }
    const outcomes = new Set(samples.map(({ accepted }) => accepted));
    assertEquals(outcomes.size, plan.entry < 0 ? 1 : 2, text);
  }
});

Deno.test("samplePackets finds what calculations, masks and lengths ask for", () => {
  const texts = ["len == 1500", "udp[4:2] - 8 = 14", "ip[2:2] * 3 = 300", "ip[8] << 4 = 0x120"]
    .concat("ip[0] ^ 3 = 70", "ip[4:2] / 16 = 5", "ip[4:2] + 0xffffffff = 7", "mpls 1000 and ip");
  for (const text of texts) {
    const samples = samplePackets(new Expression(text).plan, blankPacket());
    assert(samples.some(({ accepted }) => accepted), text);
  }
});
