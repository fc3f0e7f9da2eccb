/**
 * Purpose: netmap itself: the kernel's rings, mapped as they are, synced by ioctl.
 */
import { type Ring, ringsOfInterface } from "./layout.ts";
import type { NetmapName } from "./netmap_name.ts";
import { NativePort, openNative, type Port, type PortInfo } from "./port.ts";

const KIND = 1; // USPF_NETMAP
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
    this.mode = `netmap, ${MODES[info.mode]}`;
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
    return new NetmapPort(text, openNative(text, spec, (code) => explain(code, name)));
  }
}

function explain(code: string, name: NetmapName): string | undefined {
  switch (code) {
    case "ENODEV":
      return `the netmap module is not loaded (no /dev/netmap): load it with "modprobe netmap", ` +
        `or use a port that needs no module, like "soft:lab:1" or "udp:0.0.0.0:5001"`;
    case "EACCES":
    case "EPERM":
      return `no permission for /dev/netmap: run as root, or give yourself access to the device`;
    case "ENXIO":
    case "ENOENT":
      return `no such interface or file "${
        name.extmemFile || name.device
      }": list interfaces with "ip link"`;
    case "EBUSY":
      return `another program has these rings: end it, or ask for other rings with "-N"`;
    case "EINVAL":
      return `netmap refuses this request (rings, slots or flags out of range): see netmap(4)`;
    case "ENOMEM":
      return `netmap has no memory left for its rings: raise /sys/module/netmap/parameters/buf_num`;
    case "EOPNOTSUPP":
      return `netmap refuses an option of this name: leave it out, or see netmap(4)`;
  }
}
