/**
 * Names of ports. What netmap names mean was observed of libnetmap itself (commit 89607e1406c1); where we
 * differ on purpose, the table says why.
 */

import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import type { NetmapConf, NetmapName } from "../ffi/netmap_name.ts";
import { parsePortName } from "../ffi/port_name.ts";

const LONG = "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffggg"; // 63 characters

type Expected = Partial<Omit<NetmapName, "conf">> & { conf?: Partial<NetmapConf> };

/** Register modes. */
const HOST = 2, NIC_AND_HOST = 3, ONE = 4, ONE_HOST = 8;

const understood: Record<string, Expected> = {
  "netmap:eth0": {},
  // Rings.
  "netmap:eth0*": { mode: NIC_AND_HOST },
  "netmap:eth0^": { mode: HOST },
  "netmap:eth0^0": { mode: ONE_HOST },
  "netmap:eth0^3": { mode: ONE_HOST, ringId: 3 },
  "netmap:eth0-2": { mode: ONE, ringId: 2 },
  "netmap:eth0-01": { mode: ONE, ringId: 1 },
  "netmap:eth0-4094": { mode: ONE, ringId: 4094 },
  // Names of interfaces.
  "netmap:eth0+": { device: "eth0+" },
  "netmap:eth0.5": { device: "eth0.5" },
  "netmap:a:b": { device: "a:b" },
  [`netmap:${LONG}`]: { device: LONG },
  // Flags.
  "netmap:eth0/x": { flags: 0x800 },
  "netmap:eth0/xx": { flags: 0x800 },
  "netmap:eth0/R": { flags: 0x2000 },
  "netmap:eth0/T": { flags: 0x4000 },
  "netmap:eth0/RT": { flags: 0x6000 },
  "netmap:eth0/zrt": { flags: 0x700 },
  "netmap:eth0-1/Rx": { mode: ONE, ringId: 1, flags: 0x2800 },
  "netmap:eth0*/x": { mode: NIC_AND_HOST, flags: 0x800 },
  "netmap:eth0^/x": { mode: HOST, flags: 0x800 },
  // Memory.
  "netmap:eth0@5": { memoryId: 5 },
  "netmap:eth0@5@5": { memoryId: 5 },
  "netmap:eth0@65535": { memoryId: 65535 },
  "netmap:eth0@5/x": { flags: 0x800, memoryId: 5 },
  "netmap:eth0/xtrz@12": { flags: 0xf00, memoryId: 12 },
  "netmap:eth0^1/x@7": { mode: ONE_HOST, ringId: 1, flags: 0x800, memoryId: 7 },
  "netmap:eth0^@5": { mode: HOST, memoryId: 5 },
  // Pipes.
  "netmap:x{1": { device: "x{1" },
  "netmap:x}1": { device: "x}1" },
  "netmap:x{a_b": { device: "x{a_b" },
  "netmap:{1": { device: "{1" },
  "netmap:x{1-0": { device: "x{1", mode: ONE },
  "netmap:x{1^": { device: "x{1", mode: HOST },
  "netmap:x{1/x": { device: "x{1", flags: 0x800 },
  "netmap:x{1@3": { device: "x{1", memoryId: 3 },
  "netmap:x}a-1@4@conf:slots=8": {
    device: "x}a",
    mode: ONE,
    ringId: 1,
    memoryId: 4,
    conf: { txSlots: 8, rxSlots: 8 },
  },
  // VALE.
  "vale0:a": { device: "vale0:a" },
  "vale:a": { device: "vale:a" },
  "valexyz_1:p": { device: "valexyz_1:p" },
  "vale0::a": { device: "vale0::a" },
  "vale0:a{1": { device: "vale0:a{1" },
  "vale0:a-1": { device: "vale0:a", mode: ONE, ringId: 1 },
  "vale0:a/x": { device: "vale0:a", flags: 0x800 },
  "vale0:a@3": { device: "vale0:a", memoryId: 3 },
  "vale0:eth0^": { device: "vale0:eth0", mode: HOST },
  "vale0:eth0*": { device: "vale0:eth0", mode: NIC_AND_HOST },
  // Options.
  "netmap:eth0@conf:": {},
  "netmap:eth0@conf:rings=4,tx-slots=512": { conf: { txRings: 4, rxRings: 4, txSlots: 512 } },
  "netmap:eth0@conf:host-rings=2": { conf: { hostTxRings: 2, hostRxRings: 2 } },
  "netmap:eth0@3@conf:rx_slots=9,tx_rings=2": { memoryId: 3, conf: { rxSlots: 9, txRings: 2 } },
  "netmap:eth0-1/R@conf:rings=2": {
    mode: ONE,
    ringId: 1,
    flags: 0x2000,
    conf: { txRings: 2, rxRings: 2 },
  },
  "netmap:eth0@conf:rings=1@conf:slots=2": {
    conf: { txRings: 1, rxRings: 1, txSlots: 2, rxSlots: 2 },
  },
  "netmap:eth0@conf:tx-rings=2,rings=4": { conf: { txRings: 2, rxRings: 4 } },
  "netmap:eth0@conf:rings=4,tx-rings=2": { conf: { txRings: 2, rxRings: 4 } },
  "netmap:eth0@share=netmap:eth1": { share: "eth1" },
  "netmap:eth0@share:port=vale0:b": { share: "vale0:b" },
  "netmap:eth0@extmem=/mnt/huge/m": { extmemFile: "/mnt/huge/m" },
  "netmap:eth0@extmem:file=/m,if-num=1,buf_num=7": {
    extmemFile: "/m",
    extmem: [1, 0, 0, 0, 7, 0],
  },
  // libnetmap knows offsets, but only where the application has asked for them; we always do.
  "netmap:eth0@offset=4": { offset: { initial: 4, bits: 0 } },
  "netmap:eth0@offset:initial=64,bits=16": { offset: { initial: 64, bits: 16 } },
};

