/** Expressions as eBPF, run by an interpreter (ebpf.ts) and by the kernel, compared with `interpret`. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { CannotPush } from "../filter/expression/compilers/cannot_push.ts";
import { planOf } from "../filter/expression/plan/plan.ts";
import { toEbpf } from "../filter/expression/compilers/to_ebpf.ts";
import {
  and,
  headerBytes,
  loadAt,
  MAX_DEPTH,
  type Node,
  number,
  type Operator,
  or,
  test,
  type Value,
} from "../filter/expression/plan/tree.ts";
import { runPiece } from "./ebpf.ts";
import { withSeeds } from "./engine_seed.ts";
import { kernelVerdicts, noKernelBpf } from "./kernel_bpf.ts";
import { type Random, randomPacketOf, randomTree, randomValue } from "./random_tree.ts";
import { holds } from "./tree_judge.ts";

/** Of the first piece of a packet, where its buffers have a page each. */
const FIRST_PIECE = 3520;

function compiled(tree: Node): Uint8Array {
  return toEbpf(planOf(tree)).bytes;
}

function many<T>(count: number, make: (i: number) => T): T[] {
  return Array.from({ length: count }, (_, i) => make(i));
}

/** Registers a test that needs the kernel. */
function testKernel(sentence: string, fn: () => Promise<void>): void {
  Deno.test({
    name: `toEbpf ${sentence}${noKernelBpf === undefined ? "" : ` (${noKernelBpf})`}`,
    ignore: noKernelBpf !== undefined,
    fn,
  });
}

/** `udp dst port 5001 and greater 61`, by hand. */
const UDP = and(
  test("==", loadAt(12, 2), 0x0800),
  test("==", loadAt(23, 1), 17),
  test("==", { kind: "operation", operator: "&", left: loadAt(20, 2), right: number(0x1fff) }, 0),
  test("==", loadAt(16, 2, headerBytes(14)), 5001),
  test(">", { kind: "length" }, 60),
);

/* ---- by the interpreter ---- */

Deno.test("toEbpf says each instruction", () => {
  const lines = toEbpf(planOf(UDP)).text.split("\n");
  assertEquals(lines.length, compiled(UDP).length / 8);
  assertEquals(lines.slice(5, 10), [
    "5: r2 = r7",
    "6: r2 += 14",
    "7: if r2 > r8 goto +22",
    "8: r0 = *(u16 *)(r7 + 12)",
    "9: if w0 != 0x8 goto +27",
  ]);
  assertEquals(lines.slice(18, 27), [
    "18: r0 = *(u8 *)(r7 + 14)",
    "19: w0 &= 15",
    "20: w0 <<= 2",
    "21: r2 = r7",
    "22: r2 += r0",
    "23: r2 += 18",
    "24: if r2 > r8 goto +5",
    "25: r0 = *(u16 *)(r2 - 2)",
    "26: if w0 != 0x8913 goto +10",
  ]);
  assertEquals(toEbpf(planOf({ kind: "constant", value: true })).text, "0: r0 = 1");
});

Deno.test("toEbpf compares the packet's end once for what it knows already", () => {
  const known = and(test("==", loadAt(30, 4), 1), test("==", loadAt(12, 2), 2));
  const checks = (tree: Node) => toEbpf(planOf(tree)).text.match(/if r2 > r8/g)!.length;
  assertEquals(checks(known), 1);
  // Where ways meet, what only one of them knows is not known.
  const either = or(test("==", loadAt(0, 1), 1), test("==", loadAt(30, 4), 1));
  assertEquals(checks(and(either, test("==", loadAt(20, 4), 3))), 3);
});

Deno.test("toEbpf decides as interpret does", () =>
  withSeeds(import.meta.url, (random) => {
    let accepted = 0, rejected = 0;
    for (let i = 0; i < 300; i++) {
      const tree = randomTree(random), piece = compiled(tree);
      for (let j = 0; j < 40; j++) {
        const packet = randomPacketOf(random), expected = holds(tree, packet, 0, packet.length);
        assertEquals(runPiece(piece, packet), expected, JSON.stringify(tree));
        if (expected) accepted++;
        else rejected++;
      }
    }
    assert(accepted > 500 && rejected > 500, `${accepted} accepted, ${rejected} rejected`);
  }));

