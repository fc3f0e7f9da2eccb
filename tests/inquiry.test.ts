/**
 * What the native library tells the doctor, and what it refuses to.
 */
import { assertEquals, assertGreater, assertMatch } from "@std/assert";
import { driverCounters } from "../ffi/ethtool.ts";
import { loadLibrary } from "../ffi/library.ts";
import { allAddresses, allLinks, routeTo } from "../ffi/netlink.ts";
import { MachineFiles, zeroEnded } from "../ffi/system_files.ts";

const EPERM = -1, EACCES = -13, ENOENT = -2;
const LOOPBACK = 0x7f000001;
const MODULES = "/lib/modules";

const notRoot = Deno.uid() === 0 ? undefined : "it takes root to make one";

Deno.test("uspf_read_file refuses what tells of more than the machine", () => {
  const { uspf_read_file, uspf_read_folder, uspf_read_link, uspf_file_info } = loadLibrary();
  const room = new Uint8Array(4096), info = new Float64Array(5);
  const secret = [
    "/etc/shadow",
    "/proc/self/environ",
    "/proc/self/mem",
    "/proc/self/root/etc/passwd",
    "/proc/self/cwd/deno.json",
    "/proc/1/environ",
    "/proc/1/fd/0/x",
    "/proc/1/root",
    "/proc/sys/../1/environ",
    "/sys/class/net/../../../etc/passwd",
    "/sys/kernel/debug/x",
    "/proc/sys/net/ipv4/tcp_fastopen_key",
    "/proc/sys/net/ipv6/conf/lo/stable_secret",
    "/proc/sys/net/ipv4/conf/lo/forwarding",
    "/proc/sys/net/ipv4/conf/a/b/rp_filter",
    "/proc/net/tcp",
    "/sys/devices/virtual/dmi/id/product_serial",
    "/sys/class/net/lo/address",
    "/lib/modules/x/build/Makefile",
    "/lib/modules/../modules/modules.dep",
    "proc/cpuinfo",
    "",
  ];
  for (const path of secret) {
    const name = zeroEnded(path);
    const results = [
      uspf_read_file(name, room, room.length),
      uspf_read_folder(name, room, room.length),
      uspf_read_link(name, room, room.length),
      uspf_file_info(name, info),
    ];
    assertEquals(results, [EACCES, EACCES, EACCES, EACCES], path);
  }
  // The link itself says what a descriptor is; what is behind it stays closed.
  const behind = zeroEnded(`/proc/${Deno.pid}/fd/0`);
  assertEquals(uspf_read_file(behind, room, room.length), EACCES);
  assertGreater(uspf_read_link(behind, room, room.length), 0);
});

Deno.test("MachineFiles reads files, folders and links, and has nothing where there is none", () => {
  const files = new MachineFiles();
  assertMatch(files.text("/proc/sys/net/ipv4/conf/lo/rp_filter") ?? "", /^[012]$/);
  assertEquals(files.names("/sys/class/net").includes("lo"), true);
  assertEquals(files.names(`/proc/${Deno.pid}/fd`).includes("0"), true);
  assertGreater(files.info("/dev/shm")?.freeBytes ?? 1, 0);
  const none = "/proc/sys/net/ipv4/conf/no0/rp_filter";
  assertEquals([files.text(none), files.names(none)], [undefined, []]);
  assertEquals([files.link("/proc/self/status"), files.info("/dev/shm/uspf.none")], [
    undefined,
    undefined,
  ]);
  assertEquals(files.text("/etc/passwd"), undefined);
});

Deno.test({
  name: "uspf_read_file reads lists of modules, and follows no link on the way to one" +
    (notRoot === undefined ? "" : `: IGNORED, ${notRoot}`),
  ignore: notRoot !== undefined,
  fn: async () => {
    const made = await Deno.mkdir(MODULES).then(() => true, () => false); // a container has none
    const kernel = await Deno.makeTempDir({ dir: MODULES, prefix: "uspf-test-" });
    const beside = `${kernel}-link`, files = new MachineFiles();
    try {
      await Deno.writeTextFile(`${kernel}/modules.dep`, "netmap.ko:");
      await Deno.symlink("/etc/passwd", `${kernel}/modules.alias`);
      await Deno.symlink(kernel, beside);
      assertEquals(files.text(`${kernel}/modules.dep`), "netmap.ko:");
      assertEquals(files.text(`${kernel}/modules.alias`), undefined);
      assertEquals(files.text(`${beside}/modules.dep`), undefined);
    } finally {
      await Deno.remove(kernel, { recursive: true });
      await Deno.remove(beside).catch(() => {});
      if (made) await Deno.remove(MODULES);
    }
  },
});

Deno.test("uspf_read_file fills no more than the room that it is given", () => {
  const room = new Uint8Array(16);
  const { uspf_read_file, uspf_read_folder } = loadLibrary();
  assertEquals(uspf_read_file(zeroEnded("/proc/cpuinfo"), room, 8), 8);
  assertEquals([...room.subarray(8)], new Array(8).fill(0));
  assertEquals(uspf_read_file(zeroEnded("/proc/cpuinfo"), room, 0), 0);
  room.fill(0);
  assertEquals(uspf_read_folder(zeroEnded("/sys/class/net"), room, 1), 0);
  assertEquals([...room], new Array(16).fill(0));
});

