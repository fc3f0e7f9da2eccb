/** What expressions mean on Ethernet: against tcpdump, and where tcpdump has nothing to say. */
import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { expand, settles } from "../filter/expression/ethernet/expand.ts";
import { ExpressionError } from "../filter/expression/expression_error.ts";
import { interpret } from "../filter/expression/interpret.ts";
import { meaningOf } from "../filter/expression/meaning.ts";
import { parseExpression } from "../filter/expression/language/parser.ts";
import { planOf } from "../filter/expression/plan/plan.ts";
import { etherProtocol, ipProtocol } from "../filter/expression/ethernet/protocol_numbers.ts";
import { serviceOf } from "../filter/expression/ethernet/services.ts";
import { MAX_DEPTH, type Node, type Value } from "../filter/expression/plan/tree.ts";
import { ARITHMETIC, EVERYDAY, PAIRS, PRIMITIVES, REFUSED } from "./filter_corpus.ts";
import { ethernet, ipv4, type Ipv4Header, type Typed, udp, vlan } from "./filter_layers.ts";
import { type FilterPacket, filterPackets } from "./filter_packets.ts";
import { noNames, noTcpdump, Tcpdump } from "./tcpdump_oracle.ts";

const NOT_DEFINED = /geneve|byte \d+ [&|]/; // in libpcap: memory that was not written before it is read
const [BID, ASK] = [0, 1];

function treeOf(text: string, asWritten = false): Node {
  const syntax = parseExpression(text)!;
  return expand(syntax, text, asWritten && settles(syntax));
}

function wants(text: string, bytes: Uint8Array): boolean {
  return interpret(meaningOf(text).plan, bytes, 0, bytes.length);
}

/** A tick: u32 instrument, u8 type, u8 side, f32 price and quantity, little-endian. */
function tick(instrument: number, type: number, side: number, price: number, quantity: number) {
  const bytes = new Uint8Array(14), view = new DataView(bytes.buffer);
  view.setUint32(0, instrument, true);
  bytes.set([type, side], 4);
  view.setFloat32(6, price, true);
  view.setFloat32(10, quantity, true);
  return bytes;
}

function overUdp(payload: Uint8Array, header: Partial<Ipv4Header> = {}): Typed {
  const fields = { protocol: 17, from: "10.0.0.1", to: "10.0.0.2", ...header };
  return ipv4(fields, udp(5000, 5001, payload));
}

function frame(typed: Typed): Uint8Array {
  return ethernet("02:00:00:00:00:02", "02:00:00:00:00:01", typed);
}

Deno.test({
  name: "expand means what tcpdump means: as written without its optimiser, else as either has it",
  ignore: noTcpdump !== undefined || noNames !== undefined,
  async fn() {
    const packets = filterPackets();
    const expressions = [
      ...EVERYDAY,
      ...PRIMITIVES,
      ...ARITHMETIC,
      ...PAIRS.filter((_, i) => i % 5 === 0),
    ]
      .filter((expression) => !NOT_DEFINED.test(expression));
    using tcpdump = new Tcpdump(packets);
    let compared = 0, reordered = 0;
    for (const expression of expressions) {
      const written = await tcpdump.verdicts(expression, true);
      if (written.error !== undefined) {
        assertThrows(() => treeOf(expression), ExpressionError);
        continue;
      }
      compared++;
      const wrong = differing(treeOf(expression, true), packets, written.of);
      assertEquals(wrong, [], `${expression} is not what tcpdump -O says`);
      const others = differing(treeOf(expression), packets, written.of);
      if (others.length === 0) continue;
      const optimised = await tcpdump.verdicts(expression);
      const neither = differing(treeOf(expression), packets, optimised.of);
      assertEquals(neither.filter((i) => others.includes(i)), [], `${expression} is neither`);
      reordered++;
    }
    assert(compared > 300, `only ${compared} expressions`);
    assert(reordered < compared / 10, `${reordered} of ${compared} expressions`);
  },
});

function differing(tree: Node, packets: FilterPacket[], wanted: Uint8Array): number[] {
  const plan = planOf(tree);
  return [...packets.keys()].filter((i) => {
    const { bytes, wireLength } = packets[i];
    return interpret(plan, bytes, 0, bytes.length, wireLength) !== (wanted[i] === 1);
  });
}

Deno.test("expand and parseExpression refuse what tcpdump refuses, and say where", () => {
  for (const expression of REFUSED) {
    const error = assertThrows(() => treeOf(expression), ExpressionError);
    assert(error.offset <= expression.length, expression);
  }
});

