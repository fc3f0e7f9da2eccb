/**
 * Purpose: an expression as it is written, before it is known what its words mean on Ethernet: what the
 * parser makes and `expand` reads. Qualifiers that a value took over from the one before it
 * ("port 80 or 443") stand in both.
 */

/** A place in the text: its first character and the one behind its last, from 0. */
export interface Span {
  from: number;
  to: number;
}

/** A protocol by its keyword; `ether` is also written link, ppp, slip, fddi, tr, wlan. */
export type Protocol =
  | "ether"
  | "ip"
  | "ip6"
  | "arp"
  | "rarp"
  | "tcp"
  | "udp"
  | "sctp"
  | "icmp"
  | "icmp6"
  | "igmp"
  | "igrp"
  | "pim"
  | "vrrp"
  | "carp"
  | "ah"
  | "esp"
  | "atalk"
  | "aarp"
  | "decnet"
  | "lat"
  | "sca"
  | "moprc"
  | "mopdl"
  | "iso"
  | "esis"
  | "isis"
  | "clnp"
  | "l1"
  | "l2"
  | "iih"
  | "lsp"
  | "snp"
  | "csnp"
  | "psnp"
  | "stp"
  | "ipx"
  | "netbeui";

/** Which end of a packet's way. */
export type Direction = "src" | "dst" | "src or dst" | "src and dst";

/** What a value is. */
export type AddressType = "host" | "net" | "port" | "portrange" | "proto";

/** What stands before a value; what does not, is not there. */
export interface Qualifiers {
  protocol?: Protocol;
  direction?: Direction;
  type?: AddressType;
}

/** What stands behind qualifiers. */
export type Identifier =
  & (
    /** 80, 0x0800, 2130706433 */
    | { kind: "number"; value: number }
    /** 10.1, 10.0.0.1: one to four numbers, of which 255 is not checked; 10.0.0.0/8 and net 10.0.0.0 mask 255.0.0.0 */
    | { kind: "ipv4"; numbers: number[]; prefix?: number; mask?: number[] }
    /** 2001:db8::1, 2001:db8::/32: eight numbers of 16 bits */
    | { kind: "ipv6"; numbers: number[]; prefix?: number }
    /** 02:00:00:00:00:01: six numbers of 8 bits */
    | { kind: "ethernet"; numbers: number[] }
    /** http, 8000-8080, \tcp without the backslash */
    | { kind: "name"; text: string }
  )
  & { at: Span };

/** Numbers of the packet and about it. */
export type Arithmetic =
  & (
    | { kind: "number"; value: number }
    | { kind: "length" }
    /** tcp[13], ip[16:4]; `bytes` is as written, not yet checked. */
    | { kind: "field"; protocol: Protocol; index: Arithmetic; bytes: number; bytesAt: Span }
    | { kind: "negative"; of: Arithmetic }
    | {
      kind: "operation";
      operator: "+" | "-" | "*" | "/" | "%" | "&" | "|" | "^" | "<<" | ">>";
      left: Arithmetic;
      right: Arithmetic;
    }
    /** tick.instrument, tick.type, tick.side */
    | { kind: "tick"; field: "instrument" | "type" | "side" }
  )
  & { at: Span };

/** A comparison as written; `=` is `==`. */
export type SyntaxRelation = "==" | "!=" | "<" | "<=" | ">" | ">=";

/** An expression. */
export type Syntax =
  | { kind: "and" | "or"; parts: Syntax[] }
  | { kind: "not"; part: Syntax }
  | Primitive;

/** What has no and, or, not in it. */
export type Primitive =
  & (
    /** tcp, arp, … alone */
    | { kind: "protocol"; protocol: Protocol }
    | { kind: "address"; qualifiers: Qualifiers; id: Identifier }
    | { kind: "relation"; relation: SyntaxRelation; left: Arithmetic; right: Arithmetic }
    | { kind: "broadcast" | "multicast"; protocol?: Protocol }
    /** less 64: at most; greater 64: at least */
    | { kind: "less" | "greater"; bytes: number }
    /** byte 12 = 8 */
    | { kind: "byte"; offset: number; operator: "&" | "|" | "<" | ">" | "="; value: number }
    | { kind: "vlan" | "mpls" | "pppoes" | "geneve"; number?: number; numberAt?: Span }
    | { kind: "pppoed" }
    /** llc, llc i, llc rnr */
    | { kind: "llc"; type?: string }
    /** tick.price > 100.5; the number as written, not yet rounded to an f32 */
    | {
      kind: "tick amount";
      field: "price" | "quantity";
      relation: SyntaxRelation;
      value: number;
    }
    /** instrument in {1, 2, 10-19}: ranges, both ends included; a single number is a range of one */
    | { kind: "tick set"; field: "instrument" | "type" | "side"; ranges: [number, number][] }
  )
  & { at: Span };