Deno.test("toEbpf decides on packets of every length", () => {
  const whole = new Uint8Array(100).fill(0x08), piece = compiled(UDP);
  whole.set([8, 0, 0x45], 12);
  whole.set([0x40, 0, 64, 17], 20);
  whole.set([0x13, 0x89], 36);
  for (let length = 0; length <= 100; length++) {
    assertEquals(runPiece(piece, whole.subarray(0, length)), length > 60);
  }
});

Deno.test("toEbpf reads far into a packet, and accepts what is too large to be read", () => {
  const at = (offset: number, base?: Value) =>
    compiled(test("==", loadAt(offset, 2, base), 0x0102));
  const base = loadAt(0, 2); // 0x7ff0
  const packet = new Uint8Array(0xffff);
  packet.set([0x7f, 0xf0]);
  for (const offset of [0x7ffe, 0x8000, 0xfffd]) packet.set([1, 2], offset);
  for (const offset of [0x7ffe, 0x8000, 0xfffd]) assert(runPiece(at(offset), packet));
  assert(runPiece(at(0x8000 - 0x7ff0, base), packet));
  assert(runPiece(at(0xfffd - 0x7ff0, base), packet));
  const beyond = [at(0xfffe), at(0xfffe - 0x7ff0, base), at(0xffffffff), at(0xffffffff, base)];
  for (const piece of beyond) {
    assert(!runPiece(piece, packet));
    assert(runPiece(piece, packet, { totalBytes: 0x10000 }));
  }
});

Deno.test("toEbpf rejects no packet for what is not in its first piece", () =>
  withSeeds(import.meta.url, (random) => {
    let more = 0;
    for (let i = 0; i < 300; i++) {
      const tree = randomTree(random), piece = compiled(tree);
      for (let j = 0; j < 20; j++) {
        const packet = randomPacketOf(random), first = packet.subarray(0, random() % 60);
        const passed = runPiece(piece, first, { totalBytes: packet.length });
        const wanted = holds(tree, packet, 0, packet.length);
        assert(passed || !wanted, JSON.stringify(tree));
        if (passed && !wanted) more++;
      }
    }
    assert(more > 0);
  }));

Deno.test("toEbpf says that an expression is too large", () => {
  const hosts = many(5000, (i) => or(test("==", loadAt(26, 4), i), test("==", loadAt(30, 4), i)));
  assertThrows(() => toEbpf(planOf(or(...hosts))), CannotPush, "more than 8000 branches");
  const sum = many(400, (i) => i).reduce<Value>(
    (left) => ({ kind: "operation", operator: "+", left, right: loadAt(26, 4) }),
    loadAt(26, 4),
  );
  const sums = many(40, () => test("==", sum, { ...sum, operator: "-" } as Value));
  assertThrows(() => toEbpf(planOf(or(...sums))), CannotPush, "more than 32000 instructions");
});

/* ---- by the kernel ---- */

/** Has the kernel judge, and compares with `interpret`. */
async function compare(trees: Node[], packets: Uint8Array[], old = false): Promise<void> {
  const outcomes = await kernelVerdicts(trees.map(compiled), packets, { old });
  let accepted = 0, rejected = 0;
  trees.forEach((tree, i) => {
    const outcome = outcomes[i], about = () => `${JSON.stringify(tree)}\n${outcome.log}`;
    assertEquals(outcome.refused, 0, outcome.refused === 0 ? "" : about());
    packets.forEach((packet, j) => {
      if (outcome.accepted[j] === undefined) return;
      const expected = holds(tree, packet, 0, packet.length);
      if (outcome.accepted[j] !== expected) throw new Error(`packet ${packet}: ${about()}`);
      if (expected) accepted++;
      else rejected++;
    });
  });
  assert(accepted > 0 && rejected > 0, `${accepted} accepted, ${rejected} rejected`);
}

for (const old of [false, true]) {
  testKernel(
    `decides as interpret does, in the kernel${old ? ", as for kernels before 5.18" : ""}`,
    () =>
      withSeeds(import.meta.url, async (random) => {
        const packets = many(200, () => randomPacketOf(random));
        await compare(many(200, () => randomTree(random)), packets, old);
      }),
  );
}

testKernel(
  "is accepted by the verifier, however deeply values are nested",
  () =>
    withSeeds(import.meta.url, async (random) => {
      const packets = many(50, () => randomPacketOf(random));
      const trees = [deepBothSides(random, 9), ...many(6, (i) => deepOneSide(random, i))];
      const values = many(20, () => randomValue(random, 8));
      const tests = [...trees, ...values].map((value) => test(">=", value, random() >>> 1));
      await compare(
        [...tests, ...values.map((value, i) => test("==", value, values[19 - i]))],
        packets,
      );
    }),
);