/** What libnetmap refuses too, and what we say. */
const refused: Record<string, string> = {
  "netmap:eth0-4095": "ring 4095 is not below 4095",
  "netmap:eth0^4095": "ring 4095 is not below 4095",
  "netmap:eth0-99999999999": "ring 99999999999 is not below 4095",
  "netmap:eth0-": `no ring number after "-"`,
  "netmap:eth0-x": `no ring number after "-"`,
  "netmap:br-lan": `no ring number after "-"`,
  "netmap:eth0-1-2": `unexpected "-2"`,
  "netmap:eth0*3": `unexpected "3"`,
  "netmap:eth0^x": `unexpected "x"`,
  "netmap:eth0/": `no flags after "/"`,
  "netmap:eth0^/": `no flags after "/"`,
  "netmap:eth0/V": `unknown flag "V"`,
  "netmap:eth0/x/R": `unknown flag "/"`,
  "netmap:eth0@5-1": `unexpected "-1"`,
  "netmap:eth0@5x": `unexpected "x"`,
  "netmap:eth0@": "empty option",
  "netmap:eth0@5@": "empty option",
  "netmap:eth0@0": "memory 0 is not 1 to 65535",
  "netmap:eth0@5@6": "two memories",
  "netmap:eth0@-5": `unknown option "-5"`,
  "netmap:x{": `pipe name "" is not an identifier`,
  "netmap:x{1}2": `pipe name "1}2" is not an identifier`,
  "netmap:x}a.b": `pipe name "a.b" is not an identifier`,
  "netmap:": "empty port",
  "netmapx:eth0": `"x" between "netmap" and ":"`,
  "netmap": `missing ":"`,
  "vale-0:a": `switch name "-0" is not an identifier`,
  [`netmap:${LONG}g`]: "longer than 63 characters",
  [`vale0:${LONG}`]: "longer than 63 characters",
  "netmap:eth0@conf": `nothing after "conf"`,
  "netmap:eth0@share": `nothing after "share"`,
  "netmap:eth0@extmem": `nothing after "extmem"`,
  "netmap:eth0@conf=3": `"=" after "conf"`,
  "netmap:eth0@conf:rings": `no value for "rings" of "conf"`,
  "netmap:eth0@conf:rings=1,": `no value for "" of "conf"`,
  "netmap:eth0@conf:foo=1": `unknown key "foo" of "conf"`,
  "netmap:eth0@conf:rings=1,rings=2": `"rings" of "conf" twice`,
  "netmap:eth0@conf:tx-rings=1,tx_rings=2": `"tx_rings" of "conf" twice`,
  "netmap:eth0@conf:host-rings=2,slots=256@5": `unknown option "5"`,
  "netmap:eth0@@conf:rings=1": "empty option",
  "netmap:eth0@conf:rings=1@": "empty option",
  "netmap:eth0@share:": `"share" needs "port"`,
  "netmap:eth0@extmem:if_num=1": `"extmem" needs "file"`,
  "netmap:eth0@nope=1": `"=" after "nope"`,
  "netmap:eth0@nope:a=1": `unknown option "nope"`,
};