Deno.test("expand points at the value that is wrong, or at the primitive whose words do not fit", () => {
  const cases: [text: string, column: number, wrong: string, says: string][] = [
    ["udp and vlan 4096 or arp", 14, "4096", "expected at most 4095"],
    ["mpls ((1048576))", 6, "((1048576))", "expected at most 1048575"],
    ["tcp port 70000", 10, "70000", "port 70000"],
    ["tcp port 80 or 70000", 16, "70000", "port 70000"],
    ["portrange 1-99999", 11, "1-99999", "port 99999"],
    ["host 10.0.0.256", 6, "10.0.0.256", "256 in an address"],
    ["net 10.0.0.1/24", 5, "10.0.0.1/24", "bits are set"],
    ["net 2001:db8::1/32", 5, "2001:db8::1/32", "bits are set"],
    ["host foo.example", 6, "foo.example", "names are not looked up"],
    ["udp dst prot", 9, "prot", '"prot" is no keyword: expected "port"'],
    ["host prot", 6, "prot", "names are not looked up"],
    ["ip proto \\foo", 10, "\\foo", "no protocol in ip"],
    ["udp port http", 10, "http", "a service of tcp"],
    ["tcp and ip[0:3] = 1", 14, "3", "3 bytes"],
    ["ah[0] = 1", 1, "ah[0]", 'no index for "ah"'],
    ["1/0 = 1", 3, "0", "the divisor begins with 0"],
    ["ip[2] % (3 - 3) = 0", 10, "3 - 3", "the divisor is 0"],
    ["len << 32 = 0", 8, "32", "expected at most 31"],
    ["len >> (16 + 16) = 0", 9, "16 + 16", "expected at most 31"],
    ["tcp or ip host 02:00:00:00:00:01", 8, "ip host 02:00:00:00:00:01", '"ether host"'],
  ];
  for (const [text, column, wrong, says] of cases) {
    const error = assertThrows(() => treeOf(text), ExpressionError) as ExpressionError;
    const carets = error.message.split("\n")[2];
    assertStringIncludes(error.message, `: column ${column}: `);
    assertStringIncludes(error.message, says);
    assertEquals(error.offset, column - 1, text);
    assertEquals(carets, " ".repeat(column + 1) + "^".repeat(wrong.length), text);
  }
});

Deno.test("expand shortens the words that it quotes", () => {
  const word = "a".repeat(60_000);
  for (const before of ["host", "src", "port", "portrange", "ip proto"]) {
    const text = `${before} ${word}`;
    const { message } = assertThrows(() => treeOf(text), ExpressionError) as ExpressionError;
    assert(message.length < 400, message.slice(0, 400));
    assertStringIncludes(message, `"${"a".repeat(39)}…" is no `);
  }
});

Deno.test("expand lets vlan move all that is to its right, whatever stands between", () => {
  const tagged = frame(vlan(7, 0x8100, overUdp(tick(1, 1, BID, 1, 1))));
  const untagged = frame(overUdp(tick(1, 1, BID, 1, 1)));
  assert(wants("vlan 7 and udp dst port 5001", tagged));
  assert(!wants("udp dst port 5001 and vlan 7", tagged));
  assert(wants("vlan or udp", tagged));
  assert(!wants("vlan or udp", untagged), "udp is looked for behind a tag");
});

Deno.test("expand rejects a packet that ends before what is read, also below not", () => {
  const whole = frame(overUdp(tick(1, 1, BID, 1, 1))), cut = whole.subarray(0, 36);
  assert(!wants("not udp src port 9", cut.subarray(0, 35)));
  assert(wants("not udp src port 9", whole));
  assert(!wants("not udp src port 9", cut.subarray(0, 34)));
});

Deno.test("expand reads nothing whose value makes no difference", () => {
  const empty = new Uint8Array();
  assert(wants("ether[100] & 0 = 0", empty));
  assert(wants("ether[4:4] & 0xffffffff != 0", empty), "always true for libpcap's optimiser");
  assert(wants("1 = 1 or ip[0] = 4", empty));
  assert(wants("not (ip[0] = 4 and 1 = 2)", empty));
});

Deno.test("expand finds what byte N & M looks at: what was read before", () => {
  const arp = frame({ type: 0x0806, bytes: new Uint8Array(46) });
  assert(wants("arp and byte 3 & 4", arp));
  assert(!wants("arp and byte 3 & 8", arp), "0x0806 has no such bit");
  assert(!wants("byte 3 & 255", arp), "nothing was read before");
  assert(wants("byte 3 | 1", arp));
});

Deno.test("expand compares ticks, and nothing that is none", () => {
  const packet = frame(overUdp(tick(42, 1, ASK, 100.5, 3)));
  const taken = [
    "tick.instrument == 42",
    "tick.side == ask",
    "tick.type != 2",
    "tick.price >= 100.5",
  ];
  for (const expression of [...taken, "tick.price < 100.6", "instrument in {1, 40-43}"]) {
    assert(wants(expression, packet), expression);
  }
  for (const expression of ["tick.side == bid", "tick.price > 100.5", "tick.quantity != 3"]) {
    assert(!wants(expression, packet), expression);
  }
  const others = [
    frame(overUdp(new Uint8Array(15))),
    frame(overUdp(tick(42, 1, ASK, 100.5, 3), { fragment: 0x2000 })),
    frame(overUdp(tick(42, 1, ASK, 100.5, 3), { protocol: 6 })),
  ];
  for (const other of others) assert(!wants("tick.instrument == 42", other));
  assert(
    wants("vlan and tick.instrument == 42", frame(vlan(7, 0x8100, overUdp(tick(42, 1, 1, 1, 1))))),
  );
});