/** Operations whose other side is the whole rest. */
function deepOneSide(random: Random, side: number): Value {
  let value: Value = loadAt(0, 1);
  for (let i = 0; i < MAX_DEPTH - 10; i++) {
    const other = i % 7 === 0 ? loadAt(1, 2, headerBytes(random() % 30)) : loadAt(random() % 40, 2);
    const operator = anyOperator(random);
    value = side % 2 === 0
      ? { kind: "operation", operator, left: other, right: value }
      : { kind: "operation", operator, left: value, right: other };
  }
  return value;
}

function deepBothSides(random: Random, depth: number): Value {
  if (depth === 0) return loadAt(random() % 10, 1, headerBytes(random() % 20));
  const left = deepBothSides(random, depth - 1), right = deepBothSides(random, depth - 1);
  return { kind: "operation", operator: anyOperator(random), left, right };
}

/** Those that divide would reject nearly all. */
function anyOperator(random: Random): Operator {
  return (["+", "-", "*", "&", "|", "^", "<<", ">>"] as const)[random() % 8];
}

testKernel("is accepted by the verifier with very many hosts and ports", async () => {
  const large = { "500 hosts": or(...many(500, host)), "300 ports": or(...many(300, port)) };
  const mixed = {
    "hosts and ports": and(or(...many(150, host)), or(...many(150, port))),
    "pairs": or(...many(150, (i) => and(host(i), port(i)))),
    "either": and(...many(150, (i) => or(host(i), port(i)))),
    "neither": and(...many(150, (i): Node => ({ kind: "not", part: or(host(i), port(i)) }))),
  };
  for (const [what, tree] of Object.entries({ ...large, ...mixed })) {
    const [{ refused, log, instructions }] = await kernelVerdicts([compiled(tree)], []);
    assertEquals(refused, 0, `${what}: ${log}`);
    assert(instructions < 500_000, `${what}: the verifier looked at ${instructions}`);
  }
});

/** As an expression has it that nobody has optimised. */
function host(i: number): Node {
  const either = (a: number, b: number) =>
    or(test("==", loadAt(a, 4), i), test("==", loadAt(b, 4), i));
  const arp = or(test("==", loadAt(12, 2), 0x0806), test("==", loadAt(12, 2), 0x8035));
  return or(and(test("==", loadAt(12, 2), 0x0800), either(26, 30)), and(arp, either(28, 38)));
}

function port(i: number): Node {
  const protocol = (at: number) =>
    or(...[132, 6, 17].map((value) => test("==", loadAt(at, 1), value)));
  const either = (a: Value, b: Value) => or(test("==", a, i), test("==", b, i));
  const fragment: Value = {
    kind: "operation",
    operator: "&",
    left: loadAt(20, 2),
    right: number(0x1fff),
  };
  const v4 = either(loadAt(14, 2, headerBytes(14)), loadAt(16, 2, headerBytes(14)));
  return or(
    and(test("==", loadAt(12, 2), 0x86dd), protocol(20), either(loadAt(54, 2), loadAt(56, 2))),
    and(test("==", loadAt(12, 2), 0x0800), protocol(23), test("==", fragment, 0), v4),
  );
}

testKernel("lets packets through whose rest is in further pieces, in the kernel", async () => {
  const at = (offset: number, value: number) => test("==", loadAt(offset, 1), value);
  const base = (value: number): Node => test("==", loadAt(10, 1, loadAt(0, 2)), value);
  const length: Node = test("==", { kind: "length" }, 9000);
  const trees = [at(5, 7), at(5, 8), at(FIRST_PIECE - 1, 7), at(8000, 8), base(8), length];
  const packet = new Uint8Array(9000).fill(7), short = packet.subarray(0, 1000);
  packet.set([0x20, 0]); // the base, 0x2000
  const outcomes = await kernelVerdicts(trees.map(compiled), [packet, short], { pieces: true });
  assertEquals(outcomes.map(({ log }) => log ?? ""), trees.map(() => ""));
  assertEquals(outcomes.map(({ accepted }) => accepted), [
    [true, true],
    [false, false],
    [true, false],
    [true, false],
    [true, false],
    [true, false],
  ]);
});
