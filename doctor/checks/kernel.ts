/**
 * Purpose: is the kernel new enough for the port, and does it compile BPF?
 */
import type { Facts } from "../facts/facts.ts";
import { type Finding, harms, note, ok, stops } from "../finding.ts";

/** AF_XDP needs flags in its rings (5.4) and links of programs (5.9); in several pieces: 5.18. */
const XDP = 509, XDP_PIECES = 518;
const PACKET = 411; // TPACKET_V3 for sending, too

/** Version, sockets, BPF. */
export function checkKernel({ kernel, port }: Facts): Finding[] {
  const { release, arch, version } = kernel, kind = port?.kind;
  const name = `Linux ${release} on ${arch}`;
  const old = (id: string, wanted: string) =>
    stops(
      `kernel.${id}`,
      `${name} is too old for this port`,
      `It needs Linux ${wanted} or later.`,
      "# install a newer kernel, or take a udp: port",
    );
  if (kind === "xdp" && version < XDP) return [old("xdp", "5.9")];
  if (kind === "packet" && version < PACKET) return [old("packet", "4.11")];
  return [
    ...missingSockets(kernel, kind),
    ...interpreter(kernel, kind),
    ...(kind === "xdp" && version < XDP_PIECES
      ? [note(
        "kernel.pieces",
        `${name} gives XDP no packets of several buffers`,
        "With a large MTU some drivers then refuse native mode.",
        "# Linux 5.18 or later does",
      )]
      : []),
    ok("kernel", name),
  ];
}

function missingSockets({ protocols }: Facts["kernel"], kind: string | undefined): Finding[] {
  if (protocols.length === 0 || protocols.includes("XDP")) return [];
  const what = "the kernel has no AF_XDP", why = "xdp: ports do not open.";
  const remedy = "# use a kernel with CONFIG_XDP_SOCKETS=y, or a packet: port";
  return [
    kind === "xdp"
      ? stops("kernel.af-xdp", what, why, remedy)
      : note("kernel.af-xdp", what, why, remedy),
  ];
}

function interpreter({ jit }: Facts["kernel"], kind: string | undefined): Finding[] {
  if (jit !== 0 || kind !== undefined && !["xdp", "packet", "udp"].includes(kind)) return [];
  return [harms(
    "kernel.jit",
    "the kernel interprets BPF instead of compiling it",
    "The program of an xdp: port, and filters of packet: and udp: ports, take several times as long.",
    "sysctl -w net.core.bpf_jit_enable=1",
  )];
}