Deno.test("uspf_ethtool answers questions, and changes nothing", () => {
  const { uspf_ethtool } = loadLibrary(), command = new Uint8Array(256);
  const view = new DataView(command.buffer);
  const ask = (number: number, bytes = command.length) => {
    view.setUint32(0, number, true);
    return uspf_ethtool(zeroEnded("lo"), command, bytes);
  };
  const SET = { rings: 0x11, pause: 0x13, features: 0x3b, channels: 0x3d, link: 0x4d, reset: 0x34 };
  for (const [name, number] of Object.entries(SET)) assertEquals(ask(number), EPERM, name);
  assertEquals(ask(0x3a), 0); // features
  assertEquals(ask(0x3a, 3), -22); // less than a command
  assertEquals(ask(0x3a, 1 << 30), -22);
  assertEquals(uspf_ethtool(zeroEnded("no-such-name-of-any-length"), command, 256), -19);
  assertEquals(driverCounters("no0"), {});
});

Deno.test("uspf_netlink answers questions, and changes nothing", () => {
  const { uspf_netlink } = loadLibrary(), answer = new Uint8Array(65536);
  const ask = (protocol: number, type: number, length = 32, command = 0) => {
    const request = new Uint8Array(32), view = new DataView(request.buffer);
    view.setUint32(0, length, true);
    view.setUint16(4, type, true);
    view.setUint16(6, 1, true); // NLM_F_REQUEST
    view.setUint8(16, command);
    return uspf_netlink(protocol, request, 32, answer, answer.length);
  };
  const ROUTE = 0, NETFILTER = 12, GENERIC = 16;
  // New, delete and set of links, addresses and routes.
  for (const type of [16, 17, 19, 20, 21, 24, 25]) assertEquals(ask(ROUTE, type), EPERM, `${type}`);
  assertEquals([ask(ROUTE, 18, 999), ask(NETFILTER, 18), ask(GENERIC, 20, 32, 2)], [
    EPERM,
    EPERM,
    EPERM,
  ]);
  assertEquals(ask(GENERIC, 16, 32, 3) < 0, true); // a family without a name
});

const IOAM6 = familyNumber("IOAM6"); // its command 1 adds a namespace

/** The kernel's number of a family of generic netlink, from all that it tells of it. */
function familyNumber(name: string): number | undefined {
  const request = new Uint8Array(40), view = new DataView(request.buffer);
  const answer = new Uint8Array(8192), text = zeroEnded(name);
  [40, 16 | 1 << 16, 1, 0].forEach((word, i) => view.setUint32(i * 4, word, true));
  request.set([3, 1], 16); // CTRL_CMD_GETFAMILY
  view.setUint16(20, 4 + text.length, true);
  view.setUint16(22, 2, true); // CTRL_ATTR_FAMILY_NAME
  request.set(text, 24);
  const bytes = loadLibrary().uspf_netlink(16, request, 40, answer, answer.length);
  const words = new DataView(answer.buffer);
  for (let at = 20; at + 6 <= bytes; at += words.getUint16(at, true) + 3 & ~3) {
    if (words.getUint16(at + 2, true) === 1) return words.getUint16(at + 4, true);
  }
}

/** What command 1, without any attribute, gets of a family. */
function firstCommand(family: number): number {
  const request = new Uint8Array(20), answer = new Uint8Array(65536);
  new DataView(request.buffer).setUint32(0, 20, true);
  new DataView(request.buffer).setUint32(4, family | 1 << 16, true); // NLM_F_REQUEST
  request.set([1, 1], 16);
  return loadLibrary().uspf_netlink(16, request, 20, answer, answer.length);
}

Deno.test({
  name: "uspf_netlink lets no other family's command 1 through" +
    (IOAM6 === undefined ? ": IGNORED, the kernel has no IOAM6" : ", as IOAM6's, which adds"),
  ignore: IOAM6 === undefined,
  fn: () => {
    assertGreater(IOAM6!, 16);
    assertEquals(firstCommand(IOAM6!), EPERM);
  },
});

Deno.test("uspf_netlink lets command 1 of no family but netdev through, be it there or not", () => {
  const netdev = familyNumber("netdev");
  for (const family of [0, 15, 17, 999, 1023, 65535]) {
    if (family !== netdev) assertEquals(firstCommand(family), EPERM, `${family}`);
  }
  if (netdev !== undefined) assertEquals(firstCommand(netdev), -22); // it does get there, without an interface
});

Deno.test("allLinks, allAddresses and routeTo know the loopback", () => {
  const lo = allLinks().find(({ name }) => name === "lo")!;
  assertEquals([lo.type, lo.loopback, lo.up], [772, true, true]);
  assertEquals(
    allAddresses().some((own) => own.index === lo.index && own.address === LOOPBACK),
    true,
  );
  assertEquals(routeTo(LOOPBACK), lo.index);
});

Deno.test("uspf_program_name has no name for a program that is not there", () => {
  assertEquals(
    [ENOENT, EPERM].includes(loadLibrary().uspf_program_name(0x7ffffff0, new Uint8Array(16))),
    true,
  );
});
