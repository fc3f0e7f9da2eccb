/**
 * Purpose: is netmap there, ours to use, and native to the interface's driver?
 */
import type { InterfaceFacts } from "../facts/interface.ts";
import type { Facts } from "../facts/facts.ts";
import { type Finding, harms, note, ok, stops } from "../finding.ts";

const ADMODE = "/sys/module/netmap/parameters/admode";
const EMULATED_ONLY = 2, NATIVE_ONLY = 1;
const TAGGED_HEADER_BYTES = 18;
const NETMAP = "https://github.com/luigirizzo/netmap";

/** The module; without a netmap port its absence is as it should be. */
export function checkNetmap(facts: Facts): Finding[] {
  const { netmap, port } = facts;
  if (port !== undefined && port.kind !== "netmap") return [];
  if (port === undefined) return [ok("netmap", summary(facts))];
  if (!netmap.device) return [missing(facts)];
  if (!netmap.writable) {
    return [stops(
      "netmap.permission",
      "we may not open /dev/netmap",
      `"${port.text}" does not open without.`,
      "chmod 0660 /dev/netmap && chgrp $(id -g) /dev/netmap",
      '# lasting: KERNEL=="netmap", MODE="0660", GROUP="…" in /etc/udev/rules.d/99-netmap.rules',
    )];
  }
  return facts.interface === undefined ? [ok("netmap", summary(facts))] : [
    ...checkMode(facts.netmap, facts.interface),
    ...checkBuffers(facts.netmap, facts.interface),
    ...checkMaster(facts.interface),
  ];
}

function summary({ netmap }: Facts): string {
  if (!netmap.loaded) return "netmap is not loaded: all ports but netmap: and vale: do without";
  const drivers = netmap.drivers.length === 0 ? "no driver here" : netmap.drivers.join(", ");
  return `netmap is loaded; native with ${drivers}`;
}

function missing({ netmap, port, kernel }: Facts): Finding {
  return stops(
    "netmap.missing",
    netmap.loaded ? "there is no /dev/netmap, but the module is loaded" : "netmap is not loaded",
    `"${port!.text}" does not open without; xdp: and packet: ports need no module.`,
    ...(netmap.loaded
      ? ["mknod /dev/netmap c 10 $(awk '$2 == \"netmap\" { print $1 }' /proc/misc)"]
      : netmap.installed
      ? ["modprobe netmap"]
      : [
        `# build it for Linux ${kernel.release} (${NETMAP}, LINUX/README.md), then: insmod netmap.ko`,
      ]),
  );
}

/** As the port itself tells it when it is open (mode_of in netmap.c). */
function checkMode({ admode, drivers }: Facts["netmap"], facts: InterfaceFacts): Finding[] {
  const driver = facts.device.driver, { name } = facts.link;
  if (driver === undefined) {
    return [note(
      "netmap.mode",
      `the driver of "${name}" does not tell its name: native or emulated is unknown`,
      "Emulated, each packet is copied, and comes by way of the kernel's own structures.",
      "dmesg | grep netmap",
    )];
  }
  const native = drivers.includes(driver);
  if (native && admode !== EMULATED_ONLY) {
    return [ok("netmap.mode", `netmap is native to ${driver}`)];
  }
  if (!native && admode === NATIVE_ONLY) {
    return [stops(
      "netmap.mode",
      `${driver} knows no netmap, and emulation is off (admode ${admode})`,
      "The port does not open.",
      `echo 0 > ${ADMODE}`,
    )];
  }
  return [harms(
    "netmap.mode",
    native
      ? `netmap would be emulated, though ${driver} knows it (admode ${admode})`
      : `netmap is emulated: ${driver} was not built with it`,
    "Each packet is copied, and comes by way of the kernel's own structures.",
    native
      ? `echo 0 > ${ADMODE}`
      : `# build netmap's ${driver} (./configure --drivers=${driver}), load it instead; or take an xdp: port`,
  )];
}

/** A packet of several slots is counted as `split`. */
function checkBuffers({ bufferBytes }: Facts["netmap"], { link }: InterfaceFacts): Finding[] {
  if (link.mtu + TAGGED_HEADER_BYTES <= bufferBytes) return [];
  return [harms(
    "netmap.buffers",
    `packets of MTU ${link.mtu} do not fit into netmap's buffers of ${bufferBytes} bytes`,
    "The driver refuses netmap, or larger packets come in pieces, which are counted as split and not read.",
    `ip link set dev ${link.name} mtu 1500`,
    `# or, while nobody uses netmap: echo 9216 > /sys/module/netmap/parameters/buf_size`,
  )];
}

/** netmap's emulation and a bond or bridge want the same place. */
function checkMaster({ link, master }: InterfaceFacts): Finding[] {
  if (master === undefined) return [];
  return [harms(
    "netmap.master",
    `"${link.name}" belongs to the ${master.kind ?? "interface"} "${master.name}"`,
    "Emulated netmap does not open there; native netmap takes its packets from the other.",
    `ip link set dev ${link.name} nomaster`,
  )];
}
