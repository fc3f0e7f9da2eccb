/**
 * Purpose: netmap itself: the kernel's rings, mapped as they are, synced by ioctl.
 */
import { type Ring, ringsOfInterface } from "./layout.ts";
import type { NetmapName } from "./netmap_name.ts";
import { NativePort, openNative, type Port, type PortInfo, RX, TX } from "./port.ts";
import { PortError } from "./port_error.ts";

const KIND = 1; // USPF_NETMAP
const NO_LINK = 1; // in USPF_INFO_EXTRA
const MODES = ["native or emulated unknown", "native", "emulated"];

/** A port of the netmap module: a NIC's rings, host rings, a VALE port, a pipe end or a monitor. */
export class NetmapPort extends NativePort implements Port {
  readonly rx: readonly Ring[];
  readonly tx: readonly Ring[];
  readonly mode: string;

  private constructor(name: string, info: PortInfo) {
    super(name, info);
    const rings = ringsOfInterface(new Int32Array(info.region), info.interfaceOffset);
    this.rx = rings.rx;
    this.tx = rings.tx;
    this.mode = `netmap, ${MODES[info.mode]}${info.extra === NO_LINK ? ", no link" : ""}`;
  }

  /** Registers the port with netmap; `directions` is RX, TX or both. */
  static open(text: string, name: NetmapName, directions: number): NetmapPort {
    const { conf, offset } = name;
    const numbers = [
      name.mode,
      name.ringId,
      name.flags,
      name.memoryId,
      conf.txRings,
      conf.rxRings,
      conf.hostTxRings,
      conf.hostRxRings,
      conf.txSlots,
      conf.rxSlots,
      ...name.extmem,
      offset?.initial ?? 0,
      offset?.bits ?? 0,
      offset ? 1 : 0,
    ];
    const texts = [name.device, name.share, name.extmemFile];
    const spec = { kind: KIND, directions, numbers, texts };
    const port = new NetmapPort(text, openNative(text, spec, (code) => explain(code, name)));
    const missing = directions === RX && port.rx.length === 0
      ? "receive"
      : directions === TX && port.tx.length === 0
      ? "transmit"
      : "";
    if (missing === "") return port;
    port.close();
    throw new PortError(
      `Cannot open "${text}": it has no ${missing} rings: leave out "/R" or "/T"`,
      "EINVAL",
    );
  }
}

function explain(code: string, name: NetmapName): string | undefined {
  switch (code) {
    case "ENODEV":
      return `the netmap module is not loaded (no /dev/netmap): load it with "modprobe netmap", ` +
        `or use a port that needs no module, like "soft:lab:1" or "udp:0.0.0.0:5001"`;
    case "EACCES":
    case "EPERM":
      return `no permission for ${name.extmemFile || "/dev/netmap"}: run as root, or give ` +
        `yourself access to it`;
    case "ENXIO":
    case "ENOENT":
      return `no such interface or file "${
        name.extmemFile || name.device
      }": list interfaces with "ip link"`;
    case "EBUSY":
      return `another program has these rings: end it, or ask for other rings with "-N"`;
    case "EINVAL":
      return `netmap refuses this request (rings, slots, flags, memory): see netmap(4); ` +
        `"dmesg" may say why`;
    case "ENOMEM":
      return name.extmemFile
        ? `"${name.extmemFile}" has no room for its rings: use a larger file, of huge pages`
        : `netmap has no memory left for its rings: raise /sys/module/netmap/parameters/buf_num`;
    case "ENOPROTOOPT":
      return `netmap refuses an option of this name: leave it out, or see netmap(4)`;
    case "EOPNOTSUPP":
      return `the driver of "${name.device}" knows no netmap, and emulation is off: ` +
        `write 0 into /sys/module/netmap/parameters/admode`;
  }
}
