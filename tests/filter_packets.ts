/**
 * Purpose: packets of all that pcap-filter(7) can tell apart on Ethernet: each kind at least once, then
 * seeded combinations, packets cut at every length, and damaged ones.
 *
 * ```text
 *  kinds()  ─▶ one of each, in Ethernet frames ─┬─▶ as they are
 *  randomTyped() ─▶ seeded ones ────────────────┼─▶ cut after 0, 1, 2, … bytes
 *                                               └─▶ bytes changed; lengths and types wrong
 * ```
 */
import { Dice } from "./dice.ts";
import {
  authentication,
  be16,
  be32,
  ethernet,
  extension,
  geneve,
  ipv4,
  ipv6,
  isis,
  join,
  logicalLink,
  mpls,
  pppoeDiscovery,
  pppoeSession,
  resolution,
  sctp,
  snap,
  tcp,
  text,
  type Typed,
  udp,
  vlan,
} from "./filter_layers.ts";
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

const SEEDED = 1400, CHANGED = 1300, GARBAGE = 120, CUT_UP_TO = 62;

/** A packet of a capture file. */
export interface FilterPacket {
  bytes: Uint8Array;
  /** Its length before it was cut. */
  wireLength: number;
}

/** Some 5,000 packets; a seed gives the same ones everywhere. */
export function filterPackets(seed = 1): FilterPacket[] {
  const dice = new Dice(seed);
  const each = kinds().map((typed) => framed(dice, typed));
  const seeded = Array.from({ length: SEEDED }, () => framed(dice, randomTyped(dice)));
  const good = [...each, ...seeded];
  const changed = Array.from({ length: CHANGED }, () => change(dice, dice.pick(good)));
  const garbage = Array.from({ length: GARBAGE }, () => dice.bytes(dice.below(90)));
  return [
    ...[...good, ...cutEverywhere(), ...changed, ...garbage].map(whole),
    ...Array.from({ length: SEEDED / 4 }, () => recordedInPart(dice, dice.pick(good))),
  ];
}

function whole(bytes: Uint8Array): FilterPacket {
  return { bytes, wireLength: bytes.length };
}

function recordedInPart(dice: Dice, bytes: Uint8Array): FilterPacket {
  const kept = bytes.subarray(0, dice.between(Math.min(12, bytes.length), bytes.length));
  return { bytes: kept, wireLength: bytes.length + dice.pick([0, 0, 1, 1400]) };
}

function framed(dice: Dice, typed: Typed): Uint8Array {
  const packet = ethernet(dice.pick(ETHERNET), dice.pick(ETHERNET), typed);
  return dice.once(3) && packet.length < 60
    ? join(packet, new Uint8Array(60 - packet.length))
    : packet;
}

/** Of packets of many layers: all beginnings. */
function cutEverywhere(): Uint8Array[] {
  const [a, b] = IPV4, [c, d] = IPV6, [to, from] = ETHERNET;
  const inner4 = ipv4(
    { protocol: 6, from: a, to: b, words: 6 },
    tcp(80, 5001, 0x12, text("GET "), 4),
  );
  const inner6 = ipv6({ next: 17, from: c, to: d }, udp(53, 5001, Array(14).fill(7)));
  const tunnel = ipv4(
    { protocol: 17, from: a, to: b },
    udp(5001, 6081, geneve(1, { type: 0x6558, bytes: ethernet(to, from, inner4) }, 4)),
  );
  const outermost = [
    inner4,
    inner6,
    tunnel,
    ipv4({ protocol: 132, from: b, to: a }, sctp(5001, 80)),
    ipv6({ next: 58, from: c, to: d }, join(128, 0, new Uint8Array(10))),
    resolution(0x0806, 1, [to, a, from, b]),
    vlan(7, 0x8100, inner4),
    vlan(100, 0x88a8, vlan(7, 0x8100, inner6)),
    mpls([16, 1024], inner4),
    pppoeSession(1, 0x0021, inner4.bytes),
    snap(0, 0x809b, new Uint8Array(8)),
    isis(15),
  ];
  const all = outermost.map((typed) => ethernet(to, from, typed));
  return all.flatMap((packet) => {
    const lengths = Math.min(packet.length, packet.length > 100 ? packet.length : CUT_UP_TO);
    return Array.from({ length: lengths }, (_, length) => packet.subarray(0, length));
  });
}

