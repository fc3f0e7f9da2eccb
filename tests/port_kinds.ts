/** The kinds of port that the conformance tests run through, and networks of each for a test alone. */

import { openPort } from "../ffi/open_port.ts";
import { type Port, RX, TX } from "../ffi/port.ts";
import { PortError } from "../ffi/port_error.ts";
import { type Stream, streamOf } from "./port_packets.ts";

/** A kind of port. */
export interface PortKind {
  /** The class, and what it stands for where one class serves several. */
  symbol: string;
  /** Why it cannot be tested here. */
  absent?: string;
  /** What is sent arrives whole; else only the payload does, and headers are the port's. */
  wholePackets: boolean;
  /** What happens to packets that find a receiver's ring full. */
  whenFull: "drops" | "keeps" | "overflows";
  /** Packets of 60 bytes that are more than its rings hold; 3500 by default. */
  tooMany?: number;
  /** Forwards between many; else there are two ends, or many senders and one receiver. */
  isSwitch: boolean;
  manySenders: boolean;
  countsLost: boolean;
  /** The errno with which a second receiver of the same name is refused; nothing: it is not. */
  secondIs?: string;
  /** Names that nobody uses. */
  network(): Network;
}

/** Names of ports that reach each other. */
export interface Network {
  receiver: string;
  /** Sender `id`'s name; a pipe has one sender. */
  sender(id: number): string;
  /** Sender `id`'s packets. */
  stream(id: number, seed: number, more?: Partial<Stream>): Stream;
  /** File in /dev/shm, where the kind has one. */
  file?: string;
}

/** How a sender is opened: a udp port also for receiving, which binds it to a known port. */
export const SENDER = RX | TX;

let networks = 0;

function uniqueName(): string {
  return `test-${Deno.pid}-${networks++}`;
}

function soft(): Network {
  const name = uniqueName();
  return {
    receiver: `soft:${name}:receiver`,
    sender: (id) => `soft:${name}:${id}`,
    stream: streamOf,
    file: `/dev/shm/uspf.switch.${name}`,
  };
}

function pipe(prefix: string, file?: string): Network {
  const name = uniqueName().replaceAll("-", "_");
  return {
    receiver: `${prefix}${name}}1`,
    sender: () => `${prefix}${name}{1`,
    stream: streamOf,
    file: file && `/dev/shm/${file}.${name}.1`,
  };
}

function vale(): Network {
  const name = `vale${networks++}`;
  return { receiver: `${name}:r`, sender: (id) => `${name}:${id}`, stream: streamOf };
}

function udp(): Network {
  const port = freePorts(5);
  return {
    receiver: `udp:127.0.0.1:${port}`,
    sender: (id) => `udp:127.0.0.1:${port + id}`,
    stream: (id, seed, more) =>
      streamOf(id, seed, { sourcePort: port + id, destinationPort: port, ...more }),
  };
}

let nextPort = 10_000 + Deno.pid % 1000 * 20;

/** The first of `count` port numbers that nobody has, below those that the kernel gives to others. */
function freePorts(count: number): number {
  for (;;) {
    const first = nextPort;
    nextPort = nextPort > 31_000 ? 10_000 : nextPort + count;
    if ([...Array(count).keys()].every((i) => isFree(first + i))) return first;
  }
}

function isFree(port: number): boolean {
  try {
    openPort(`udp:127.0.0.1:${port}`, RX).close();
    return true;
  } catch (error) {
    if (error instanceof PortError && error.code === "EADDRINUSE") return false;
    throw error;
  }
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}

/** Both ends of a veth pair in the namespace that the test runs in: veth_conformance.test.ts sets it. */
const veth = Deno.env.get("USPF_VETH")?.split(",");

function between(kind: string): Network {
  const [left, right] = veth!;
  return { receiver: `${kind}:${right}`, sender: () => `${kind}:${left}`, stream: streamOf };
}

const noNetmap = exists("/dev/netmap") ? undefined : "no /dev/netmap here";

/** The kinds that need an interface. */
const INTERFACE_KINDS: PortKind[] = [
  {
    symbol: "XdpPort",
    wholePackets: true,
    whenFull: "drops",
    tooMany: 14_000, // 9216 frames
    isSwitch: false,
    manySenders: false,
    countsLost: true,
    secondIs: "EBUSY",
    network: () => between("xdp"),
  },
  {
    symbol: "PacketPort",
    wholePackets: true,
    whenFull: "drops",
    tooMany: 140_000, // 16 MiB, of which such a packet takes 144 bytes
    isSwitch: false,
    manySenders: true,
    countsLost: true,
    network: () => between("packet"),
  },
];

/** The kinds that can be opened without an interface. */
const OTHER_KINDS: PortKind[] = [
  {
    symbol: "SoftSwitch",
    wholePackets: true,
    whenFull: "drops",
    isSwitch: true,
    manySenders: true,
    countsLost: true,
    secondIs: "EBUSY",
    network: soft,
  },
  {
    symbol: "SoftPipe",
    wholePackets: true,
    whenFull: "keeps",
    isSwitch: false,
    manySenders: false,
    countsLost: true,
    secondIs: "EBUSY",
    network: () => pipe("soft:", "uspf.pipe"),
  },
  {
    symbol: "UdpPort",
    wholePackets: false,
    whenFull: "overflows",
    isSwitch: false,
    manySenders: true,
    countsLost: true,
    secondIs: "EADDRINUSE",
    network: udp,
  },
  {
    symbol: "NetmapPort of a VALE switch",
    absent: noNetmap,
    wholePackets: true,
    whenFull: "drops",
    isSwitch: true,
    manySenders: true,
    countsLost: false,
    secondIs: "EBUSY",
    network: vale,
  },
  {
    symbol: "NetmapPort of a pipe",
    absent: noNetmap,
    wholePackets: true,
    whenFull: "keeps",
    isSwitch: false,
    manySenders: false,
    countsLost: false,
    secondIs: "EBUSY",
    network: () => pipe("netmap:"),
  },
];

/** Every kind that can be opened where the test runs. */
export const KINDS: PortKind[] = veth ? INTERFACE_KINDS : OTHER_KINDS;

/** Registers a test for each kind that `filter` lets pass; a kind that is absent is shown as ignored, with the reason. */
export function testKinds(
  filter: (kind: PortKind) => boolean,
  sentence: string,
  fn: (kind: PortKind, network: Network) => void | Promise<void>,
): void {
  for (const kind of KINDS.filter(filter)) {
    Deno.test({
      name: `${kind.symbol} ${sentence}${kind.absent ? ` (${kind.absent})` : ""}`,
      ignore: kind.absent !== undefined,
      fn: () => fn(kind, kind.network()),
    });
  }
}

/** Opens ports, and closes them all when the test is over. */
export class OpenPorts {
  readonly #open: Port[] = [];

  open(name: string, directions: number): Port {
    const port = openPort(name, directions);
    this.#open.push(port);
    return port;
  }

  [Symbol.dispose](): void {
    for (const port of this.#open) port.close();
  }
}