Deno.test("expand lets no relation hold of amounts that are not valid", () => {
  for (const price of [NaN, Infinity, -Infinity, -1, -1e-40]) {
    const packet = frame(overUdp(tick(1, 1, BID, price, 1)));
    for (const relation of ["==", "!=", "<", "<=", ">", ">="]) {
      for (const amount of ["0", "1", "123456789.5"]) {
        assert(
          !wants(`tick.price ${relation} ${amount}`, packet),
          `${price} ${relation} ${amount}`,
        );
      }
    }
  }
});

Deno.test("expand compares amounts as numbers of 32 bits, minus zero as zero", () => {
  const amounts = [0, -0, 0.000001, 0.1, 1, 100.5, 1234567890];
  const is: Record<string, (a: number, b: number) => boolean> = {
    "==": (a, b) => a === b,
    "!=": (a, b) => a !== b,
    "<": (a, b) => a < b,
    "<=": (a, b) => a <= b,
    ">": (a, b) => a > b,
    ">=": (a, b) => a >= b,
  };
  for (const price of amounts) {
    const packet = frame(overUdp(tick(1, 1, BID, price, 1)));
    for (const amount of amounts.slice(2).concat(0)) {
      for (const relation of Object.keys(is)) {
        const text = `tick.price ${relation} ${amount}`;
        const wanted = is[relation](Math.fround(price), Math.fround(amount));
        assertEquals(wants(text, packet), wanted, `${price}: ${text}`);
      }
    }
  }
});

Deno.test("expand finds one of 1000 instruments in few tests", () => {
  const ids = Array.from({ length: 1000 }, (_, i) => 3 * i + 1);
  const tree = treeOf(`instrument in {${ids.join(", ")}}`);
  for (const id of [0, 1, 2, 4, 1499, 1501, 1502, 2998, 2999, 0xffffffff]) {
    const packet = frame(overUdp(tick(id, 1, BID, 1, 1)));
    assertEquals(interpret(planOf(tree), packet, 0, packet.length), ids.includes(id), `${id}`);
  }
  assert(depthOf(tree) < 40);
  const { blocks } = planOf(tree);
  assert(blocks.length < 2000, `${blocks.length} blocks`);
});

Deno.test("expand keeps within MAX_DEPTH what the parser lets through", () => {
  const deep = (begin: string, end: string, n: number) => begin.repeat(n) + "1" + end.repeat(n);
  for (const level of ["tcp[", "ip[", "-("]) {
    const text = `${deep(level, level.endsWith("[") ? "]" : ")", 95)} = 1`;
    for (const asWritten of [false, true]) {
      assert(depthOf(treeOf(text, asWritten)) < MAX_DEPTH, level);
    }
  }
});

Deno.test({
  name: "serviceOf and ipProtocol know all names of netbase, and no other numbers for them",
  ignore: noNames !== undefined,
  fn() {
    const ports = new Map<string, Map<string, number>>();
    for (const [number, names] of listed("/etc/services")) {
      const [port, protocol] = number.split("/");
      if (protocol !== "tcp" && protocol !== "udp") continue;
      for (const name of names) {
        const known = ports.get(name) ?? new Map<string, number>();
        if (!known.has(protocol)) known.set(protocol, Number(port)); // the first one counts
        ports.set(name, known);
      }
    }
    for (const [name, of] of ports) {
      const protocol = of.size === 2 ? undefined : [...of.keys()][0];
      const service = serviceOf(name);
      assertEquals([service?.port, service?.protocol], [[...of.values()][0], protocol], name);
    }
    for (const [number, names] of listed("/etc/protocols")) {
      for (const name of names) assertEquals(ipProtocol(name), Number(number), name);
    }
    assertEquals([etherProtocol("ip6"), etherProtocol("stp")], [0x86dd, 0x42]);
    assertEquals([serviceOf("nothing"), ipProtocol("Tcp")], [undefined, undefined]);
  },
});

/** Number and names of each line. */
function listed(path: string): [string, string[]][] {
  const lines = Deno.readTextFileSync(path).split("\n").map((line) =>
    line.replace(/#.*/, "").trim().split(/\s+/)
  );
  return lines.filter((words) => words.length > 1).map(([name, number, ...more]) => [
    number,
    [name, ...more],
  ]);
}

function depthOf(part: Node | Value): number {
  const inside = Object.values(part).flat().filter((one) => typeof one === "object");
  return 1 + Math.max(0, ...inside.map((one) => depthOf(one as Node)));
}
