/**
 * Purpose: random expressions of the filter's language, as text: most are well-formed and about what the
 * packets of the tests have in them; some are not expressions at all.
 */
import type { Dice } from "./dice.ts";
import {
  DECNET,
  ETHER_TYPES,
  ETHERNET,
  IPV4,
  IPV6,
  LABELS,
  NETWORK_IDS,
  PORTS,
  PROTOCOLS,
  SESSIONS,
  VLANS,
} from "./filter_values.ts";

const DAMAGED_ONCE_IN = 25, DEEPEST = 4, DEEPEST_CALCULATION = 3;

const DIRECTIONS = ["", "", "src ", "dst ", "src or dst ", "src and dst ", "dst or src "];
const TYPED_DIRECTIONS = ["src ", "dst ", "src or dst ", "src and dst "];
const WORDS = [
  ..."ip ip6 arp rarp tcp udp sctp icmp icmp6 igmp igrp pim vrrp carp ah esp atalk aarp".split(" "),
  ..."decnet lat sca moprc mopdl iso esis isis clnp l1 l2 iih lsp snp csnp psnp".split(" "),
  ..."stp ipx netbeui llc vlan mpls pppoes pppoed geneve broadcast multicast".split(" "),
];
const INDEXED =
  "ether ether ip ip ip ip6 ip6 arp rarp tcp tcp tcp udp udp sctp icmp icmp6 igmp igrp pim vrrp carp link"
    .split(" ");
const OPERATORS = ["+", "-", "*", "/", "%", "&", "&", "&", "|", "^", "<<", ">>"];
const RELATIONS = ["=", "==", "!=", "<", "<=", ">", ">="];
const FLAGS = [
  "tcp-fin",
  "tcp-syn",
  "tcp-rst",
  "tcp-push",
  "tcp-ack",
  "tcp-urg",
  "tcp-ece",
  "tcp-cwr",
];
const NUMBERS = [
  0,
  1,
  2,
  5,
  15,
  16,
  69,
  255,
  256,
  0x800,
  0xffff,
  0x7fffffff,
  0x80000000,
  0xffffffff,
];
const FAR = [60, 100, 1500, 65535, 0x7fffffff, 0x80000000, 0xfffffff0, 0xffffffff];
/** What is put into an expression to damage it. */
const STRAY = [
  "(",
  ")",
  "and",
  "or",
  "not",
  "=",
  "port",
  "[",
  "]",
  "80",
  "tcp",
  "/",
  ":",
  "-",
  "&",
  "\\",
  "@",
];

/** One expression. */
export function randomExpression(dice: Dice): string {
  const expression = whole(dice, dice.between(0, DEEPEST));
  return dice.once(DAMAGED_ONCE_IN) ? damaged(dice, expression) : expression;
}

/** Mostly no expression: one that is damaged in a few places, or words in any order. */
export function damagedExpression(dice: Dice): string {
  if (dice.once(3)) {
    const words = [
      ...STRAY,
      ...WORDS,
      ...DIRECTIONS,
      ...OPERATORS,
      ...RELATIONS,
      ...FLAGS,
      ...IPV4,
      ...IPV6,
    ];
    return Array.from({ length: dice.between(1, 7) }, () => dice.pick(words)).join(
      dice.pick([" ", " ", ""]),
    );
  }
  let expression = whole(dice, dice.between(0, 2));
  for (let n = dice.between(1, 3); n > 0; n--) {
    expression = dice.once(2) ? damaged(dice, expression) : misspelt(dice, expression);
  }
  return expression;
}

function whole(dice: Dice, depth: number): string {
  if (depth === 0 || dice.once(8)) return primitive(dice);
  const left = whole(dice, depth - 1);
  switch (dice.below(8)) {
    case 0:
      return `${dice.pick(["not ", "!", "not"])}(${left})`;
    case 1:
      return `not ${left}`;
    case 2:
      return `(${left}) ${conjunction(dice)} (${whole(dice, depth - 1)})`;
    case 3:
      return `${dice.pick(MOVING)(dice)} ${conjunction(dice)} ${left}`;
    case 4:
      return `${left} ${conjunction(dice)} not ${primitive(dice)}`;
    default:
      return `${left} ${conjunction(dice)} ${primitive(dice)}`;
  }
}