/** What libnetmap takes and we refuse. */
const refusedByUs: Record<string, string> = {
  // It wraps around to 1.
  "netmap:eth0@65537": "memory 65537 is not 1 to 65535",
  // It passes a switch without a port on to the kernel.
  "vale0:": "empty port",
  "vale:": "empty port",
  // It reads numbers with atoi, and cuts them to 16 bits.
  "netmap:eth0@conf:rings=": `no value for "rings=" of "conf"`,
  "netmap:eth0@conf:rings=x": `"rings" is not a number: "x"`,
  "netmap:eth0@conf:rings=-1": `"rings" is not a number: "-1"`,
  "netmap:eth0@conf:rings=0x10": `"rings" is not a number: "0x10"`,
  "netmap:eth0@conf:rings=1=2": `"rings" is not a number: "1=2"`,
  "netmap:eth0@conf:rings=70000": `"rings" is above 65535: "70000"`,
  "netmap:eth0@conf:slots=99999999999": `"slots" is above 2147483647: "99999999999"`,
};

Deno.test("parsePortName understands netmap names as libnetmap does", () => {
  const none = { txRings: 0, rxRings: 0, hostTxRings: 0, hostRxRings: 0, txSlots: 0, rxSlots: 0 };
  const plain = { device: "eth0", mode: 1, ringId: 0, flags: 0, memoryId: 0 };
  const options = { share: "", extmemFile: "", extmem: [0, 0, 0, 0, 0, 0] };
  for (const [text, expected] of Object.entries(understood)) {
    const conf = { ...none, ...expected.conf };
    const netmap = { ...plain, ...options, ...expected, conf };
    assertEquals(parsePortName(text), { kind: "netmap", text, netmap }, text);
  }
});

Deno.test("parsePortName refuses the netmap names that libnetmap refuses", () => {
  for (const [text, state] of Object.entries(refused)) assertNetmapRefuses(text, state);
});

Deno.test("parsePortName refuses what libnetmap would cut or guess", () => {
  for (const [text, state] of Object.entries(refusedByUs)) assertNetmapRefuses(text, state);
});

function assertNetmapRefuses(text: string, state: string): void {
  const { message } = assertThrows(() => parsePortName(text), TypeError);
  assertEquals(
    message,
    `Cannot parse port name "${text}": ${state}: see netmap(4), for example "netmap:eth0-2"`,
  );
}

/* ---- the other kinds ---- */

Deno.test("parsePortName understands ports of soft switches and ends of pipes", () => {
  const id = "a".repeat(31);
  const cases = [
    ["soft:lab:1", { kind: "switch", network: "lab", port: "1" }],
    [`soft:${id}:${id}`, { kind: "switch", network: id, port: id }],
    ["soft:a_-B:c_-D", { kind: "switch", network: "a_-B", port: "c_-D" }],
    ["soft:lab{1", { kind: "pipe", network: "lab", pipe: "1", end: 0 }],
    ["soft:lab}x-y", { kind: "pipe", network: "lab", pipe: "x-y", end: 1 }],
  ] as const;
  for (const [text, expected] of cases) {
    assertEquals(parsePortName(text) as unknown, { ...expected, text });
  }
});

Deno.test("parsePortName refuses soft names that are no file's or port's", () => {
  const long = "a".repeat(32);
  const wrong = [
    "soft:",
    "soft:lab",
    "soft:lab:",
    "soft::1",
    "soft:lab:1:2",
    "soft:lab{",
    "soft:{1",
    "soft:lab{1}2",
    "soft:lab:1{2",
    "soft:../x:1",
    "soft:a/b:1",
    "soft:lab:1 ",
    "soft:lab:1\n",
    "soft:lab:ä",
    `soft:${long}:1`,
    `soft:lab:${long}`,
  ];
  for (const text of wrong) {
    const { message } = assertThrows(() => parsePortName(text), TypeError);
    assertEquals(
      message,
      `Cannot parse port name "${text}": not a switch port or a pipe end of letters, digits, "_", "-", ` +
        `31 each at most: use one like "soft:lab:1", "soft:lab{1"`,
    );
  }
});

Deno.test("parsePortName understands addresses, ports and interfaces of sockets", () => {
  const cases = [
    ["udp:0.0.0.0:5001", 0, 5001, ""],
    ["udp:127.0.0.1:1", 0x7f000001, 1, ""],
    ["udp:255.255.255.255:65535", 0xffffffff, 65535, ""],
    ["udp:239.1.1.1:5001@eth0", 0xef010101, 5001, "eth0"],
    ["udp:239.1.1.1:5001@eth0.100", 0xef010101, 5001, "eth0.100"],
    ["udp:239.1.1.1:5001@abcdefghijklmno", 0xef010101, 5001, "abcdefghijklmno"],
  ] as const;
  for (const [text, address, port, name] of cases) {
    assertEquals(parsePortName(text), { kind: "udp", text, address, port, interface: name });
  }
});

