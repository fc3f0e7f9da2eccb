/**
 * Purpose: the arguments of `deno task capture` that say which packets are wanted: an expression, and where it
 * runs; whether they are to carry ticks, and of these which.
 */
import { type CommandLine, typed } from "../ffi/command_line.ts";
import { parseIPv4 } from "../ffi/ipv4_address.ts";
import { asUsage, choiceOption, UsageError } from "../ffi/usage.ts";
import { ExpressionError } from "../filter/expression/expression_error.ts";
import { PacketFilter, type PacketFilterOptions } from "../filter/packet_filter.ts";
import { type Push, PUSHES } from "./push_filter.ts";

/** Options without effect where nothing is decoded, and what to do instead. */
const FOR_TICKS: Record<string, string> = {
  p: `say it in the filter, as in -f "udp dst port 5001"`,
  d: `say it in the filter, as in -f "dst host 10.0.0.2"`,
  "ring-size": "leave it out, for there is no ring of ticks",
  "engine-core": "leave it out, for no engine runs",
};

/** What the arguments say of it. */
export interface FilterArguments {
  /** What travels to the capture threads. */
  options: PacketFilterOptions;
  /** The same, compiled. */
  filter: PacketFilter;
  push: Push;
}

/**
 * Checks them, and compiles the expression.
 *
 * @throws {UsageError} for what is wrong; for an expression it shows the place.
 */
export function filterArguments(
  line: CommandLine,
  number: (flag: string, low: number, high: number) => number,
): FilterArguments {
  const { values, switches } = line, expression = values.f;
  checkWords(line);
  const decode = !switches["no-decode"];
  const useless = decode ? undefined : line.changed(Object.keys(FOR_TICKS));
  if (useless !== undefined) {
    throw new UsageError(
      `Cannot use ${typed(useless)}: --no-decode looks for no ticks: ${FOR_TICKS[useless]}`,
    );
  }
  if (expression === undefined && line.changed(["push"]) !== undefined) {
    throw new UsageError(`Cannot use --push: there is no expression to push: give -f EXPRESSION`);
  }
  const options = decode
    ? {
      expression,
      destinationPort: number("p", 0, 65535),
      destinationAddress: values.d === undefined ? undefined : asUsage(() => parseIPv4(values.d)),
    }
    : { expression, decode };
  const push = choiceOption("--push", values.push, PUSHES);
  return { options, filter: compiled(options), push };
}

/** Of a filter without quotes the shell makes several words. */
function checkWords({ words, values }: CommandLine): void {
  if (words.length === 0) return;
  const state = `Cannot use "${words[0]}"`;
  throw new UsageError(
    values.f === undefined
      ? `${state}: no such option: see --help`
      : `${state}: a filter is one argument: put it in quotes, as in -f '${
        [values.f, ...words].join(" ")
      }'`,
  );
}

function compiled(options: PacketFilterOptions): PacketFilter {
  try {
    return new PacketFilter(options);
  } catch (error) {
    if (error instanceof ExpressionError) throw new UsageError(error.message);
    throw error;
  }
}