function conjunction(dice: Dice): string {
  return dice.pick(["and", "and", "and", "or", "or", "&&", "||"]);
}

/** They move what stands behind them. */
const MOVING = [
  (dice: Dice) => dice.once(2) ? "vlan" : `vlan ${dice.pick(VLANS)}`,
  (dice: Dice) => dice.once(2) ? "mpls" : `mpls ${dice.pick(LABELS)}`,
  (dice: Dice) => dice.once(2) ? "pppoes" : `pppoes ${dice.pick(SESSIONS)}`,
  (dice: Dice) => dice.once(2) ? "geneve" : `geneve ${dice.pick(NETWORK_IDS)}`,
];

const PRIMITIVES: ((dice: Dice) => string)[] = [
  (dice) => dice.pick(WORDS),
  (dice) => dice.pick(["ip", "ip6", "tcp", "udp", "arp"]),
  (dice) => hosts(dice, dice.pick(["", "", "ip ", "arp ", "rarp "]), IPV4),
  (dice) => hosts(dice, dice.pick(["", "ip6 "]), IPV6),
  (dice) => hosts(dice, dice.pick(["ether ", "link "]), ETHERNET),
  (dice) => hosts(dice, "decnet ", DECNET),
  (dice) => `${dice.pick(["", "ip ", "arp "])}${dice.pick(DIRECTIONS)}net ${ipv4Net(dice)}`,
  (dice) => `${dice.pick(["", "ip6 "])}${dice.pick(DIRECTIONS)}net ${ipv6Net(dice)}`,
  ports,
  ports,
  portRange,
  (dice) => `${dice.pick(["", "ip ", "ip6 "])}proto ${listOf(dice, PROTOCOLS.map(String))}`,
  (dice) => `ether proto ${listOf(dice, ETHER_TYPES.map((type) => written(dice, type)))}`,
  (dice) =>
    `${dice.pick(["", "ether ", "ip ", "ip6 "])}${
      dice.pick(["multicast", "multicast", "broadcast"])
    }`,
  (dice) => `${dice.pick(["less", "greater"])} ${dice.pick([0, 20, 42, 60, 64, 100, 1500])}`,
  (dice) => `byte ${dice.below(70)} ${dice.pick(["=", "<", ">", "&", "|"])} ${dice.below(256)}`,
  (dice) => `llc ${dice.pick("i s u rr rnr rej ui ua disc dm sabme test xid frmr".split(" "))}`,
  (dice) => dice.pick(MOVING)(dice),
  relation,
  relation,
  relation,
  flags,
];

function primitive(dice: Dice): string {
  return dice.pick(PRIMITIVES)(dice);
}

function hosts(dice: Dice, protocol: string, addresses: readonly string[]): string {
  const typed = protocol === ""
    ? dice.pick(["host ", "src ", "dst host ", "src or dst "])
    : "host ";
  const qualifiers = dice.once(2)
    ? typed
    : `${dice.pick(TYPED_DIRECTIONS)}${dice.pick(["", "host "])}`;
  return `${protocol}${qualifiers}${listOf(dice, addresses)}`;
}

function ports(dice: Dice): string {
  const protocol = dice.pick(["", "", "tcp ", "udp ", "sctp "]);
  return `${protocol}${dice.pick(DIRECTIONS)}port ${
    listOf(dice, PORTS.map((port) => written(dice, port)))
  }`;
}

function portRange(dice: Dice): string {
  const protocol = dice.pick(["", "", "tcp ", "udp ", "sctp "]);
  return `${protocol}${dice.pick(DIRECTIONS)}portrange ${dice.pick(PORTS)}-${dice.pick(PORTS)}`;
}

