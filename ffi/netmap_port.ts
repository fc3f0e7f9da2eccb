/**
 * Purpose: netmap itself: the kernel's rings, mapped as they are, synced by ioctl.
 *
 * The transmit rings may be another program's as well, which sends on the same interface. To warm a loop
 * up on them would change what that one sends, so a port asks netmap for buffers of its own, and lays a
 * ring into the lowest of them that only looks like one; the others are in its slots:
 *
 * ```text
 *  netmap_if ─ ni_bufs_head ─▶ buffer ──▶ buffer ──▶ … ──▶ 0    word 0 of each: the next one
 * ```
 * The kernel follows the chain when the port is closed; it is whole again by then.
 */
import { RING, type Ring, ringsOfInterface, SLOT_WORDS } from "./layout.ts";
import type { NetmapName } from "./netmap_name.ts";
import { NativePort, openNative, type Port, type PortInfo, RX, TX } from "./port.ts";
import { PortError } from "./port_error.ts";

const KIND = 1; // USPF_NETMAP
const NO_LINK = 1; // in USPF_INFO_EXTRA
const OWN_BUFFERS = 112; // as many slots as fit behind a ring header in 2048 bytes
const BUFS_HEAD = 32 / 4; // ni_bufs_head in a netmap_if
const MODES = ["native or emulated unknown", "native", "emulated"];

/** A port of the netmap module: a NIC's rings, host rings, a VALE port, a pipe end or a monitor. */
export class NetmapPort extends NativePort implements Port {
  readonly rx: readonly Ring[];
  readonly tx: readonly Ring[];
  readonly mode: string;
  /** A ring that nobody syncs, with free slots: to warm a loop up on. */
  readonly scratch: Ring | undefined;
  readonly #own: number[];

  private constructor(name: string, info: PortInfo) {
    super(name, info);
    const rings = ringsOfInterface(new Int32Array(info.region), info.interfaceOffset);
    this.rx = rings.rx;
    this.tx = rings.tx;
    const some = rings.rx[0] ?? rings.tx[0];
    this.#own = some ? chainOf(some, info.interfaceOffset / 4 + BUFS_HEAD) : [];
    this.scratch = some && scratchRing(some, this.#own);
    this.mode = `netmap, ${MODES[info.mode]}${info.extra === NO_LINK ? ", no link" : ""}`;
  }

  override close(): void {
    const some = this.rx[0] ?? this.tx[0];
    this.#own.forEach((buffer, i) => some.words[bufferWord(some, buffer)] = this.#own[i + 1] ?? 0);
    super.close();
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
      directions & RX ? OWN_BUFFERS : 0,
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

function bufferWord({ buffersAt, bufferBytes }: Ring, index: number): number {
  return buffersAt + index * bufferBytes / 4;
}

/** The buffers beyond those of the rings, in the order of their chain, which begins at word `head`. */
function chainOf(ring: Ring, head: number): number[] {
  const chain: number[] = [];
  for (let at = head; ring.words[at] !== 0 && chain.length < OWN_BUFFERS;) {
    chain.push(ring.words[at]);
    at = bufferWord(ring, ring.words[at]);
  }
  return chain;
}

/** A ring in the lowest of these buffers, with the others in its slots; `like` says where buffers lie. */
function scratchRing(like: Ring, own: number[]): Ring | undefined {
  const [first, ...buffers] = own.toSorted((a, b) => a - b);
  const slotCount = buffers.length + 1, headerBytes = RING.slots * 4;
  if (buffers.length === 0) return undefined;
  if (headerBytes + slotCount * SLOT_WORDS * 4 > like.bufferBytes) return undefined;
  const { words } = like, at = bufferWord(like, first), slotsAt = at + RING.slots;
  words.fill(0, at + 1, slotsAt + slotCount * SLOT_WORDS);
  words[at + RING.tail] = slotCount - 1;
  buffers.forEach((buffer, i) => words[slotsAt + i * SLOT_WORDS] = buffer);
  const bytes = new Uint8Array(words.buffer, words.byteOffset + at * 4);
  return { ...like, bytes, at, slotsAt, slotCount };
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
