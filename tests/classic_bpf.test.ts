/** Classic BPF: compared with the interpreter of trees, in an interpreter of its own and in the kernel. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { bpfInstructions } from "../filter/expression/compilers/bpf_instruction.ts";
import { bpfText } from "../filter/expression/compilers/bpf_text.ts";
import { CannotPush } from "../filter/expression/compilers/cannot_push.ts";
import { interpret } from "../filter/expression/interpret.ts";
import { planOf } from "../filter/expression/plan/plan.ts";
import { type ClassicBpf, toClassicBpf } from "../filter/expression/compilers/to_classic_bpf.ts";
import {
  and,
  headerBytes,
  loadAt,
  type Node,
  not,
  number,
  operation,
  or,
  type Relation,
  test,
  type Value,
} from "../filter/expression/plan/tree.ts";
import { runBpf } from "./bpf_interpreter.ts";
import { withSeeds } from "./engine_seed.ts";
import { KernelFilter } from "./kernel_filter.ts";
import { randomPacketOf, randomTree } from "./random_tree.ts";
import { holds } from "./tree_judge.ts";

const TREES = 2500, PACKETS = 30;

const udpTo = (port: number): Node =>
  and(
    test("==", loadAt(12, 2), 0x0800),
    test("==", loadAt(23, 1), 17),
    test("==", operation("&", loadAt(20, 2), number(0x1fff)), 0),
    test("==", loadAt(16, 2, headerBytes(14)), port),
  );

function compile(tree: Node): ClassicBpf {
  return toClassicBpf(planOf(tree));
}

function ordinary(): Uint8Array {
  const packet = new Uint8Array(60);
  packet.set([8, 0, 0x45], 12);
  packet[23] = 17;
  packet.set([0x13, 0x89], 36);
  return packet;
}

/** Says which tree and packet it was. */
function assertSame(
  got: boolean,
  tree: Node,
  packet: Uint8Array,
  text: string,
  wire?: number,
): void {
  const wanted = holds(tree, packet, 0, packet.length, wire);
  if (got === wanted) return;
  throw new Error(
    `${got}, not ${wanted}, of ${packet.toHex()} (${wire} bytes on the wire)\n` +
      `${JSON.stringify(tree)}\n${text}`,
  );
}

Deno.test("toClassicBpf loads nothing twice that every way has loaded", () => {
  const port = (at: number, wanted: number) => test("==", loadAt(at, 2, headerBytes(14)), wanted);
  const ports = or(port(14, 5001), port(16, 5001), port(16, 5002), test("==", loadAt(23, 1), 6));
  const again = test("==", loadAt(23, 1), 17);
  const { text } = compile(and(test("==", loadAt(12, 2), 0x0800), again, ports, again));
  assertEquals(text.split("\n"), [
    "(000) ldh      [12]",
    "(001) jeq      #0x800           jt 2\tjf 15",
    "(002) ldb      [23]",
    "(003) jeq      #0x11            jt 4\tjf 15",
    "(004) ldxb     4*([14]&0xf)",
    "(005) ldh      [x + 14]",
    "(006) jeq      #0x1389          jt 12\tjf 7",
    "(007) ldh      [x + 16]",
    "(008) jeq      #0x1389          jt 12\tjf 9",
    "(009) jeq      #0x138a          jt 12\tjf 10",
    "(010) ldb      [23]",
    "(011) jeq      #0x6             jt 12\tjf 15",
    "(012) ldb      [23]", // on one way only it is in A
    "(013) jeq      #0x11            jt 14\tjf 15",
    "(014) ret      #262144",
    "(015) ret      #0",
  ]);
});

Deno.test("toClassicBpf takes a constant part of a place into the offset", () => {
  const place = operation("+", headerBytes(14), number(8));
  assertEquals(compile(test("==", loadAt(14, 1, place), 7)).text.split("\n").slice(0, 2), [
    "(000) ldxb     4*([14]&0xf)",
    "(001) ldb      [x + 22]",
  ]);
});

Deno.test("toClassicBpf compares what is little-endian in the packet's own order", () => {
  const little: Value = { kind: "load", offset: 42, bytes: 4, order: "little" };
  assertEquals(compile(test("==", little, 0x01020304)).text.split("\n").slice(0, 2), [
    "(000) ld       [42]",
    "(001) jeq      #0x4030201       jt 2\tjf 3",
  ]);
});