/** Mostly one value; else several, as lists are written. */
function listOf(dice: Dice, values: readonly string[]): string {
  const [a, b, c] = [dice.pick(values), dice.pick(values), dice.pick(values)];
  switch (dice.below(10)) {
    case 0:
      return `${a} or ${b}`;
    case 1:
      return `(${a} or ${b})`;
    case 2:
      return `(${a} or ${b} or not ${c})`;
    case 3:
      return `${a} and not ${b}`;
    default:
      return a;
  }
}

function ipv4Net(dice: Dice): string {
  const address = dice.pick(IPV4).split(".").map(Number);
  if (dice.once(2)) return address.slice(0, dice.between(1, 4)).join(".");
  const bits = dice.below(33);
  const masked = address.map((byte, i) => byte & 0xff00 >>> Math.min(8, Math.max(0, bits - 8 * i)));
  return `${masked.join(".")}/${bits}`;
}

function ipv6Net(dice: Dice): string {
  return dice.pick([
    "2001:db8::/32",
    "fe80::/10",
    "ff00::/8",
    "2001:db8:0:1::/64",
    "::/0",
    "::1/128",
    "2000::/3",
  ]);
}

function flags(dice: Dice): string {
  const some = dice.once(2) ? dice.pick(FLAGS) : `(${dice.pick(FLAGS)}|${dice.pick(FLAGS)})`;
  return `tcp[tcpflags] & ${some} ${dice.pick(["!= 0", "== 0", `= ${dice.pick(FLAGS)}`])}`;
}

function relation(dice: Dice): string {
  const left = calculation(dice, dice.between(0, DEEPEST_CALCULATION));
  const right = dice.once(4) ? calculation(dice, dice.between(0, 2)) : written(dice, number(dice));
  return `${left} ${dice.pick(RELATIONS)} ${right}`;
}

function calculation(dice: Dice, depth: number): string {
  if (depth === 0) {
    return dice.once(8) ? "len" : dice.once(12) ? written(dice, number(dice)) : field(dice, "");
  }
  switch (dice.below(6)) {
    case 0:
      return field(dice, calculation(dice, depth - 1));
    case 1:
      return `-${calculation(dice, depth - 1)}`;
    case 2:
      return `(${calculation(dice, depth - 1)} ${dice.pick(OPERATORS)} ${field(dice, "")})`;
    default: {
      const right = dice.once(3)
        ? field(dice, "")
        : written(dice, dice.pick([1, 2, 3, 4, 7, 15, number(dice)]));
      return `${calculation(dice, depth - 1)} ${dice.pick(OPERATORS)} ${right}`;
    }
  }
}

/** `index` is nothing, or what is calculated first. */
function field(dice: Dice, index: string): string {
  const near = dice.once(12) ? dice.pick(FAR) : dice.below(44);
  const at = index === "" ? `${near}` : dice.once(2) ? `(${index}) & 31` : `${index} + ${near}`;
  return `${dice.pick(INDEXED)}[${at}${dice.pick(["", "", ":1", ":2", ":2", ":4"])}]`;
}

function number(dice: Dice): number {
  return dice.once(3) ? dice.below(256) : dice.once(6) ? dice.below(2 ** 32) : dice.pick(NUMBERS);
}

function written(dice: Dice, value: number): string {
  return dice.once(4)
    ? `0x${value.toString(16)}`
    : dice.once(12)
    ? `0${value.toString(8)}`
    : `${value}`;
}

/** With a word too few, too many, or another. */
function damaged(dice: Dice, expression: string): string {
  const words = expression.split(" ");
  words.splice(
    dice.below(words.length),
    dice.below(2),
    ...(dice.once(3) ? [] : [dice.pick(STRAY)]),
  );
  return words.join(" ");
}

/** With a character too few, too many, or another. */
function misspelt(dice: Dice, expression: string): string {
  const at = dice.below(expression.length + 1),
    stray = dice.pick([..." ()[]:=<>!&|+-*/%.,_\\0189afxz"]);
  return expression.slice(0, at) + dice.pick(["", stray]) + expression.slice(at + dice.below(2));
}
