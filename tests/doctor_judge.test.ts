/**
 * What the doctor says of machines that there are not here.
 */
import { assert, assertEquals, assertLess, assertMatch } from "@std/assert";
import type { Facts } from "../doctor/facts/facts.ts";
import type { PortFacts } from "../doctor/facts/port.ts";
import type { Finding, Level } from "../doctor/finding.ts";
import { judge, wouldStop } from "../doctor/judge.ts";
import { reportLines } from "../doctor/report.ts";
import { host, PORTS } from "./doctor_fixture.ts";

const { xdp, queue, packet, netmap, udp, pipe } = PORTS;
const NETMAP = { loaded: true, device: true, writable: true, drivers: ["ice"] };

function findingsOf(facts: Facts): Finding[] {
  const { machine, port } = judge(facts);
  return [...machine, ...port];
}

/** Port, what is not as it should be, and the one finding that this makes, with words of its remedy. */
const CASES: [PortFacts | undefined, Parameters<typeof host>[1], Level, string, RegExp, RegExp][] =
  [
    [
      xdp,
      { kernel: { version: 508, release: "5.8.1" } },
      "stops",
      "kernel.xdp",
      /5\.8\.1/,
      /newer kernel/,
    ],
    [packet, { kernel: { version: 410 } }, "stops", "kernel.packet", /too old/, /newer kernel/],
    [xdp, { kernel: { version: 515 } }, "note", "kernel.pieces", /several buffers/, /5\.18/],
    [
      xdp,
      { kernel: { protocols: ["UDP"] } },
      "stops",
      "kernel.af-xdp",
      /no AF_XDP/,
      /CONFIG_XDP_SOCKETS/,
    ],
    [undefined, { kernel: { protocols: ["UDP"] } }, "note", "kernel.af-xdp", /no AF_XDP/, /CONFIG/],
    [packet, { kernel: { jit: 0 } }, "harms", "kernel.jit", /interprets/, /bpf_jit_enable=1$/],
    [
      packet,
      { kernel: { clock: { source: "hpet" } } },
      "harms",
      "clock.source",
      /hpet/,
      /^echo tsc > .*current_clocksource$/,
    ],
    [
      packet,
      { kernel: { clock: { source: "hpet", available: ["hpet"] } } },
      "harms",
      "clock.source",
      /hpet/,
      /dmesg[^]*tsc=reliable/,
    ],
    [
      packet,
      { cores: { flags: ["tsc", "constant_tsc"] } },
      "harms",
      "clock.tsc",
      /no nonstop_tsc/,
      /#/,
    ],
    [
      packet,
      { cores: { isolated: [2, 3] } },
      "harms",
      "cores.isolated",
      /core 7 is not isolated, and 2-3 are/,
      /-c 2/,
    ],
    [
      packet,
      { cores: { isolated: [], tickless: [] } },
      "note",
      "cores.isolated",
      /no core/,
      /isolcpus=managed_irq,domain,7 nohz_full=7 rcu_nocbs=7/,
    ],
    [packet, { cores: { tickless: [] } }, "note", "cores.tick", /tick/, /nohz_full=7/],
    [
      packet,
      { cores: { allowed: [0, 1], chosen: { core: 6, asked: true, usable: false } } },
      "stops",
      "cores.chosen",
      /core 6 is not among .*0-1/,
      /AllowedCPUs=0-7/,
    ],
    [
      packet,
      { cores: { chosen: { core: 9, asked: true } } },
      "stops",
      "cores.chosen",
      /no core 9/,
      /-c 7/,
    ],
    [
      packet,
      { cores: { allowed: [7] } },
      "harms",
      "cores.allowed",
      /core 7 only, of 0-7/,
      /taskset -c -p 0-7/,
    ],
    [
      packet,
      { cores: { chosen: { governor: "powersave" } } },
      "harms",
      "cores.governor",
      /powersave/,
      /^echo performance > .*cpu7\/cpufreq\/scaling_governor$/,
    ],
    [
      packet,
      { cores: { chosen: { deepestIdleUs: 133 } } },
      "note",
      "cores.idle",
      /133 µs/,
      /cpu7\/cpuidle/,
    ],
    [
      packet,
      { cores: { chosen: { siblings: [3] } } },
      "note",
      "cores.siblings",
      /core 7 shares .* with 3/,
      /--engine-core 0/,
    ],
    [
      packet,
      { process: { controlGroup: { cores: { value: 1.5, file: "/sys/fs/cgroup/a/cpu.max" } } } },
      "harms",
      "cores.quota",
      /1\.5 cores/,
      /^echo max > \/sys\/fs\/cgroup\/a\/cpu\.max/,
    ],
    [
      packet,
      {
        process: { controlGroup: { bytes: { value: 2 ** 27, file: "/sys/fs/cgroup/memory.max" } } },
      },
      "harms",
      "memory.limit",
      /128 MiB/,
      /memory\.max/,
    ],
    [packet, { memory: { availableBytes: 2 ** 27 } }, "note", "memory.free", /128 MiB/, /ps -eo/],
    [
      packet,
      { traffic: { grown: { "core all": 100, "core busy": 63 } } },
      "harms",
      "cores.busy",
      /core 7 was 63 % busy/,
      /^ps -eLo .*'\$1 == 7'/,
    ],
    [
      udp,
      { process: { capabilities: [] }, port: { udp: { busyRead: 0 } } },
      "note",
      "udp.busy-poll",
      /interrupt/,
      /^sysctl -w net\.core\.busy_read=50/,
    ],
    [
      packet,
      { traffic: { grown: { "time stolen": 40 } } },
      "harms",
      "cores.stolen",
      /5 % of the cores/,
      /dedicated/,
    ],
    [
      packet,
      { cores: { flags: ["tsc", "constant_tsc", "nonstop_tsc", "hypervisor"] } },
      "note",
      "cores.virtual",
      /virtual machine/,
      /dedicated/,
    ],
    [
      packet,
      { traffic: { grown: { "interrupt 38 eth0-TxRx-1": 9000, "interrupt 9 acpi": 3 } } },
      "harms",
      "cores.interrupts",
      /core 7 serves interrupts: eth0-TxRx-1 9000\/s/,
      /^echo 0 > \/proc\/irq\/38\/smp_affinity_list/,
    ],
    [
      pipe,
      { memory: { shared: undefined } },
      "stops",
      "shared-memory",
      /no \/dev\/shm/,
      /mount -t tmpfs/,
    ],
    [
      pipe,
      { memory: { shared: { writable: false } } },
      "stops",
      "shared-memory",
      /may not write/,
      /chmod/,
    ],
    [
      pipe,
      { memory: { shared: { freeBytes: 2 ** 20 } } },
      "stops",
      "shared-memory",
      /1\.0 MiB/,
      /shm-size/,
    ],
    [
      { ...pipe, exists: true },
      { memory: { shared: { freeBytes: 4 * 2 ** 20 } } },
      "stops",
      "shared-memory",
      /4\.0 MiB/,
      /shm-size/,
    ],
    [
      pipe,
      { memory: { shared: { freeBytes: 8 * 2 ** 20 } } },
      "harms",
      "shared-memory",
      /8\.0 MiB/,
      /shm-size/,
    ],
    [
      { ...pipe, kind: "switch", text: "soft:lab:1" },
      { memory: { shared: { freeBytes: 6 * 2 ** 20 } } },
      "harms",
      "shared-memory",
      /6\.0 MiB/,
      /shm-size/,
    ],
    [
      { ...xdp, text: "xdp:eth0" },
      { process: { userNamespace: true } },
      "stops",
      "capabilities",
      /^in this user namespace CAP_BPF, CAP_PERFMON count for nothing$/,
      /outside/,
    ],
    [
      packet,
      { process: { capabilities: [] } },
      "stops",
      "capabilities",
      /^CAP_NET_RAW is missing$/,
      /^setcap cap_net_raw\+ep \/usr\/bin\/deno[^]*AmbientCapabilities=CAP_NET_RAW/,
    ],
    [
      xdp,
      { process: { capabilities: ["CAP_NET_RAW", "CAP_IPC_LOCK"], noNewPrivileges: true } },
      "stops",
      "capabilities",
      /^CAP_NET_ADMIN, CAP_BPF, CAP_PERFMON are missing$/,
      /without no_new_privs/,
    ],
    [
      packet,
      { process: { capabilities: [], obtainable: [] } },
      "stops",
      "capabilities",
      /CAP_NET_RAW/,
      /docker run --cap-add=NET_RAW/,
    ],
    [
      packet,
      { process: { capabilities: [], program: "/opt/my deno/it's" } },
      "stops",
      "capabilities",
      /CAP_NET_RAW/,
      /setcap cap_net_raw\+ep '\/opt\/my deno\/it'\\''s'/,
    ],
    [
      { ...udp, udp: { ...udp.udp!, port: 319, refusal: "EACCES" } },
      {},
      "stops",
      "capabilities",
      /CAP_NET_BIND_SERVICE/,
      /--cap-add=NET_BIND_SERVICE/,
    ],
    [
      xdp,
      {
        process: {
          capabilities: ["CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_PERFMON", "CAP_BPF"],
          lockedLimit: 8 * 2 ** 20,
          lockedHardLimit: 8 * 2 ** 20,
        },
      },
      "stops",
      "locked-memory",
      /8 MiB of memory may be locked, and this port locks 72 MiB/,
      /^prlimit --pid \$\$ --memlock=75497472:75497472[^]*LimitMEMLOCK=infinity/,
    ],
    [
      queue,
      {
        interface: { device: { indirection: [2, 2] } },
        process: {
          capabilities: ["CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_PERFMON", "CAP_BPF"],
          lockedLimit: 2 ** 16,
        },
      },
      "stops",
      "locked-memory",
      /0\.1 MiB .* locks 18 MiB/,
      /^ulimit -l 18432/,
    ],
    [netmap, {}, "stops", "netmap.missing", /not loaded/, /build it for Linux 6\.12\.0/],
    [
      netmap,
      { netmap: { installed: true } },
      "stops",
      "netmap.missing",
      /not loaded/,
      /^modprobe netmap$/,
    ],
    [netmap, { netmap: { loaded: true } }, "stops", "netmap.missing", /no \/dev\/netmap/, /mknod/],
    [
      netmap,
      { netmap: { ...NETMAP, writable: false } },
      "stops",
      "netmap.permission",
      /open/,
      /chmod 0660/,
    ],
    [
      netmap,
      { netmap: { ...NETMAP, drivers: [] } },
      "harms",
      "netmap.mode",
      /emulated: ice/,
      /--drivers=ice/,
    ],
    [
      netmap,
      { netmap: { ...NETMAP, admode: 2 } },
      "harms",
      "netmap.mode",
      /would be emulated/,
      /^echo 0 > /,
    ],
    [
      netmap,
      { netmap: { ...NETMAP, drivers: [], admode: 1 } },
      "stops",
      "netmap.mode",
      /emulation is off/,
      /^echo 0 > .*admode$/,
    ],
    [
      netmap,
      { netmap: NETMAP, interface: { device: { driver: undefined } } },
      "note",
      "netmap.mode",
      /unknown/,
      /dmesg/,
    ],
    [
      netmap,
      { netmap: NETMAP, interface: { link: { mtu: 9000 } } },
      "harms",
      "netmap.buffers",
      /MTU 9000 .* 2048/,
      /mtu 1500/,
    ],
    [
      netmap,
      { netmap: NETMAP, interface: { master: { name: "br0", kind: "bridge" } } },
      "harms",
      "netmap.master",
      /bridge "br0"/,
      /nomaster/,
    ],
    [
      packet,
      { interface: { link: { type: 65534 } } },
      "stops",
      "link.type",
      /no Ethernet/,
      /ip link/,
    ],
    [
      packet,
      { interface: { link: { carrier: false } } },
      "stops",
      "link.carrier",
      /no link/,
      /^ethtool eth0/,
    ],
    [
      packet,
      { interface: { link: { carrier: false, kind: "vlan" }, lower: "eth1" } },
      "stops",
      "link.carrier",
      /no link/,
      /^ip link set dev eth1 up$/,
    ],
    [
      packet,
      { interface: { device: { duplex: "half" } } },
      "harms",
      "link.duplex",
      /half/,
      /autoneg on$/,
    ],
    [
      xdp,
      { interface: { link: { kind: "bond" }, members: ["eth1", "eth2"] } },
      "stops",
      "link.bond",
      /bond of eth1, eth2/,
      /-i xdp:eth1/,
    ],
    [
      xdp,
      { interface: { link: { kind: "vlan" }, lower: "eth1" } },
      "harms",
      "link.virtual",
      /vlan on "eth1"/,
      /-i xdp:eth1/,
    ],
    [
      packet,
      { interface: { master: { name: "bond0", kind: "bond" } } },
      "note",
      "link.master",
      /bond "bond0"/,
      /ip link show master bond0/,
    ],
    [
      { ...queue, queue: 9 },
      {},
      "stops",
      "queues.missing",
      /no queue 9: it has 4/,
      /^ethtool -L eth0 combined 10$/,
    ],
    [
      { ...queue, queue: 99 },
      {},
      "stops",
      "queues.missing",
      /no queue 99/,
      /-i xdp:eth0-3/,
    ],
    [
      xdp,
      { interface: { queues: 32 } },
      "stops",
      "queues.many",
      /32 queues/,
      /^ethtool -L eth0 combined 16$/,
    ],
    [
      queue,
      {},
      "harms",
      "queues.share",
      /one of 4, and has 25 % of the streams$/,
      /^ethtool -X eth0 start 2 equal 1/,
    ],
    [
      queue,
      { interface: { device: { indirection: [0, 1] } } },
      "stops",
      "queues.share",
      /nothing into queue 2/,
      /equal 1/,
    ],
    [
      queue,
      { interface: { device: { indirection: [0, 1], rules: 3 } } },
      "harms",
      "queues.share",
      /nothing into queue 2; 3 ntuple rules may/,
      /ntuple/,
    ],
    [
      packet,
      { interface: { device: { rxRing: { now: 512, max: 8160 } } } },
      "harms",
      "queues.ring",
      /512 slots of 8160/,
      /^ethtool -G eth0 rx 8160$/,
    ],
    [
      packet,
      {
        interface: {
          device: { features: { "large-receive-offload": { on: true, fixed: false } } },
        },
      },
      "harms",
      "offloads.hardware",
      /large-receive-offload/,
      /^ethtool -K eth0 lro off$/,
    ],
    [
      xdp,
      { interface: { device: { features: { "rx-gro-hw": { on: true, fixed: true } } } } },
      "harms",
      "offloads.hardware",
      /rx-gro-hw/,
      /the host may/,
    ],
    [
      packet,
      { interface: { device: { pause: { negotiated: true, rx: true, tx: true } } } },
      "harms",
      "flow-control",
      /stops the other side/,
      /^ethtool -A eth0 autoneg off rx off tx off$/,
    ],
    [
      packet,
      { interface: { device: { pause: { negotiated: false, rx: true, tx: false } } } },
      "note",
      "flow-control",
      /stop this one/,
      /^ethtool -A eth0 rx off tx off$/,
    ],
    [
      xdp,
      { interface: { xdpFeatures: [] } },
      "harms",
      "xdp.mode",
      /ice offers no XDP as it is set/,
      /i40e/,
    ],
    [
      xdp,
      { interface: { program: { id: 7, mode: "generic", name: "xdp_lb" } } },
      "stops",
      "xdp.program",
      /"xdp_lb", generic$/,
      /^ip link set dev eth0 xdpgeneric off$/,
    ],
    [
      xdp,
      { interface: { program: { id: 7, mode: "native" } } },
      "stops",
      "xdp.program",
      /number 7, native$/,
      /^ip link set dev eth0 xdpdrv off$/,
    ],
    [
      xdp,
      { interface: { program: { id: 7, mode: "native", name: "uspf_0123abcd" } } },
      "stops",
      "xdp.shared",
      /"uspf_0123abcd", native, another capture's$/,
      /xdp:eth0-0/,
    ],
    [
      queue,
      {
        interface: {
          device: { indirection: [2] },
          program: { id: 7, mode: "native", name: "uspf_0123abcd" },
        },
        process: {
          capabilities: ["CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_IPC_LOCK", "CAP_PERFMON", "CAP_BPF"],
        },
      },
      "stops",
      "xdp.shared",
      /another capture's$/,
      /CAP_SYS_ADMIN/,
    ],
    [
      queue,
      {
        interface: {
          device: { indirection: [2] },
          program: { id: 7, mode: "native", name: "uspf_0123abcd" },
        },
      },
      "note",
      "xdp.shared",
      /another capture's$/,
      /xdpdrv off/,
    ],
    [
      packet,
      { interface: { device: { coalescing: { rxUs: 50, adaptive: false } } } },
      "note",
      "coalescing",
      /50 µs/,
      /^ethtool -C eth0 rx-usecs 0$/,
    ],
    [
      xdp,
      { interface: { device: { coalescing: { rxUs: 3, adaptive: true } } } },
      "note",
      "coalescing",
      /as long as its driver likes/,
      /^ethtool -C eth0 adaptive-rx off rx-usecs 0$/,
    ],
    [
      queue,
      {
        interface: { device: { indirection: undefined } },
        traffic: { grown: { "driver rx_queue_0_packets": 900, "driver rx_queue_2_packets": 100 } },
      },
      "harms",
      "queues.share",
      /has an unknown part of the streams; in 1\.0 s 100 packets came into it, 900 into others$/,
      /equal 1/,
    ],
    [
      packet,
      { interface: { link: { allMulticast: false }, groups: ["224.0.0.1", "239.1.1.1"] } },
      "note",
      "multicast",
      /: 224\.0\.0\.1, 239\.1\.1\.1$/,
      /allmulticast on/,
    ],
    [
      udp,
      { process: { capabilities: [] }, port: { udp: { largestBuffer: 212992 } } },
      "harms",
      "udp.buffer",
      /208 KiB at most; .* 64 MiB/,
      /^sysctl -w net\.core\.rmem_max=67108864/,
    ],
    [
      udp,
      { process: { capabilities: [] }, port: { udp: { largestBuffer: undefined } } },
      "note",
      "udp.buffer",
      /not shown here/,
      /rmem_max/,
    ],
    [
      { ...udp, text: "udp:239.1.1.1:5001", udp: { ...udp.udp!, route: "eth0" } },
      {},
      "note",
      "udp.route",
      /joined on "eth0"/,
      /-i udp:239\.1\.1\.1:5001@eth0/,
    ],
    [
      udp,
      { interface: { reversePath: 1, defaultRoute: false, link: { name: "eth0.5" } } },
      "harms",
      "udp.reverse-path",
      /no way back/,
      /^sysctl -w net\.ipv4\.conf\.eth0\/5\.rp_filter=2/,
    ],
    [
      udp,
      { port: { udp: { refusal: "EADDRINUSE" } } },
      "stops",
      "udp.taken",
      /another program/,
      /^ss -ulpn 'sport = :5001'\n# end what has it, or choose another port$/,
    ],
    [
      udp,
      {
        port: {
          udp: {
            refusal: "EADDRINUSE",
            holders: [{ process: 7, name: "a" }, { process: 8, name: "b" }],
          },
        },
      },
      "stops",
      "udp.taken",
      /processes 7 \(a\), 8 \(b\) have sockets there$/,
      /^ss /,
    ],
    [
      udp,
      { port: { udp: { refusal: "EADDRNOTAVAIL" } } },
      "stops",
      "udp.address",
      /^239\.1\.1\.1 is not an address/,
      /ip -4 address/,
    ],
    [
      udp,
      { port: { udp: { refusal: "EPERM" } } },
      "stops",
      "udp.refused",
      /refuses .* 239\.1\.1\.1:5001@eth0: EPERM$/,
      /bpftool/,
    ],
    [
      packet,
      { interface: { node: 0 } },
      "harms",
      "node",
      /NUMA node 0, and core 7 of node 1/,
      /-c 4: node 0 has cores 0-1,4-5/,
    ],
    [
      packet,
      {
        interface: { device: { rxRing: undefined } },
        traffic: {
          grown: {
            "link rx_missed_errors": 500,
            "driver rx_out_of_buffer": 1500,
            "driver tx_dropped": 9,
          },
        },
      },
      "harms",
      "traffic.lost",
      /rx_out_of_buffer \+1,500\/s, rx_missed_errors \+500\/s$/,
      /--rings all/,
    ],
    [
      packet,
      { traffic: { seconds: 2, grown: { "link rx_crc_errors": 3 } } },
      "harms",
      "traffic.lost",
      /rx_crc_errors \+1\.5\/s$/,
      /ethtool -m eth0/,
    ],
    [
      packet,
      { traffic: { grown: { "softnet dropped": 70 } } },
      "harms",
      "traffic.backlog",
      /70 packets\/s/,
      /netdev_max_backlog/,
    ],
    [
      packet,
      { traffic: { grown: { "softnet squeezed": 7 } } },
      "note",
      "traffic.squeezed",
      /7 times/,
      /budget/,
    ],
    [
      udp,
      { traffic: { grown: { "udp InCsumErrors": 7 } } },
      "harms",
      "traffic.checksums",
      /7 UDP/,
      /sender/,
    ],
  ];