/** What damage does: some bytes are others, often where it matters. */
function change(dice: Dice, packet: Uint8Array): Uint8Array {
  const changed = packet.slice();
  for (let n = dice.between(1, 3); n > 0; n--) {
    const at = dice.below(Math.min(changed.length, dice.pick([24, 40, 80])));
    changed[at] = dice.pick([
      0,
      1,
      6,
      17,
      0x45,
      0x46,
      0xff,
      dice.below(256),
      changed[at] ^ 1 << dice.below(8),
    ]);
  }
  if (dice.once(6)) changed.set(be16(dice.pick(ETHER_TYPES)), 12);
  return dice.once(4) ? changed.subarray(0, dice.below(changed.length + 1)) : changed;
}

/** One of each kind. */
function kinds(): Typed[] {
  const dice = new Dice(7);
  const tagged = VLANS.flatMap((id) =>
    [0x8100, 0x88a8, 0x9100].map((tag) => vlan(id, tag, randomIp(dice)))
  );
  return [
    ...PROTOCOLS.flatMap((protocol) => [
      ipv4({ protocol, from: dice.pick(IPV4), to: dice.pick(IPV4) }, upper(dice, protocol)),
      ipv6({ next: protocol, from: dice.pick(IPV6), to: dice.pick(IPV6) }, upper(dice, protocol)),
    ]),
    ...IPV4.flatMap((from) => IPV4.map((to) => ipv4({ protocol: 17, from, to }, ticks(dice)))),
    ...IPV6.flatMap((from) => IPV6.map((to) => ipv6({ next: 6, from, to }, upper(dice, 6)))),
    ...PORTS.flatMap((port) => [port, 5001].map((to) => datagram(dice, port, to))),
    ...everyMessage(dice),
    ...resolutions(dice),
    ...tagged,
    ...tagged.map((inner, i) => vlan(VLANS[i % 5], [0x88a8, 0x8100, 0x9100][i % 3], inner)),
    ...LABELS.flatMap((label) => [1, 2, 3].map((depth) => labelled(dice, label, depth))),
    ...SESSIONS.flatMap((id) =>
      [0x21, 0x57, 0xc021, 0x8021, 0x281].map((p) => session(dice, id, p))
    ),
    ...[0x09, 0x07, 0x19, 0x65, 0xa7].map((code) => pppoeDiscovery(code, 1)),
    ...NETWORK_IDS.flatMap((id) => Array.from({ length: 8 }, () => tunnelled(dice, id))),
    ...linkKinds(dice),
    ...withinOthers(dice),
  ];
}

/** Of most kinds: within one tag, two tags, and a tunnel of Ethernet frames. */
function withinOthers(dice: Dice): Typed[] {
  const tunnelledIp = tunnelled(dice, 1), addresses = { from: IPV4[0], to: IPV4[1] };
  const inner = [
    ...[randomIpv4(dice, 6), randomIpv4(dice, 17), randomIp(dice), tunnelledIp],
    ...[6, 17, 58].map((next) => ipv6({ next, from: IPV6[0], to: IPV6[1] }, upper(dice, next))),
    ...[0, 8].map((type) => ipv4({ protocol: 1, ...addresses }, join(type, new Uint8Array(9)))),
    ...resolutions(dice).slice(0, 12),
    ...linkKinds(dice).filter((_, i) => i % 3 === 0),
    ...decnetKinds().slice(0, 4),
    ...[15, 16, 24].map(isis),
    ...LABELS.flatMap((label) => [1, 2].map((depth) => labelled(dice, label, depth))),
    ...SESSIONS.map((id) => session(dice, id, dice.pick([0x21, 0x57]))),
    ...[pppoeDiscovery(9, 1), logicalLink(0x42, 0x42, [3], new Uint8Array(35))],
  ];
  return inner.flatMap((typed) => [
    vlan(dice.pick(VLANS), dice.pick([0x8100, 0x88a8]), typed),
    vlan(7, 0x88a8, vlan(7, 0x8100, typed)),
    ipv4(
      { protocol: 17, ...addresses },
      udp(5001, 6081, geneve(dice.pick(NETWORK_IDS), { type: 0x6558, bytes: framed(dice, typed) })),
    ),
    ipv4({ protocol: 17, ...addresses }, udp(5001, 6081, geneve(1, typed))),
  ]);
}

function everyMessage(dice: Dice): Typed[] {
  const body = new Uint8Array(24);
  return [
    ...Array.from(
      { length: 20 },
      (_, type) =>
        ipv4({ protocol: 1, from: IPV4[0], to: dice.pick(IPV4) }, join(type, type % 4, body)),
    ),
    ...Array.from({ length: 30 }, (_, i) => i < 5 ? i : 123 + i).map((type) =>
      ipv6({ next: 58, from: IPV6[0], to: dice.pick(IPV6) }, join(type, type % 3, body))
    ),
    ...Array.from(
      { length: 64 },
      (_, flags) =>
        ipv4({ protocol: 6, from: IPV4[1], to: IPV4[0] }, tcp(80, 1024, flags, text("HTTP/1.1"))),
    ),
  ];
}

