/**
 * Purpose: what a filter becomes, for `--print-code`: the tree that its expression means, the loop, and the
 * programs for kernel and driver, whether they run here or not.
 */
import { CannotPush } from "../filter/expression/compilers/cannot_push.ts";
import type { Expression } from "../filter/expression/expression.ts";
import { planSize, printTree } from "../filter/expression/plan/print_tree.ts";
import { toClassicBpf } from "../filter/expression/compilers/to_classic_bpf.ts";
import { toEbpf } from "../filter/expression/compilers/to_ebpf.ts";
import { NOTHING_PLAIN } from "./loop_source.ts";
import type { PushedFilter } from "./push_filter.ts";

/** Each under a heading; the loop alone where there is no expression. */
export function filterCode(
  expression: Expression | undefined,
  loop: string,
  { where, text }: PushedFilter,
): string {
  if (expression === undefined) return loop;
  const { tree, plan } = expression;
  const classic = where === "kernel"
    ? section("classic BPF, as the socket runs it", () => text!)
    : section("classic BPF, for Ethernet packets (not in use)", () => toClassicBpf(plan).text);
  const driver = where === "driver" && text !== undefined
    ? section("eBPF, as the interface's XDP program runs it", () => text)
    : section("eBPF, for an XDP program (not in use)", () => toEbpf(plan).text);
  return [
    section("tree of the expression", () => printTree(tree)),
    section(`JavaScript, the packet loop (${planSize(plan)} a packet at most)`, () => orNone(loop)),
    classic,
    driver,
  ].join("\n");
}

function orNone(loop: string): string {
  if (loop === "") return "none yet: the port has no ring before somebody sends";
  return loop === NOTHING_PLAIN
    ? "none: the expression is too large to compile, or the packets lie where no whole word begins;\n" +
      "it is asked of each packet in turn, which is slower"
    : loop;
}

function section(title: string, make: () => string): string {
  return `--- ${title}\n${orWhyNot(make).trimEnd()}\n`;
}

function orWhyNot(make: () => string): string {
  try {
    return make();
  } catch (error) {
    if (error instanceof CannotPush) return `none: ${error.reason}`;
    throw error;
  }
}
