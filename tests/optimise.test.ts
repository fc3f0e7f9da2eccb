/** The optimiser and the compilers on plans of any shape, as no expression makes them: against the interpreter. */
import { assert } from "@std/assert";
import { CannotPush } from "../filter/expression/compilers/cannot_push.ts";
import { bpfInstructions } from "../filter/expression/compilers/bpf_instruction.ts";
import { toClassicBpf } from "../filter/expression/compilers/to_classic_bpf.ts";
import { compileMatches } from "../filter/expression/expression.ts";
import { interpret } from "../filter/expression/interpret.ts";
import { optimise } from "../filter/expression/plan/optimise.ts";
import { searched } from "../filter/expression/plan/order.ts";
import {
  ACCEPT,
  type Block,
  type Plan,
  reachable,
  REJECT,
} from "../filter/expression/plan/plan.ts";
import { number } from "../filter/expression/plan/tree.ts";
import { runBpf } from "./bpf_interpreter.ts";
import { withSeeds } from "./engine_seed.ts";
import type { FilterPacket } from "./filter_packets.ts";
import { FullRing } from "./full_ring.ts";
import { type Random, randomValue } from "./random_tree.ts";

const PLANS = 1500, PACKETS = 64, LOOP_EVERY = 5;
const RELATIONS = ["==", "==", ">", ">="] as const;

Deno.test("optimise, searched and the compilers keep the verdict of plans of any shape", async () => {
  await withSeeds(import.meta.url, (random) => {
    const packets = Array.from({ length: PACKETS }, () => shortPacket(random));
    const ring = new FullRing(random, packets, 64);
    let accepted = 0;
    for (let i = 0; i < PLANS; i++) {
      const plan = randomPlan(random), best = optimise(plan), text = JSON.stringify(plan);
      const wanted = packets.map((packet) => judge(plan, packet));
      const same = (name: string, said: (boolean | undefined)[]) =>
        said.forEach((verdict, at) => {
          const { bytes, wireLength } = packets[at];
          assert(verdict === wanted[at], `${name}: ${bytes}, ${wireLength} on the wire: ${text}`);
        });
      same("optimise", packets.map((packet) => judge(best, packet)));
      same("searched", packets.map((packet) => judge(searched(plan), packet)));
      for (const made of [plan, best]) {
        const matches = compileMatches(made)!;
        same("function", packets.map((p) => matches(p.bytes, 0, p.bytes.length, p.wireLength)));
      }
      if (i % LOOP_EVERY === 0) same("loop", ring.verdicts(best)!.map((verdict) => verdict === 1));
      const program = pushed(best);
      if (program !== undefined) {
        same("classic BPF", packets.map((p) => runBpf(program, p.bytes, p.wireLength) !== 0));
      }
      accepted += wanted.filter((verdict) => verdict).length;
    }
    const share = accepted / PLANS / PACKETS;
    assert(share > 0.05 && share < 0.95, `${share} of all accepted`);
  });
});

function judge(plan: Plan, { bytes, wireLength }: FilterPacket): boolean {
  return interpret(plan, bytes, 0, bytes.length, wireLength);
}

function pushed(plan: Plan) {
  try {
    return bpfInstructions(toClassicBpf(plan).bytes);
  } catch (error) {
    if (error instanceof CannotPush) return undefined;
    throw error;
  }
}

function shortPacket(random: Random): FilterPacket {
  const bytes = Uint8Array.from(
    { length: random() % 40 },
    () => random() % 4 ? random() % 5 : random(),
  );
  return { bytes, wireLength: bytes.length + (random() % 3 === 0 ? random() % 5 : 0) };
}

/** Few values, asked again and again; both ways of a block may lead to the same place, and numbers stand anywhere. */
function randomPlan(random: Random): Plan {
  const count = 1 + random() % 25, isList = random() % 3 === 0, largest = 2 + random() % 10;
  const values = Array.from({ length: 1 + random() % 5 }, () => randomValue(random, random() % 3));
  const pick = <T>(list: readonly T[]) => list[random() % list.length];
  const blocks = Array.from({ length: count }, (_, i): Block => {
    const later = count - i - 1;
    const way = () => {
      if (later === 0 || random() % 3 === 0) return random() % 2 === 0 ? ACCEPT : REJECT;
      return i + 1 + (random() % 2 === 0 ? 0 : random() % later);
    };
    const inList = isList && random() % 8 !== 0;
    return {
      relation: inList ? "==" : pick(RELATIONS),
      left: pick(values),
      right: random() % 8 === 0 ? pick(values) : number(random() % largest),
      yes: inList ? ACCEPT : way(),
      no: inList && later > 0 ? i + 1 : way(),
    };
  });
  return reachable({ entry: 0, blocks });
}
