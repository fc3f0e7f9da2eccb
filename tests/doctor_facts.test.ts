/**
 * How the doctor reads the kernel's files.
 */
import { assertEquals } from "@std/assert";
import { controlGroupFacts } from "../doctor/facts/control_group.ts";
import { formatCores, parseCores } from "../doctor/facts/core_list.ts";
import { coreFacts } from "../doctor/facts/cores.ts";
import { holderOfProgram, holderOfSocket } from "../doctor/facts/holders.ts";
import { kernelFacts } from "../doctor/facts/kernel.ts";
import { memoryFacts } from "../doctor/facts/memory.ts";
import { netmapFacts } from "../doctor/facts/netmap.ts";
import { processFacts } from "../doctor/facts/process.ts";
import { isLoss, readCounters, trafficBetween } from "../doctor/facts/traffic.ts";
import { portFacts } from "../doctor/facts/port.ts";
import { parsePortName } from "../ffi/port_name.ts";
import { Files } from "./doctor_fixture.ts";

const CPU = "/sys/devices/system/cpu", NOTHING = new Files({});

Deno.test("parseCores and formatCores are each other's inverse", () => {
  for (const list of ["", "0", "0-3", "0-3,8", "1,3,5-6,127"]) {
    assertEquals(formatCores(parseCores(list)), list);
  }
  assertEquals([parseCores(undefined), parseCores("\n"), parseCores("(null)")], [[], [], []]);
  assertEquals(parseCores("0-1:1/2,4"), [0, 1, 4]);
});

Deno.test("coreFacts reads isolated cores, nodes, siblings, governor, idle states and flags", () => {
  const one = `${CPU}/cpu3`;
  const files = new Files({
    [`${CPU}/online`]: "0-3\n",
    [`${CPU}/isolated`]: "2-3\n",
    [`${CPU}/nohz_full`]: "3\n",
    "/sys/devices/system/node/node0/cpulist": "0-1\n",
    "/sys/devices/system/node/node1/cpulist": "2-3\n",
    "/sys/devices/system/node/online": "0-1\n",
    [`${one}/topology/thread_siblings_list`]: "1,3\n",
    [`${one}/cpufreq/scaling_governor`]: "schedutil\n",
    [`${one}/cpuidle/state0/latency`]: "0\n",
    [`${one}/cpuidle/state1/latency`]: "10\n",
    [`${one}/cpuidle/state2/latency`]: "133\n",
    [`${one}/cpuidle/state2/disable`]: "1\n",
    "/proc/cpuinfo": "processor\t: 0\nflags\t\t: fpu tsc sse constant_tsc hypervisor\n",
  });
  const facts = coreFacts(files, [0, 1], (core) => core < 3, 3);
  assertEquals(facts, {
    online: [0, 1, 2, 3],
    allowed: [0, 1],
    isolated: [2, 3],
    tickless: [3],
    nodes: { 0: [0, 1], 1: [2, 3] },
    flags: ["tsc", "constant_tsc", "hypervisor"],
    chosen: {
      core: 3,
      asked: true,
      usable: false,
      siblings: [1],
      governor: "schedutil",
      node: 1,
      deepestIdleUs: 10,
    },
  });
  assertEquals(coreFacts(files, [0, 1], () => true).chosen.core, 1);
  const { chosen, isolated } = coreFacts(NOTHING, [0], () => true);
  assertEquals([chosen.governor, chosen.deepestIdleUs, chosen.node, isolated.length], [
    undefined,
    undefined,
    undefined,
    0,
  ]);
});