Deno.test("toClassicBpf keeps the form of tcpdump where all or nothing is wanted", () => {
  assertEquals(compile({ kind: "constant", value: true }).text, "(000) ret      #262144");
  assertEquals(compile({ kind: "constant", value: false }).text, "(000) ret      #0");
  assertEquals(compile(not(test("==", loadAt(0xffffffff, 4), 1))).text, "(000) ret      #0");
});

Deno.test("toClassicBpf agrees with the interpreter on random trees and packets", async () => {
  await withSeeds(import.meta.url, (random) => {
    for (let i = 0; i < TREES; i++) {
      const tree = randomTree(random), { bytes, text } = compile(tree);
      const program = bpfInstructions(bytes);
      for (let j = 0; j < PACKETS; j++) {
        const packet = randomPacketOf(random),
          wire = packet.length + random() % 2 * (random() % 50);
        assertSame(runBpf(program, packet, wire) !== 0, tree, packet, text, wire);
      }
    }
  });
});

Deno.test("toClassicBpf agrees with the interpreter in the kernel", async () => {
  await withSeeds(import.meta.url, (random) => {
    using filter = new KernelFilter();
    for (let i = 0; i < TREES; i++) {
      const tree = randomTree(random), { bytes, text } = compile(tree);
      assert(filter.attach(bytes), `the kernel refuses\n${text}`);
      for (let j = 0; j < PACKETS / 3; j++) {
        const packet = randomPacketOf(random);
        assertSame(filter.accepts(packet), tree, packet, text);
      }
    }
  });
});

Deno.test("toClassicBpf rejects places beyond 2^31, and sums that wrap, in the kernel too", () => {
  using filter = new KernelFilter();
  const packet = ordinary();
  packet.set([0xff, 0xff, 0xff, 0xf0], 0); // minus 16: the kernel's own data, or 14 with 30 added
  packet.set([0xff, 0xff, 0xf0, 0x30], 4); // SKF_AD_OFF + SKF_AD_VLAN_TAG_PRESENT
  for (const base of [loadAt(0, 4), loadAt(4, 4)]) {
    for (const offset of [0, 30, 0x7fffffff]) {
      for (const relation of ["==", "!="] satisfies Relation[]) {
        const tree = test(relation, loadAt(offset, 1, base), 0);
        const { bytes, text } = compile(tree);
        assert(filter.attach(bytes), text);
        assertEquals(filter.accepts(packet), false, text);
        assertEquals(holds(tree, packet, 0, packet.length), false);
      }
    }
  }
});

Deno.test("toClassicBpf tests a place on each way that leads to its read", () => {
  using filter = new KernelFilter();
  const packet = ordinary(), place = loadAt(0, 4);
  packet.set([0xff, 0xff, 0xff, 0xf0]);
  const read = (byte: number) => test("==", loadAt(30, 1, place), byte); // byte 14, if it wrapped
  const tree = or(and(test("==", loadAt(8, 1), 1), read(1)), read(0x45));
  for (const first of [0, 1]) {
    packet[8] = first;
    const { bytes, text } = compile(tree);
    assert(filter.attach(bytes), text);
    assertEquals(
      [filter.accepts(packet), interpret(planOf(tree), packet, 0, 60)],
      [false, false],
      text,
    );
  }
});

Deno.test("toClassicBpf has a base wrap as any sum does, but no place", () => {
  using filter = new KernelFilter();
  const packet = ordinary(), wrapped = operation("+", loadAt(0, 4), number(16));
  packet.set([0xff, 0xff, 0xff, 0xf0]);
  for (const [base, accepted] of [[wrapped, true], [loadAt(0, 4), false]] as const) {
    const tree = test("==", loadAt(accepted ? 23 : 39, 1, base), 17);
    const { bytes, text } = compile(tree);
    assert(filter.attach(bytes), text);
    assertEquals(
      [filter.accepts(packet), interpret(planOf(tree), packet, 0, 60)],
      [accepted, accepted],
      text,
    );
  }
});