for (const [port, but, level, id, what, remedy] of CASES) {
  const title = `${port?.text ?? "the machine"}, ${JSON.stringify(but)}`.slice(0, 90);
  Deno.test(`judge finds ${id} (${level}): ${title}`, () => {
    const facts = host(port, but), findings = findingsOf(facts);
    const bad = findings.filter((finding) =>
      finding.level !== "ok" && finding.id !== "queues.threads"
    );
    assertEquals(bad.map(({ id, level }) => `${level} ${id}`), [`${level} ${id}`]);
    assertMatch(bad[0].what, what);
    assertMatch(bad[0].remedy.join("\n"), remedy);
    assert(bad[0].why.length > 10);
    assertEquals(wouldStop(judge(facts)), level === "stops");
    assertReadable(facts);
  });
}

/** Commands stay whole; all else keeps to 80 columns, and no line is empty but those between groups. */
function assertReadable(facts: Facts): void {
  const lines = reportLines(facts, judge(facts), false);
  const commands = findingsOf(facts).flatMap(({ remedy }) => remedy);
  for (const line of lines) {
    if (!commands.includes(line.trim())) assertLess([...line].length, 81, line);
    assertEquals(line, line.trimEnd());
  }
}

for (const [kind, port] of Object.entries({ ...PORTS, none: undefined })) {
  Deno.test(`judge finds nothing wrong on a good host: ${kind}`, () => {
    const but = kind === "netmap"
      ? { netmap: NETMAP }
      : kind === "queue"
      ? { interface: { device: { indirection: [2] } } }
      : {};
    const facts = host(port, but);
    const bad = findingsOf(facts).filter(({ level, id }) =>
      level !== "ok" && id !== "queues.threads"
    );
    assertEquals(bad, []);
    const lines = reportLines(facts, judge(facts), false);
    assertMatch(lines.join("\n"), /nothing here would stop or harm a capture/);
    assertLess(lines.length, 24);
  });
}

