/** The back ends against the interpreter, and with it each other: every expression of the corpus. */
import { assert, assertEquals } from "@std/assert";
import { CannotPush } from "../filter/expression/compilers/cannot_push.ts";
import { bpfInstructions } from "../filter/expression/compilers/bpf_instruction.ts";
import { decodeTick } from "../capture/tick_decoder.ts";
import { Expression } from "../filter/expression/expression.ts";
import { PacketFilter } from "../filter/packet_filter.ts";
import { VERDICT, VERDICTS } from "../filter/verdict.ts";
import { ExpressionError } from "../filter/expression/expression_error.ts";
import { interpret } from "../filter/expression/interpret.ts";
import { meaningOf } from "../filter/expression/meaning.ts";
import type { Plan } from "../filter/expression/plan/plan.ts";
import { toClassicBpf } from "../filter/expression/compilers/to_classic_bpf.ts";
import { toEbpf } from "../filter/expression/compilers/to_ebpf.ts";
import { runBpf } from "./bpf_interpreter.ts";
import { seededRandom } from "./engine_seed.ts";
import { randomExpressions } from "./filter_comparison.ts";
import { CORPUS, TICK_EXPRESSIONS } from "./filter_corpus.ts";
import { type FilterPacket, filterPackets } from "./filter_packets.ts";
import { FullRing } from "./full_ring.ts";
import { kernelClassicVerdicts, kernelVerdicts, noKernelBpf } from "./kernel_bpf.ts";
import { tickPacket } from "./packets.ts";

const PACKETS = 1024, RANDOM = 300; // packets: a power of two, for the ring
const CLASSIC_EVERY = 8; // the kernel's classic BPF is asked by sending each packet

const seed = Number(Deno.env.get("USPF_SEED") ?? Date.now() % 0x7fffffff);
const rerun = `rerun with USPF_SEED=${seed} deno test -P=test tests/filter_back_ends.test.ts`;
const packets = somePackets();
const whole = packets.map(({ bytes }) => bytes);
const meanings = [...CORPUS, ...TICK_EXPRESSIONS, ...randomExpressions(seed, RANDOM)]
  .flatMap((text) => {
    const plan = planOf(text);
    return plan === undefined ? [] : [{ text, plan, compiled: new Expression(text).plan }];
  });

Deno.test("toJavaScript: the packet loop and the function say what the interpreter says", () => {
  const ring = new FullRing(seededRandom(seed), packets, 2048);
  let looped = 0;
  for (const { text, plan, compiled } of meanings) {
    const wanted = packets.map(({ bytes, wireLength }) => judged(plan, bytes, wireLength));
    const { matches } = new Expression(text);
    const said = packets.map(({ bytes, wireLength }) =>
      matches(bytes, 0, bytes.length, wireLength)
    );
    assertSame(said, wanted, `function of ${text}`);
    const loop = ring.verdicts(compiled);
    if (loop === undefined) continue;
    assertSame(loop.map((verdict) => verdict === 1), wanted, `loop of ${text}`);
    looped++;
  }
  assert(looped > meanings.length * 0.98, `${looped} of ${meanings.length} have a loop`);
});

Deno.test("compileHotLoop: with every expression, the loop that decodes counts what PacketFilter.judge says", () => {
  const ring = new FullRing(seededRandom(seed), packets, 2048);
  const all = { destinationPort: 5001, destinationAddress: 0x0a000002 };
  meanings.forEach(({ text }, i) => {
    const filter = new PacketFilter({
      ...[all, { destinationPort: 5001 }, {}][i % 3],
      expression: text,
    });
    const verdictOf = ({ bytes, wireLength }: FilterPacket) => {
      const payloadAt = filter.judge(bytes, 0, bytes.length, wireLength);
      if (payloadAt <= 0) return -payloadAt;
      const isTick = decodeTick(bytes, payloadAt, new Int32Array(4096), 0, 0);
      return isTick ? VERDICT.accepted : VERDICT.badTick;
    };
    const wanted = new Int32Array(VERDICTS);
    for (const packet of packets) wanted[verdictOf(packet)]++;
    assertEquals(ring.tally(filter, verdictOf), wanted, `${text}\n${rerun}`);
  });
});

