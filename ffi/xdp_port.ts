/**
 * Purpose: AF_XDP as a port: a receive and a transmit ring for each queue, whose buffers are the frames
 * that kernel or NIC write into. What the program on the interface does not take for wanted
 * (xdp_program.ts) goes on to the kernel's network stack.
 *
 * ```text
 *  frame, 2048 bytes   │ 256: the kernel's │ packet, up to 1792 bytes │     received
 *                      │ packet, up to 2048 bytes                     │     to send
 * ```
 * Modes, from the best: zero-copy, the NIC writes into our frames; native, the driver runs the program and
 * the kernel copies once; generic, the same behind the driver, on any interface.
 */
import { receiveQueues } from "./host.ts";
import { type Ring, ringsOfInterface } from "./layout.ts";
import {
  NativePort,
  notEthernet,
  openNative,
  packetsReady,
  type Port,
  type PortInfo,
  type PortOptions,
  RX,
  XDP_MODES,
  type XdpMode,
} from "./port.ts";
import { errnoName } from "./port_error.ts";
import { xdpProgram } from "./xdp_program.ts";

const KIND = 4; // USPF_XDP
const FRAME_BYTES = 2048; // FRAME_BYTES in xdp.h
const MAX_QUEUES = 16; // in xdp.h
const MODE_GENERIC = 2, MODE_ZEROCOPY = 3; // enum uspf_mode

/** What a port's name says. */
export interface XdpName {
  interface: string;
  /** The only queue to open; nothing: all. */
  queue?: number;
}

/** Queues of an interface, by the kernel's AF_XDP sockets: `xdp:eth0`, `xdp:eth0-2`. */
export class XdpPort extends NativePort implements Port {
  readonly mode: string;
  readonly rx: readonly Ring[];
  readonly tx: readonly Ring[];
  readonly scratch: Ring;
  readonly #interface: string;

  private constructor(
    text: string,
    name: XdpName,
    directions: number,
    wish: XdpMode,
    info: PortInfo,
  ) {
    super(text, info);
    this.#interface = name.interface;
    this.mode = describeMode(directions, wish, info);
    const words = new Int32Array(info.region);
    const rings = ringsOfInterface(words, info.interfaceOffset, { strideBytes: FRAME_BYTES });
    this.rx = rings.rx;
    // Where no queue sends, the first one is there for `scratch` alone.
    this.tx = rings.tx.slice(0, info.extra);
    this.scratch = rings.tx[0];
  }

  /**
   * Opens a queue or all of an interface.
   *
   * @throws {PortError} where the interface, the kernel or a permission stands against it.
   */
  static open(text: string, name: XdpName, directions: number, options: PortOptions = {}): XdpPort {
    const mode = options.xdpMode ?? "auto";
    const spec = {
      kind: KIND,
      directions,
      numbers: [name.queue ?? -1, XDP_MODES.indexOf(mode), options.promiscuous ? 1 : 0],
      texts: [name.interface],
      program: xdpProgram(options.wanted, options.driverFilter),
    };
    const info = openNative(text, spec, (code) => explain(code, name, mode));
    return new XdpPort(text, name, directions, mode, info);
  }

  override get source(): string {
    return this.#interface;
  }

  override wait(directions: number, timeoutUs: number): void {
    if ((directions & RX) !== 0 && packetsReady(this) > 0) return;
    super.wait(directions, timeoutUs);
  }
}

/** The mode, and why not a better one. */
function describeMode(directions: number, wish: XdpMode, info: PortInfo): string {
  if (info.mode === MODE_ZEROCOPY) return "xdp, native, zero-copy";
  if (info.mode === MODE_GENERIC) {
    return `xdp, generic (${whyNot("native mode", info.notNative, wish)})`;
  }
  const copied = `frames copied (${whyNot("zero-copy", info.notZerocopy, wish)})`;
  // A port that only sends has no program, in the driver or behind it.
  return (directions & RX) !== 0 ? `xdp, native, ${copied}` : `xdp, ${copied}`;
}