Deno.test("controlGroupFacts takes the tightest of a group and its parents, of both versions", () => {
  const files = new Files({
    "/proc/self/cgroup": "0::/a.slice/b.service\n",
    "/sys/fs/cgroup/a.slice/cpu.max": "50000 100000\n",
    "/sys/fs/cgroup/a.slice/b.service/cpu.max": "300000 100000\n",
    "/sys/fs/cgroup/cpu.max": "max 100000\n",
    "/sys/fs/cgroup/a.slice/memory.max": "max\n",
    "/sys/fs/cgroup/a.slice/b.service/memory.max": "1048576\n",
  });
  assertEquals(controlGroupFacts(files), {
    cores: { value: 0.5, file: "/sys/fs/cgroup/a.slice/cpu.max" },
    bytes: { value: 1048576, file: "/sys/fs/cgroup/a.slice/b.service/memory.max" },
  });
  const old = new Files({
    "/proc/self/cgroup": "4:memory:/x\n3:cpu,cpuacct:/docker/1\n0::/\n",
    "/sys/fs/cgroup/cpu,cpuacct/docker/1/cpu.cfs_quota_us": "150000\n",
    "/sys/fs/cgroup/cpu,cpuacct/docker/1/cpu.cfs_period_us": "100000\n",
    "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1\n",
    "/sys/fs/cgroup/memory/x/memory.limit_in_bytes": "9223372036854771712\n",
  });
  assertEquals(controlGroupFacts(old), {
    cores: { value: 1.5, file: "/sys/fs/cgroup/cpu,cpuacct/docker/1/cpu.cfs_quota_us" },
    bytes: undefined,
  });
  assertEquals(controlGroupFacts(NOTHING), { cores: undefined, bytes: undefined });
});

Deno.test("kernelFacts has version, protocols, clocks, and whether BPF is compiled", () => {
  const clock = "/sys/devices/system/clocksource/clocksource0";
  const files = new Files({
    "/proc/sys/kernel/osrelease": "5.15.0-91-generic\n",
    "/proc/sys/net/core/bpf_jit_enable": "0\n",
    "/proc/net/protocols": "protocol  size sockets\nXDP       1088      0\nUDP  1 2\n",
    [`${clock}/current_clocksource`]: "hpet\n",
    [`${clock}/available_clocksource`]: "tsc hpet acpi_pm \n",
  });
  assertEquals(kernelFacts(files, "x86_64"), {
    release: "5.15.0-91-generic",
    version: 515,
    protocols: ["XDP", "UDP"],
    jit: 0,
    arch: "x86_64",
    clock: { source: "hpet", available: ["tsc", "hpet", "acpi_pm"] },
  });
  assertEquals(kernelFacts(NOTHING, "aarch64").version, 0);
});

Deno.test("processFacts reads capabilities, limits and user namespaces", () => {
  const files = new Files({
    "/proc/self/status": "Name:\tdeno\nUid:\t1000\t1000\t1000\t1000\nNoNewPrivs:\t1\n" +
      "CapEff:\t0000000000003000\nCapBnd:\t000001ffffffffff\n",
    "/proc/self/limits": "Limit  Soft Limit  Hard Limit  Units\n" +
      "Max locked memory         65536                unlimited            bytes     \n",
    "/proc/self/uid_map": "         0       1000          1\n",
  });
  const facts = processFacts(files, "/bin/deno");
  assertEquals(facts.capabilities, ["CAP_NET_ADMIN", "CAP_NET_RAW"]);
  assertEquals(facts.obtainable.length, 7);
  assertEquals([facts.root, facts.noNewPrivileges, facts.userNamespace], [false, true, true]);
  assertEquals([facts.lockedLimit, facts.lockedHardLimit], [65536, undefined]);
  assertEquals(processFacts(NOTHING, "").capabilities, []);
});