function resolutions(dice: Dice): Typed[] {
  const four = () => [dice.pick(ETHERNET), dice.pick(IPV4), dice.pick(ETHERNET), dice.pick(IPV4)];
  return [0x0806, 0x8035].flatMap((type) =>
    [1, 2, 3, 4].flatMap((operation) =>
      [0x0800, 0x0800, 0x809b].map((protocol) => resolution(type, operation, four(), protocol))
    )
  );
}

/** What is neither IP nor ARP. */
function linkKinds(dice: Dice): Typed[] {
  const payload = () => dice.bytes(30);
  const saps = [0x00, 0x06, 0x42, 0xaa, 0xe0, 0xf0, 0xfe, 0xff, 0x07];
  const controls = [[0x00, 0x02], [0x01, 0x01], [0x05, 0], [0x09, 0], [0x03], [0x13], [0x0f]];
  const unnumbered = [0x43, 0x53, 0x63, 0x73, 0x6f, 0x7f, 0xaf, 0xbf, 0xe3, 0xf3, 0x87, 0x97];
  return [
    ...ETHER_TYPES.map((type) => ({ type, bytes: payload() })),
    ...saps.flatMap((sap) => controls.map((control) => logicalLink(sap, sap, control, payload()))),
    ...saps.map((sap) => logicalLink(sap, sap ^ 1, [3], payload())),
    ...unnumbered.map((control) => logicalLink(0x42, 0x42, [control], payload())),
    ...[0, 0x080007, 0x00000c, 0x0000f8].flatMap((organisation) =>
      ETHER_TYPES.map((type) => snap(organisation, type, payload()))
    ),
    ...[15, 16, 17, 18, 20, 24, 25, 26, 27, 0].map(isis),
    ...[0x81, 0x82, 0x83].map((id) => logicalLink(0xfe, 0xfe, [3], join(id, payload()))),
    { type: 34, bytes: join(0xff, 0xff, payload(), 0, 0) }, // IPX right behind 802.3's length
    snap(0, 0x8137, payload()),
    logicalLink(0x42, 0x42, [3], new Uint8Array(35)),
    ...decnetKinds(),
    vlan(7, 0x8100, logicalLink(0x42, 0x42, [3], payload())),
    vlan(7, 0x8100, snap(0, 0x0800, upper(dice, 17))),
  ];
}

/** Routing headers of DECnet phase IV: short and long, with and without padding. */
function decnetKinds(): Typed[] {
  const little = (written: string) => {
    const [area, node] = written.split(".").map(Number);
    return be16(area << 10 | node).reverse();
  };
  return DECNET.flatMap((to) => DECNET.map((from) => [little(to), little(from)])).flatMap(
    ([to, from]) => {
      const long = [6, 0, 0, 0xaa, 0, 4, 0, ...to, 0, 0, 0xaa, 0, 4, 0, ...from, 0, 0, 0, 0];
      const short = [2, ...to, ...from, 0];
      const headers = [long, [0x81, ...long], short, [0x81, ...short]];
      return headers.map((header) => ({
        type: 0x6003,
        bytes: join(be16(header.length + 8).reverse(), header, new Uint8Array(8)),
      }));
    },
  );
}

function randomTyped(dice: Dice): Typed {
  switch (dice.below(12)) {
    case 0:
      return vlan(dice.pick(VLANS), dice.pick([0x8100, 0x8100, 0x88a8, 0x9100]), randomTyped(dice));
    case 1:
      return labelled(dice, dice.pick(LABELS), dice.between(1, 3));
    case 2:
      return session(dice, dice.pick(SESSIONS), dice.pick([0x21, 0x57]));
    case 3:
      return tunnelled(dice, dice.pick(NETWORK_IDS));
    case 4:
      return dice.pick(resolutions(dice));
    default:
      return randomIp(dice);
  }
}