Deno.test("toClassicBpf jumps as far as it must", async () => {
  await withSeeds(import.meta.url, (random) => {
    using filter = new KernelFilter();
    for (const count of [100, 253, 254, 255, 256, 257, 258, 260, 600, 1300]) {
      const tests = Array.from({ length: count }, (_, i) => test("==", loadAt(i % 50, 2), 1 + i));
      const tree = and(
        test("==", loadAt(12, 2), 0x0800),
        or(...tests),
        not(test("==", loadAt(0, 1), 1)),
      );
      const { bytes, text } = compile(tree), program = bpfInstructions(bytes);
      const inKernel = filter.attach(bytes);
      // Older kernels have room for 20 KiB, as they translate it: net.core.optmem_max.
      assert(inKernel || count > 100, `${count} tests`);
      for (let i = 0; i < 200; i++) {
        const packet = ordinary(), at = random() % 50;
        new DataView(packet.buffer).setUint16(at, 1 + random() % count);
        assertSame(runBpf(program, packet) !== 0, tree, packet, text);
        if (inKernel && i < 20) assertSame(filter.accepts(packet), tree, packet, text);
      }
    }
  });
});

Deno.test("toClassicBpf says why a filter cannot be pushed", () => {
  const many = Array.from({ length: 3000 }, (_, i) => test("==", loadAt(i % 50, 2), i));
  assertThrows(() => compile(or(...many)), CannotPush, "more than 4096 instructions");
  let deep: Value = loadAt(0, 1, loadAt(1, 1));
  for (let i = 0; i < 17; i++) {
    deep = operation("-", loadAt(i, 1, loadAt(i, 1)), operation("/", deep, loadAt(i, 1)));
  }
  const error = assertThrows(() => compile(test("==", deep, 1)), CannotPush);
  assertEquals(
    error.message,
    "Cannot run the filter in the kernel: its arithmetic takes more than the 16 words of classic BPF's " +
      "memory: it runs in user space only",
  );
});

Deno.test("runBpf sees what a wrong program does", () => {
  const program = bpfInstructions(compile(udpTo(5001)).bytes);
  assertEquals(runBpf(program, ordinary()), 0x40000);
  for (const [i, instruction] of program.entries()) {
    if (instruction.jt === instruction.jf) continue;
    const wrong = program.with(i, { ...instruction, jt: instruction.jf, jf: instruction.jt });
    assertEquals(runBpf(wrong, ordinary()), 0);
  }
});

/** tcpdump prints the same program as numbers (-ddd) and as text (-d). */
const EXPRESSIONS = [
  "ip",
  "udp dst port 5001 and host 10.0.0.2",
  "port 80 or vlan 3",
  "tcp[(tcp[12]>>4)*4:4] = 1 and tcp[13] & 7 != 0",
  "ip6[ip6[0]] / ip6[1] % 3 ^ 4 | 5 - 2 * len = 7 + ip6[2] << ip6[3]",
  "ip6[len] ^ 3 > -ip6[3:4] + 7 and greater 60",
  "ip6[ip6[1] & 7] * ip6[2] > ip6[3:2] >> 2 and len <= 1000",
  "ether host 02:00:00:00:00:01 and not (ip[2:2] - 20 & 0xf0 = 3)",
];
const tcpdump = (() => {
  try {
    return new Deno.Command("tcpdump", { args: ["--version"] }).outputSync().success;
  } catch {
    return false;
  }
})();

Deno.test({
  name: `bpfText prints as tcpdump does${tcpdump ? "" : " (no tcpdump here)"}`,
  ignore: !tcpdump,
  fn: () => {
    for (const expression of EXPRESSIONS) {
      const [text, numbers] = ["-d", "-ddd"].map((how) => {
        const args = ["-y", "EN10MB", how, expression];
        const { stdout } = new Deno.Command("tcpdump", { args, stderr: "null" }).outputSync();
        return new TextDecoder().decode(stdout).trimEnd();
      });
      const program = numbers.split("\n").slice(1).map((line) => {
        const [code, jt, jf, k] = line.split(" ").map(Number);
        return { code, jt, jf, k };
      });
      assert(program.length > 0, expression);
      assertEquals(bpfText(program), text.replace(/^Warning.*\n/gm, ""), expression);
    }
  },
});