Deno.test("parsePortName refuses what is no socket's address", () => {
  const cases = [
    ["udp:", "not udp:ADDRESS:PORT"],
    ["udp:5001", "not udp:ADDRESS:PORT"],
    ["udp:::1:5001", "not udp:ADDRESS:PORT"],
    ["udp::5001", `"" is not an IPv4 address`],
    ["udp:localhost:5001", `"localhost" is not an IPv4 address`],
    ["udp:1.2.3:5001", `"1.2.3" is not an IPv4 address`],
    ["udp:1.2.3.256:5001", `"1.2.3.256" is not an IPv4 address`],
    ["udp:1.2.3.04:5001", `"1.2.3.04" is not an IPv4 address`],
    ["udp:1.2.3.4:", `port "" is not 1 to 65535`],
    ["udp:1.2.3.4:0", `port "0" is not 1 to 65535`],
    ["udp:1.2.3.4:65536", `port "65536" is not 1 to 65535`],
    ["udp:1.2.3.4:-1", `port "-1" is not 1 to 65535`],
    ["udp:1.2.3.4:1e3", `port "1e3" is not 1 to 65535`],
    ["udp:1.2.3.4:5001@", `"" is not an interface's name`],
    ["udp:1.2.3.4:5001@a b", `"a b" is not an interface's name`],
    ["udp:1.2.3.4:5001@a/b", `"a/b" is not an interface's name`],
    ["udp:1.2.3.4:5001@abcdefghijklmnop", `"abcdefghijklmnop" is not an interface's name`],
  ];
  for (const [text, state] of cases) {
    const { message } = assertThrows(() => parsePortName(text), TypeError);
    assertEquals(
      message,
      `Cannot parse port name "${text}": ${state}: use one like "udp:0.0.0.0:5001", "udp:239.1.1.1:5001@eth0"`,
    );
  }
});

Deno.test("parsePortName refuses unknown kinds", () => {
  for (const text of ["", "eth0", "vale0", "vale", "NETMAP:eth0", "tap:0", " soft:lab:1", "soft"]) {
    const { message } = assertThrows(() => parsePortName(text), TypeError);
    assertEquals(
      message,
      `Cannot parse port name "${text}": unknown kind: use one like "netmap:eth0", "vale0:1", ` +
        `"soft:lab:1", "soft:lab{1", "udp:0.0.0.0:5001", "xdp:eth0", "packet:eth0", "pcap:FILE"`,
    );
  }
});

Deno.test("parsePortName understands interfaces with queues, interfaces with fanout groups, and files", () => {
  const cases = [
    ["xdp:eth0", { kind: "xdp", interface: "eth0" }],
    ["xdp:eth0-0", { kind: "xdp", interface: "eth0", queue: 0 }],
    ["xdp:eth0.7-63", { kind: "xdp", interface: "eth0.7", queue: 63 }],
    ["xdp:br-lan", { kind: "xdp", interface: "br-lan" }],
    ["xdp:br-2-0", { kind: "xdp", interface: "br-2", queue: 0 }],
    ["packet:lo", { kind: "packet", interface: "lo" }],
    ["packet:br-2", { kind: "packet", interface: "br-2" }],
    ["packet:eth0@0", { kind: "packet", interface: "eth0", fanout: 0 }],
    ["packet:eth0@65535", { kind: "packet", interface: "eth0", fanout: 65535 }],
    ["pcap:a b/c:d.pcap", { kind: "pcap", file: "a b/c:d.pcap" }],
    ["pcap:-", { kind: "pcap", file: "-" }],
  ] as const;
  for (const [text, expected] of cases) {
    assertEquals(parsePortName(text) as unknown, { ...expected, text });
  }
});

Deno.test("parsePortName refuses what is no interface, group or file", () => {
  const cases = [
    ["xdp:", /"" is not an interface's name: use one like "xdp:eth0", "xdp:eth0-2"$/],
    ["xdp:-1", /"" is not an interface's name/],
    ["xdp:a b", /"a b" is not an interface's name/],
    ["xdp:a/b", /"a\/b" is not an interface's name/],
    ["xdp:abcdefghijklmnop", /"abcdefghijklmnop" is not an interface's name/],
    ["xdp:eth0\n", /is not an interface's name/],
    ["packet:", /"" is not an interface's name: use one like "packet:eth0", "packet:eth0@7"$/],
    ["packet:..", /"\.\." is not an interface's name/],
    ["packet:eth0@", /fanout group "" is not 0 to 65535/],
    ["packet:eth0@x", /fanout group "x" is not 0 to 65535/],
    ["packet:eth0@65536", /fanout group "65536" is not 0 to 65535/],
    ["pcap:", /no file: use one like "pcap:trace.pcap", "pcap:-"$/],
  ] as const;
  for (const [text, expected] of cases) {
    const { message } = assertThrows(() => parsePortName(text), TypeError);
    assertMatch(message, expected);
  }
});