Deno.test("toClassicBpf: its programs say what the interpreter says", () => {
  let pushed = 0;
  for (const { text, plan, compiled } of meanings) {
    const program = attempt(() => bpfInstructions(toClassicBpf(compiled).bytes));
    if (program === undefined) continue;
    const wanted = packets.map(({ bytes, wireLength }) => judged(plan, bytes, wireLength));
    const said = packets.map(({ bytes, wireLength }) => runBpf(program, bytes, wireLength) !== 0);
    assertSame(said, wanted, `classic BPF of ${text}`);
    pushed++;
  }
  assert(pushed > meanings.length * 0.98, `${pushed} of ${meanings.length} can be pushed`);
});

const kernelTest = (name: string, fn: () => Promise<void>) =>
  Deno.test({
    name: noKernelBpf === undefined ? name : `${name} (${noKernelBpf})`,
    ignore: noKernelBpf !== undefined,
    fn,
  });

kernelTest(
  "toEbpf: the verifier takes every program, which says what the interpreter says",
  async () => {
    const programs = meanings.map(({ compiled }) => toEbpf(compiled).bytes);
    const outcomes = await kernelVerdicts(programs, whole);
    outcomes.forEach(({ refused, log, accepted }, i) => {
      const { text, plan } = meanings[i];
      assertEquals(refused, 0, `${text}: ${log}\n${rerun}`);
      const wanted = whole.map((bytes, at) =>
        accepted[at] === undefined ? undefined : judged(plan, bytes, bytes.length)
      );
      assertSame(accepted, wanted, `eBPF of ${text}`);
    });
  },
);

kernelTest(
  "toClassicBpf: the kernel takes every program, which says what the interpreter says",
  async () => {
    const some = whole.filter((_, i) => i % CLASSIC_EVERY === 0);
    const programs = meanings.flatMap(({ text, plan, compiled }) => {
      const bytes = attempt(() => toClassicBpf(compiled).bytes);
      return bytes === undefined ? [] : [{ text, plan, bytes }];
    });
    const outcomes = await kernelClassicVerdicts(programs.map(({ bytes }) => bytes), some);
    outcomes.forEach(({ refused, log, accepted }, i) => {
      const { text, plan } = programs[i];
      assertEquals(refused, 0, `${text}: ${log}\n${rerun}`);
      assertSame(
        accepted,
        some.map((bytes) => judged(plan, bytes, bytes.length)),
        `classic BPF in the kernel of ${text}`,
      );
    });
  },
);

/** Of all kinds; and ticks. */
function somePackets(): FilterPacket[] {
  const all = filterPackets(), ticks = 64, step = all.length / (PACKETS - ticks);
  const kept = Array.from({ length: PACKETS - ticks }, (_, i) => all[Math.floor(i * step)]);
  const random = seededRandom(seed);
  return [
    ...kept,
    ...Array.from({ length: ticks }, () => {
      const bytes = tickPacket({
        instrument: random() % 12,
        type: random() % 4,
        side: random() % 3,
        price: [0, -0, -1, NaN, Infinity, 99.5, 100.5, 101][random() % 8],
        quantity: random() % 20,
        options: random() % 2 * 4,
      });
      return { bytes, wireLength: bytes.length };
    }),
  ];
}

function judged(plan: Plan, bytes: Uint8Array, wireLength: number): boolean {
  return interpret(plan, bytes, 0, bytes.length, wireLength);
}

function planOf(text: string): Plan | undefined {
  try {
    return meaningOf(text).plan;
  } catch (error) {
    if (error instanceof ExpressionError) return undefined;
    throw error;
  }
}

function attempt<T>(make: () => T): T | undefined {
  try {
    return make();
  } catch (error) {
    if (error instanceof CannotPush) return undefined;
    throw error;
  }
}

function assertSame(
  said: (boolean | undefined)[],
  wanted: (boolean | undefined)[],
  what: string,
): void {
  const wrong = said.findIndex((verdict, i) => verdict !== wanted[i]);
  if (wrong < 0) return;
  throw new Error(
    `${what}: ${said[wrong]}, not ${wanted[wrong]}, of ${packets[wrong].bytes.toHex()}\n${rerun}`,
  );
}