Deno.test("memoryFacts reads pages and /dev/shm, netmapFacts the module", () => {
  const files = new Files({
    "/proc/meminfo": "MemTotal: 9 kB\nMemAvailable:    2048 kB\nHugePages_Total:      16\n" +
      "HugePages_Free:        4\nHugepagesize:       2048 kB\n",
    "/sys/kernel/mm/transparent_hugepage/enabled": "always madvise [never]\n",
    "/sys/module/netmap/parameters/admode": "2\n",
    "/sys/module/netmap/parameters/buf_size": "4096\n",
    "/sys/module/netmap/holders/e1000": "",
    "/lib/modules/6.1/modules.dep": "extra/netmap.ko:\nkernel/veth.ko:\n",
  }, { "/dev/shm": { freeBytes: 7, mode: 0o41777 }, "/dev/netmap": { writable: false } });
  assertEquals(memoryFacts(files), {
    hugePages: { total: 16, free: 4, bytes: 2 ** 21 },
    transparentHugePages: "never",
    availableBytes: 2 ** 21,
    shared: { writable: true, freeBytes: 7, mode: 0o1777 },
  });
  assertEquals(netmapFacts(files, "6.1"), {
    loaded: true,
    installed: true,
    device: true,
    writable: false,
    drivers: ["e1000"],
    admode: 2,
    bufferBytes: 4096,
  });
  assertEquals(memoryFacts(NOTHING).shared, undefined);
  const none = netmapFacts(NOTHING, "6.1");
  assertEquals([none.loaded, none.device, none.admode, none.bufferBytes], [false, false, 0, 2048]);
});

Deno.test("holderOfSocket and holderOfProgram find the process by its descriptors", () => {
  const files = new Files(
    {
      "/proc/cpuinfo": "",
      "/proc/7/comm": "deno\n",
      "/proc/7/fdinfo/4": "pos:\t0\nlink_type:\txdp\nlink_id:\t2\nprog_id:\t31\nifindex:\t2\n",
      "/proc/7/fdinfo/5": "pos:\t0\nprog_type:\t6\nprog_id:\t32\n",
      "/proc/9/comm": "init\n",
    },
    {},
    {
      "/proc/7/fd/3": "socket:[4711]",
      "/proc/7/fd/4": "anon_inode:bpf_link",
      "/proc/7/fd/5": "anon_inode:bpf-prog",
      "/proc/9/fd/0": "/dev/null",
    },
  );
  assertEquals(holderOfSocket(files, 4711), { process: 7, name: "deno" });
  assertEquals(holderOfSocket(files, 471), undefined);
  assertEquals(holderOfProgram(files, 31), { process: 7, name: "deno" });
  assertEquals([holderOfProgram(files, 3), holderOfProgram(files, 32)], [undefined, undefined]);
});

const SOCKETS =
  `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
  1: 0100007F:1389 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4711 2 0 0
`;
const WIDE_SOCKETS =
  `  sl  local_address                         remote_address                        st
  2: 0000000000000000FFFF00000200007F:1389 0:0000 07 00000000:00000000 00:00000000 00000000     0        0 4712 2 0 0
  3: B80D0120000000000000000001000000:1389 0:0000 07 00000000:00000000 00:00000000 00000000     0        0 4713 2 0 0
  4: 00000000000000000000000000000000:138A 0:0000 07 00000000:00000000 00:00000000 00000000     0        0 4713 2 0 0
`;

Deno.test("portFacts names who may be in the way of a UDP port, IPv6 sockets, too", () => {
  const files = new Files(
    {
      "/proc/net/udp": SOCKETS,
      "/proc/net/udp6": WIDE_SOCKETS,
      "/proc/sys/net/core/rmem_max": "212992\n",
      "/proc/7/comm": "feed\n",
      "/proc/8/comm": "six\n",
    },
    {},
    {
      "/proc/7/fd/3": "socket:[4711]",
      "/proc/7/fd/4": "socket:[4712]",
      "/proc/8/fd/3": "socket:[4713]",
    },
  );
  const udp = (text: string, refusal?: string) =>
    portFacts(files, parsePortName(text), [], () => refusal).udp!;
  const holders = (text: string) =>
    udp(text, "EADDRINUSE").holders.map(({ process, name }) => `${process} ${name}`);
  assertEquals(holders("udp:0.0.0.0:5001"), ["7 feed"]); // once, of two sockets; one of IPv6 alone is not
  assertEquals(holders("udp:127.0.0.1:5001"), ["7 feed"]);
  assertEquals(holders("udp:127.0.0.2:5001"), ["7 feed"]);
  assertEquals(holders("udp:127.0.0.3:5001"), []);
  assertEquals(holders("udp:239.1.1.1:5002"), ["8 six"]);
  const free = udp("udp:0.0.0.0:5001");
  assertEquals([free.refusal, free.holders, free.largestBuffer], [undefined, [], 212992]);
});