function randomIp(dice: Dice): Typed {
  const protocol = dice.pick([6, 6, 6, 17, 17, 17, 17, 132, 1, 58, ...PROTOCOLS]);
  if (dice.below(3) > 0) return randomIpv4(dice, protocol);
  const addresses = { from: dice.pick(IPV6), to: dice.pick(IPV6) }, inner = upper(dice, protocol);
  switch (dice.below(8)) {
    case 0:
      return ipv6({ next: 44, ...addresses }, fragment(dice, protocol, inner));
    case 1: {
      const next = dice.pick([0, 43, 60]);
      return ipv6({ next, ...addresses }, extension(protocol, [1, 4], inner));
    }
    case 2:
      return ipv6({ next: 51, ...addresses }, authentication(protocol, inner));
    case 3: {
      const second = fragment(dice, protocol, inner);
      return ipv6({ next: 0, ...addresses }, extension(44, [1, 4], second));
    }
    default:
      return ipv6({ next: protocol, ...addresses }, inner);
  }
}

function randomIpv4(dice: Dice, protocol: number): Typed {
  const pieces = [0x4000, 0x4000, 0, 0x2000, 0x2001, 0x00b9, 0x1fff, 0x8000];
  const header = {
    protocol,
    from: dice.pick(IPV4),
    to: dice.pick(IPV4),
    words: dice.once(5) ? dice.between(6, 15) : 5,
    fragment: dice.once(4) ? dice.pick(pieces) : 0x4000,
  };
  return ipv4(header, upper(dice, protocol));
}

function fragment(dice: Dice, protocol: number, inner: Uint8Array): Uint8Array {
  return extension(protocol, [...be16(dice.pick([0, 1, 8, 1481])), ...be32(99)], inner);
}

/** What an IP packet of a protocol carries. */
function upper(dice: Dice, protocol: number): Uint8Array {
  const from = dice.pick(PORTS), to = dice.pick(PORTS);
  switch (protocol) {
    case 6: {
      const payload = dice.pick([
        "GET / HTTP/1.1\r\n\r\n",
        "POST /x",
        "HTTP/1.1 200 OK",
        "SSH-2.0-",
        "",
      ]);
      return tcp(from, to, dice.below(256), text(payload), 4 * dice.pick([0, 0, 3, 5, 10]));
    }
    case 17:
      return dice.once(2) ? ticks(dice) : udp(from, to, dice.bytes(dice.pick([0, 14, 30])));
    case 132:
      return sctp(from, dice.once(3) ? from : to);
    case 2:
      return join(dice.pick([0x11, 0x12, 0x16, 0x17, 0x22]), 0, new Uint8Array(6));
    case 51:
      return authentication(6, tcp(from, to, 2, []));
    default:
      return join(dice.pick([0, 3, 8, 11, 128, 135, 136, 143]), dice.below(4), dice.bytes(22));
  }
}

/** A tick as engine/tick.ts has it. */
function ticks(dice: Dice): Uint8Array {
  const payload = new Uint8Array(14), view = new DataView(payload.buffer);
  view.setUint32(0, dice.below(8), true);
  payload.set([dice.below(3), dice.below(2)], 4);
  view.setFloat32(6, dice.between(9000, 11000) / 100, true);
  view.setFloat32(10, dice.below(100), true);
  return udp(dice.pick(PORTS), dice.pick([5001, 5001, 5002]), payload);
}

function datagram(dice: Dice, from: number, to: number): Typed {
  const addresses = { from: dice.pick(IPV4), to: dice.pick(IPV4) };
  return dice.once(2)
    ? ipv4({ protocol: 17, ...addresses }, udp(from, to, dice.bytes(14)))
    : ipv4({ protocol: 6, ...addresses }, tcp(from, to, 0x18, text("GET /")));
}

function labelled(dice: Dice, label: number, depth: number): Typed {
  const above = Array.from({ length: depth - 1 }, () => dice.pick(LABELS));
  return mpls([...above, label], randomIp(dice), dice.pick([0x8847, 0x8847, 0x8848]));
}

function session(dice: Dice, id: number, protocol: number): Typed {
  const carried = protocol === 0x281
    ? labelled(dice, 16, 1)
    : protocol > 0x8000
    ? { bytes: Uint8Array.of(1, 1, 0, 4) }
    : randomIp(dice);
  return pppoeSession(id, protocol, carried.bytes);
}

function tunnelled(dice: Dice, id: number): Typed {
  const ip = randomIp(dice), options = dice.pick([0, 0, 4, 12, 252]);
  const frame = () => framed(dice, dice.once(3) ? randomTyped(dice) : ip);
  const inner = dice.once(2) ? ip : { type: 0x6558, bytes: frame() };
  const payload = udp(dice.pick(PORTS), dice.once(8) ? 6080 : 6081, geneve(id, inner, options));
  return dice.once(3)
    ? ipv6({ next: 17, from: IPV6[0], to: IPV6[1] }, payload)
    : ipv4({ protocol: 17, from: IPV4[0], to: IPV4[1], words: dice.pick([5, 5, 7]) }, payload);
}