Deno.test("judge does not say of an interface that is down that nothing arrives there", () => {
  const quiet = { seconds: 1, grown: { "link rx_packets": 0 } };
  const ids = (up: boolean) =>
    findingsOf(host(packet, { interface: { link: { up } }, traffic: quiet })).map(({ id }) => id);
  assertEquals([ids(false).includes("traffic.none"), ids(true).includes("traffic.none")], [
    false,
    true,
  ]);
});

Deno.test("reportLines colours the levels where it is asked to", () => {
  const facts = host(packet, { interface: { link: { up: false } } });
  const plain = reportLines(facts, judge(facts), false).join("\n");
  const coloured = reportLines(facts, judge(facts), true).join("\n");
  assertEquals(plain.includes("\x1b"), false);
  assertEquals(coloured.includes('\x1b[31mSTOPS\x1b[0m  "eth0" is set down'), true);
  // deno-lint-ignore no-control-regex
  assertEquals(coloured.replace(/\x1b\[\d+m/g, ""), plain);
});

Deno.test("judge leaves a soft port alone that has the memory it takes", () => {
  const found = (text: string, kind: "pipe" | "switch", mib: number, exists: boolean) =>
    findingsOf(
      host({ text, kind, interface: "", exists }, {
        memory: { shared: { freeBytes: mib * 2 ** 20 } },
      }),
    ).filter(({ level }) => level === "stops" || level === "harms");
  assertEquals(found("soft:lab{1", "pipe", 9, false), []);
  assertEquals(found("soft:lab:1", "switch", 7, false), []);
  assertEquals(found("soft:lab{1", "pipe", 5, true), []);
});

Deno.test("judge lets CAP_SYS_ADMIN stand for CAP_BPF and CAP_PERFMON, and for nothing else", () => {
  const stops = (...capabilities: string[]) =>
    findingsOf(host(xdp, { process: { capabilities, lockedLimit: undefined } }))
      .filter(({ level }) => level === "stops").map(({ what }) => what);
  assertEquals(stops("CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_SYS_ADMIN"), []);
  assertEquals(stops("CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_SYS_ADMIN", "CAP_BPF"), []);
  assertEquals(stops("CAP_NET_ADMIN", "CAP_SYS_ADMIN"), ["CAP_NET_RAW is missing"]);
});

Deno.test("judge counts what a user namespace gives for nothing where the first one is asked", () => {
  const ids = (port: PortFacts) =>
    findingsOf(host(port, { process: { userNamespace: true, lockedLimit: 2 ** 23 } }))
      .filter(({ level }) => level === "stops").map(({ id }) => id);
  assertEquals(ids(xdp), ["capabilities", "locked-memory"]);
  assertEquals(ids(packet), []);
  assertEquals(ids(udp), []);
});
