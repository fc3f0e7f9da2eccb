/**
 * Purpose: numbers of the packet and comparisons of them: `tcp[13] & 2 != 0`, `len > 100`.
 *
 * A field asks first whether the packet is of its protocol. libpcap's quirks are kept: an operation forgets
 * what its right side asks for, and whether a divisor is 0 is seen by the number that it begins with.
 */
import { type Context, operate, readAt, readNetwork, refuse } from "./context.ts";
import { carries, ETHERTYPE } from "./link_layer.ts";
import { tickField } from "./market_data.ts";
import { ipNumber, isOf } from "./network_layer.ts";
import type { Arithmetic, Primitive, Protocol } from "../language/syntax.ts";
import { isFirstFragment } from "./transport_layer.ts";
import { and, folded, headerBytes, type Node, number } from "../plan/tree.ts";
import { operation, test } from "../plan/tree.ts";
import type { Value } from "../plan/tree.ts";

/** A number, and what must hold before it is computed. */
export interface Computed {
  value: Value;
  tests: Node[];
}

const MOST_LEVELS = 200; // each can make the tree two levels deeper, of MAX_DEPTH
const LAST_PLACE = 0xffffffff;

const BEHIND_LINK = ["ip", "arp", "rarp", "atalk", "decnet", "sca", "lat", "moprc", "mopdl", "ip6"];
const BEHIND_IP = ["tcp", "udp", "sctp", "icmp", "igmp", "igrp", "pim", "vrrp", "carp"];

type Relation = Extract<Primitive, { kind: "relation" }>;

/** A comparison of numbers. */
export function compare(context: Context, { relation, left, right }: Relation): Node {
  const a = compute(context, left, 0), b = compute(context, right, 0);
  const tests = [...a.tests, ...b.tests];
  const compared = test(relation, a.value, b.value);
  if (context.exact) compared.written = "calculated";
  return and(...(context.asWritten ? tests : without(tests)), compared);
}

/** A number. */
function compute(context: Context, syntax: Arithmetic, level: number): Computed {
  if (level > MOST_LEVELS) {
    refuse(context, "nested too deep", `expected ${MOST_LEVELS} levels`, syntax.at);
  }
  switch (syntax.kind) {
    case "number":
      return { value: number(syntax.value), tests: [] };
    case "length":
      return { value: { kind: "length" }, tests: [] };
    case "tick":
      return tickField(context, syntax.field);
    case "negative": {
      const { value, tests } = compute(context, syntax.of, level + 1);
      return { value: operate(context, "-", number(0), value), tests };
    }
    case "field":
      return field(context, syntax, level);
    case "operation": {
      const left = compute(context, syntax.left, level + 1);
      const right = compute(context, syntax.right, level + 1);
      checkOperation(context, syntax, beginning(syntax.right), "begins with");
      if (context.folds || context.asWritten) {
        const [a, b] = [left.value, right.value].map(folded);
        const hides = a.kind === "number" && "<<>>".includes(syntax.operator);
        if (b.kind === "number" && !hides) checkOperation(context, syntax, b.value, "is");
      }
      return {
        value: operate(context, syntax.operator, left.value, right.value),
        tests: left.tests,
      };
    }
  }
}

function checkOperation(
  context: Context,
  { operator, right: { at } }: Extract<Arithmetic, { kind: "operation" }>,
  right: number | undefined,
  how: string,
): void {
  if ("/%".includes(operator) && right === 0) {
    refuse(context, `the divisor ${how} 0`, "expected another number there", at);
  }
  if ((operator === "<<" || operator === ">>") && right !== undefined && right > 31) {
    refuse(context, `the number of bits to shift ${how} ${right}`, "expected at most 31", at);
  }
}

/** The number that the computation begins with, if it does: what libpcap looks at. */
function beginning(syntax: Arithmetic): number | undefined {
  switch (syntax.kind) {
    case "number":
      return syntax.value;
    case "field":
      return beginning(syntax.index);
    case "negative":
      return beginning(syntax.of);
    case "operation":
      return beginning(syntax.left);
    default:
      return undefined;
  }
}

/** Bytes of the packet behind a protocol's header. */
function field(
  context: Context,
  { protocol, index, bytes, bytesAt, at }: Extract<Arithmetic, { kind: "field" }>,
  level: number,
): Computed {
  const { headers } = context;
  if (bytes !== 1 && bytes !== 2 && bytes !== 4) {
    refuse(context, `${bytes} bytes of "${protocol}"`, "expected 1, 2 or 4", bytesAt);
  }
  const { value, tests } = compute(context, index, level + 1);
  if (protocol === "ether") {
    return { value: readIndexed(context, headers.linkHeader, 0, value, bytes), tests };
  }
  if (BEHIND_LINK.includes(protocol)) {
    return {
      value: readIndexed(context, headers.payload, headers.network, value, bytes),
      tests: [...tests, isOf(context, protocol)],
    };
  }
  if (BEHIND_IP.includes(protocol)) {
    const start = (headers.payload.offset + headers.network) >>> 0;
    const header = headerBytes(start, headers.payload.base);
    const base = headers.payload.base === undefined
      ? header
      : operation("+", header, headers.payload.base);
    return {
      value: readIndexed(context, { base, offset: start }, 0, value, bytes),
      tests: [
        carries(context, ETHERTYPE.IP),
        ...tests,
        inIp(context, protocol),
        isFirstFragment(context),
      ],
    };
  }
  if (protocol === "icmp6") {
    return {
      value: readIndexed(context, headers.payload, headers.network + 40, value, bytes),
      tests: [...tests, isOf(context, "ip6"), test("==", readNetwork(context, 6, 1), 58)],
    };
  }
  refuse(
    context,
    `no index for "${protocol}"`,
    `expected ${["ether", ...BEHIND_LINK, ...BEHIND_IP, "icmp6"].join(", ")}`,
    at,
  );
}

/** Whether IPv4 carries the protocol; that it is IPv4 is known. */
function inIp(context: Context, protocol: Protocol): Node {
  if (context.exact) return isOf(context, protocol);
  return test("==", readNetwork(context, 9, 1), ipNumber(protocol));
}

/** Constant parts are summed up and wrap; computed ones wrap without the offset. */
function readIndexed(
  context: Context,
  { base, offset }: { base?: Value; offset: number },
  behind: number,
  index: Value,
  bytes: 1 | 2 | 4,
): Value {
  const at = (offset + behind) >>> 0;
  if (context.asWritten) {
    return readAt({ base: base === undefined ? index : plus(index, base), offset: at }, 0, bytes);
  }
  if (index.kind === "number") {
    const fits = at + index.value <= LAST_PLACE;
    if (context.folds || fits && base === undefined) {
      return readAt({ base, offset }, behind + index.value, bytes);
    }
  }
  return readAt(
    { base: base === undefined ? index : operation("+", base, index), offset: at },
    0,
    bytes,
  );
}

function plus(left: Value, right: Value): Value {
  return { kind: "operation", operator: "+", left, right };
}

/** Tests that were there before ask nothing new. */
function without(tests: Node[]): Node[] {
  const seen = new Set<string>();
  return tests.filter((one) => {
    const text = JSON.stringify(one);
    return !seen.has(text) && seen.add(text);
  });
}