function whyNot(better: string, errno: number, wish: XdpMode): string {
  if (errno !== 0) return `no ${better}: ${reason(errnoName(errno))}`;
  return wish === "auto" ? "as another capture on it has it" : "as asked for";
}

/** Why a mode was refused. */
function reason(code: string): string {
  const text = {
    EOPNOTSUPP: "the driver cannot",
    ERANGE: "the MTU is too large for the driver",
    ENOSPC: "the driver wants more queues",
    EINVAL: "not with the driver's settings, or not with this kernel",
    ENOMEM: "no memory",
  }[code];
  return text === undefined ? code : `${text}, ${code}`;
}

function explain(code: string, name: XdpName, mode: XdpMode): string | undefined {
  const device = name.interface;
  switch (code) {
    case "ENODEV":
      return `no such interface "${device}": list them with "ip link"`;
    case "EPROTONOSUPPORT":
      return notEthernet(device);
    case "ENXIO":
      return name.queue === undefined
        ? `"${device}" has no queues: choose another interface`
        : `"${device}" has no queue ${name.queue}: count them with "ls /sys/class/net/${device}/queues"`;
    case "E2BIG":
      return `"${device}" has more than ${MAX_QUEUES} queues: open them one by one, as in "xdp:${device}-0"`;
    case "ENOENT":
      return `its queues cannot be counted: mount sysfs in this network namespace, at /sys`;
    case "EBUSY":
      return `the port is taken: end the program that has ${
        name.queue === undefined ? `a queue of "${device}"` : `queue ${name.queue} of "${device}"`
      }${otherQueue(name)}`;
  }
  return explainHook(code, device, mode) ?? explainSystem(code) ??
    (mode === "auto"
      ? undefined
      : `no ${mode} mode: ${
        reason(code)
      }: use --xdp-mode auto, which takes the best that there is`);
}

/** What to open where that is taken, if the interface has more than one queue. */
function otherQueue({ interface: device, queue }: XdpName): string {
  const queues = receiveQueues(device);
  if (queues < 2) return "";
  return queue === undefined
    ? `, or open one that is free: "xdp:${device}-0" to "xdp:${device}-${queues - 1}"`
    : `, or open another queue, as in "xdp:${device}-${(queue + 1) % queues}"`;
}

/** What is wrong with the interface's program. */
function explainHook(code: string, device: string, mode: XdpMode): string | undefined {
  switch (code) {
    case "EEXIST":
      return `another program's XDP program is on "${device}": end that program, or remove it with ` +
        `"ip link set dev ${device} xdp off" (xdpgeneric off, if it is generic)`;
    case "EACCES":
      return `an XDP program is on "${device}", and to share another capture's takes CAP_SYS_ADMIN: ` +
        `run as root, end that capture, or remove it with "ip link set dev ${device} xdp off"`;
    case "EALREADY":
      return `another capture on "${device}" wants other packets: give both the same filter, or end it`;
    case "EPROTOTYPE":
      return `another capture on "${device}" has another mode than ${mode}: give both the same, or end it`;
    case "EPROTO":
      // Without CAP_PERFMON the verifier has no places in packets that are calculated.
      return "the kernel refuses the program that chooses packets: run as root, or with CAP_PERFMON, too; " +
        "where that is so already it is a defect of uspf: report it with the kernel's version";
  }
}

/** What the system lacks. */
function explainSystem(code: string): string | undefined {
  switch (code) {
    case "EPERM":
      return "no permission: run as root, or with CAP_NET_ADMIN, CAP_BPF and CAP_NET_RAW, and to choose " +
        'packets CAP_PERFMON ("setcap cap_net_admin,cap_bpf,cap_net_raw,cap_perfmon+ep" on the deno program)';
    case "EAFNOSUPPORT":
    case "ENOSYS":
    case "ENOPROTOOPT":
      return `the kernel has no AF_XDP, or an old one (${code}): use Linux 5.9 or later with CONFIG_XDP_SOCKETS`;
    case "ENOMEM":
    case "ENOBUFS":
      return `too little memory may be locked (${code}): raise it with "ulimit -l unlimited"`;
  }
}
