/**
 * Purpose: takes a port's name apart: which kind, and what the kind needs to know.
 *
 * ```text
 * netmap:eth0  netmap:eth0-2  netmap:eth0^  netmap:x{1  vale0:1   see netmap_name.ts
 * soft:lab:1                     port "1" of the switch "lab"
 * soft:lab{1  soft:lab}1         the two ends of the pipe "1" of "lab"
 * udp:0.0.0.0:5001               a socket; udp:239.1.1.1:5001@eth0 joins a group on an interface
 * xdp:eth0  xdp:eth0-2           all receive queues of an interface, or queue 2
 * packet:eth0  packet:eth0@7     an interface; as a member of fanout group 7
 * pcap:FILE  pcap:-              a capture file, or standard input
 * ```
 */
import { parseIPv4 } from "./ipv4_address.ts";
import { type NetmapName, parseNetmapName } from "./netmap_name.ts";

const KINDS =
  '"netmap:eth0", "vale0:1", "soft:lab:1", "soft:lab{1", "udp:0.0.0.0:5001", "xdp:eth0", ' +
  '"packet:eth0", "pcap:FILE"';
const IDENTIFIER = "[A-Za-z0-9_-]{1,31}";
const INTERFACE_BYTES = 16; // IFNAMSIZ, with the zero byte

/** A port's name, taken apart. */
export type PortName =
  | { kind: "netmap"; text: string; netmap: NetmapName }
  | { kind: "switch"; text: string; network: string; port: string }
  | { kind: "pipe"; text: string; network: string; pipe: string; end: 0 | 1 }
  | { kind: "udp"; text: string; address: number; port: number; interface: string }
  | { kind: "xdp"; text: string; interface: string; queue?: number }
  | { kind: "packet"; text: string; interface: string; fanout?: number }
  | { kind: "pcap"; text: string; file: string };

/**
 * Parses any port's name.
 *
 * @throws {TypeError} for an unknown kind, or a malformed name.
 */
export function parsePortName(text: string): PortName {
  if (/^netmap|^vale[^:]*:/.test(text)) {
    return { kind: "netmap", text, netmap: parseNetmapName(text) };
  }
  if (text.startsWith("soft:")) return parseSoft(text);
  if (text.startsWith("udp:")) return parseUdp(text);
  if (text.startsWith("xdp:")) return parseXdp(text);
  if (text.startsWith("packet:")) return parsePacket(text);
  if (text.startsWith("pcap:")) return parsePcap(text);
  throw new TypeError(`Cannot parse port name "${text}": unknown kind: use one like ${KINDS}`);
}

function parseSoft(text: string): PortName {
  const port = new RegExp(`^soft:(${IDENTIFIER}):(${IDENTIFIER})$`).exec(text);
  if (port) return { kind: "switch", text, network: port[1], port: port[2] };
  const pipe = new RegExp(`^soft:(${IDENTIFIER})([{}])(${IDENTIFIER})$`).exec(text);
  if (pipe) {
    return { kind: "pipe", text, network: pipe[1], pipe: pipe[3], end: pipe[2] === "{" ? 0 : 1 };
  }
  throw new TypeError(
    `Cannot parse port name "${text}": not a switch port or a pipe end of letters, digits, "_", "-", ` +
      `31 each at most: use one like "soft:lab:1", "soft:lab{1"`,
  );
}

function parseUdp(text: string): PortName {
  const fail = (state: string): never => {
    throw new TypeError(
      `Cannot parse port name "${text}": ${state}: use one like "udp:0.0.0.0:5001", "udp:239.1.1.1:5001@eth0"`,
    );
  };
  const match = /^udp:([^:@]*):([^:@]*)(?:@(.*))?$/.exec(text) ?? fail("not udp:ADDRESS:PORT");
  const address = addressOf(match[1]) ?? fail(`"${match[1]}" is not an IPv4 address`);
  const port = /^\d{1,5}$/.test(match[2]) ? Number(match[2]) : -1;
  if (port < 1 || port > 65535) fail(`port "${match[2]}" is not 1 to 65535`);
  const name = match[3] ?? "";
  if (match[3] !== undefined && !isInterface(name)) fail(`"${name}" is not an interface's name`);
  return { kind: "udp", text, address, port, interface: name };
}

/** A number at the end is a queue's: an interface "eth-2" as a whole is "xdp:eth-2-0", if it has one queue. */
function parseXdp(text: string): PortName {
  const [, name, queue] = /^xdp:(.*?)(?:-(\d{1,4}))?$/s.exec(text)!;
  if (!isInterface(name)) throw notAnInterface(text, name, '"xdp:eth0", "xdp:eth0-2"');
  if (queue === undefined) return { kind: "xdp", text, interface: name };
  return { kind: "xdp", text, interface: name, queue: Number(queue) };
}

function parsePacket(text: string): PortName {
  const [, name, group] = /^packet:([^@]*)(?:@(.*))?$/s.exec(text)!;
  const examples = '"packet:eth0", "packet:eth0@7"';
  if (!isInterface(name)) throw notAnInterface(text, name, examples);
  if (group === undefined) return { kind: "packet", text, interface: name };
  if (!/^\d{1,5}$/.test(group) || Number(group) > 65535) {
    throw new TypeError(
      `Cannot parse port name "${text}": fanout group "${group}" is not 0 to 65535: use one like ${examples}`,
    );
  }
  return { kind: "packet", text, interface: name, fanout: Number(group) };
}

function parsePcap(text: string): PortName {
  const file = text.slice("pcap:".length);
  if (file === "" || file.includes("\0")) {
    throw new TypeError(
      `Cannot parse port name "${text}": no file: use one like "pcap:trace.pcap", "pcap:-"`,
    );
  }
  return { kind: "pcap", text, file };
}

/** What the kernel takes for an interface's name (dev_valid_name). */
function isInterface(name: string): boolean {
  return name !== "" && name !== "." && name !== ".." && name.length < INTERFACE_BYTES &&
    !/[\s/:]/.test(name);
}

function notAnInterface(text: string, name: string, examples: string): TypeError {
  return new TypeError(
    `Cannot parse port name "${text}": "${name}" is not an interface's name: use one like ${examples}`,
  );
}

function addressOf(text: string): number | undefined {
  try {
    return parseIPv4(text);
  } catch {
    return undefined;
  }
}
