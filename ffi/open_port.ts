/**
 * Purpose: opens a port by its name, whatever its kind.
 */
import { NetmapPort } from "./netmap_port.ts";
import { PacketPort } from "./packet_port.ts";
import { PcapPort } from "./pcap_port.ts";
import type { Port, PortOptions } from "./port.ts";
import { parsePortName } from "./port_name.ts";
import { SoftPipe } from "./soft_pipe.ts";
import { SoftSwitch } from "./soft_switch.ts";
import { UdpPort } from "./udp_port.ts";
import { XdpPort } from "./xdp_port.ts";

const OWN = -1; // a fanout group that nobody has

/**
 * Opens a port; `directions` is RX, TX or their sum. Loads the native library if the kind needs it.
 *
 * @throws {TypeError} for a name that is no port's.
 * @throws {PortError} where the port cannot be opened; its message names the remedy.
 *
 * @example Send a packet through a switch of one process
 * ```ts
 * import { advance, bufferByte, openPort, RING, RX, SLOT_WORDS, slotsReady, TX } from "@uspf/uspf";
 *
 * const sender = openPort("soft:doc_port:1", TX), receiver = openPort("soft:doc_port:2", RX);
 * const [ring] = sender.tx, slot = ring.slotsAt + ring.words[ring.at + RING.head] * SLOT_WORDS;
 * ring.bytes.fill(0xff, bufferByte(ring, slot), bufferByte(ring, slot) + 60);
 * ring.words[slot + 1] = 60;
 * advance(ring, 1);
 * sender.txSync();
 * receiver.rxSync();
 * console.assert(slotsReady(receiver.rx[0]) === 1);
 * sender.close();
 * receiver.close();
 * ```
 */
export function openPort(text: string, directions: number, options: PortOptions = {}): Port {
  const name = parsePortName(text);
  switch (name.kind) {
    case "netmap":
      return NetmapPort.open(text, name.netmap, directions);
    case "switch":
      return SoftSwitch.open(text, name.network, name.port);
    case "pipe":
      return SoftPipe.open(text, name.network, name.pipe, name.end);
    case "udp":
      return UdpPort.open(text, { ...name, directions, kernelFilter: options.kernelFilter });
    case "xdp":
      return XdpPort.open(text, name, directions, options);
    case "packet":
      return PacketPort.open(
        text,
        { fanout: options.ownFanout ? OWN : undefined, ...name },
        directions,
        options,
      );
    case "pcap":
      return PcapPort.open(text, name.file, directions, options);
  }
}