Deno.test("portFacts knows which interface and queue a name means", () => {
  const of = (text: string) => {
    const { kind, interface: name, queue } = portFacts(NOTHING, parsePortName(text), []);
    return [kind, name, queue];
  };
  assertEquals(of("netmap:eth0"), ["netmap", "eth0", undefined]);
  assertEquals(of("netmap:eth0-2"), ["netmap", "eth0", 2]);
  assertEquals(of("netmap:x{1"), ["netmap", "", undefined]);
  assertEquals(of("vale0:1"), ["netmap", "", undefined]);
  assertEquals(of("xdp:eth0-2"), ["xdp", "eth0", 2]);
  assertEquals(of("packet:eth0@7"), ["packet", "eth0", undefined]);
  assertEquals(of("soft:lab:1"), ["switch", "", undefined]);
});

Deno.test("readCounters reads what is dropped where, and interrupts of one core", () => {
  const at = (n: number) =>
    readCounters(
      new Files({
        "/proc/net/softnet_stat": `0000000a 0000000${n} 00000001 0\n00000001 00000001 00000000 0\n`,
        "/proc/net/snmp":
          `Ip: Forwarding InDiscards\nIp: 1 2\nUdp: InDatagrams RcvbufErrors\nUdp: 5 ${n}\n`,
        "/proc/net/netstat": `TcpExt: SyncookiesSent IPReversePathFilter\nTcpExt: 0 ${2 * n}\n`,
        "/proc/interrupts":
          `           CPU0       CPU2\n 38:   5   ${n}00  PCI-MSIX 1-edge   eth0-rx-0\n` +
          `LOC:   9   9   Local timer interrupts\n`,
        "/proc/stat":
          `cpu  100 0 0 ${n}00 0 0 0 ${n}0 0 0\ncpu0 1 2\ncpu2 ${n}0 0 0 ${n}0 ${n}0 0 0 0 0 0\n`,
      }),
      "",
      2,
    );
  const { grown, seconds } = trafficBetween(at(1), at(3), 2);
  assertEquals(seconds, 2);
  assertEquals(grown, {
    "softnet dropped": 2,
    "udp RcvbufErrors": 2,
    "ip IPReversePathFilter": 4,
    "interrupt 38 eth0-rx-0": 200,
    "time all": 220,
    "time stolen": 20,
    "core all": 60,
    "core busy": 20,
  });
  assertEquals(trafficBetween({}, at(1), 1).grown, {}); // a counter that was not there has not grown
});

Deno.test("isLoss knows the drivers' names of lost packets", () => {
  const losses = [
    "link rx_dropped",
    "link rx_missed_errors",
    "link rx_fifo_errors",
    "driver rx_no_buffer_count",
    "driver rx_missed_errors",
    "driver rx_no_dma_resources",
    "driver rx_out_of_buffer",
    "driver rx0_drops",
    "driver rx_queue_0_drops",
    "driver port.rx_discards",
    "driver rx_discards_phy",
    "driver alloc_rx_buff_failed",
    "driver rx_alloc_fail",
    "driver rx_over_errors",
  ];
  for (const counter of losses) assertEquals(isLoss(counter), true, counter);
  const others = [
    "link rx_packets",
    "link tx_dropped",
    "driver tx_dropped",
    "driver rx_xdp_redirect",
    "driver rx_bytes",
    "driver rx0_xdp_packets",
    "udp RcvbufErrors",
  ];
  for (const counter of others) assertEquals(isLoss(counter), false, counter);
});
