/**
 * What the native library tells the doctor, and what it refuses to.
 */
import { assertEquals, assertGreater } from "@std/assert";
import { driverCounters } from "../ffi/ethtool.ts";
import { loadLibrary } from "../ffi/library.ts";
import { allAddresses, allLinks, routeTo } from "../ffi/netlink.ts";
import { MachineFiles, zeroEnded } from "../ffi/system_files.ts";

const EPERM = -1, EACCES = -13, ENOENT = -2;
const LOOPBACK = 0x7f000001;

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
  assertEquals(files.text("/proc/sys/kernel/ostype"), "Linux");
  assertEquals(files.names("/sys/class/net").includes("lo"), true);
  assertEquals(files.names(`/proc/${Deno.pid}/fd`).includes("0"), true);
  assertGreater(files.info("/dev/shm")?.freeBytes ?? 1, 0);
  assertEquals([files.text("/proc/sys/nothing"), files.names("/proc/sys/nothing")], [
    undefined,
    [],
  ]);
  assertEquals([files.link("/proc/sys/kernel"), files.info("/sys/class/net/no0")], [
    undefined,
    undefined,
  ]);
  assertEquals(files.text("/etc/passwd"), undefined);
});

Deno.test("uspf_read_file fills no more than the room that it is given", () => {
  const room = new Uint8Array(16);
  const { uspf_read_file, uspf_read_folder } = loadLibrary();
  assertEquals(uspf_read_file(zeroEnded("/proc/cpuinfo"), room, 8), 8);
  assertEquals([...room.subarray(8)], new Array(8).fill(0));
  assertEquals(uspf_read_file(zeroEnded("/proc/cpuinfo"), room, 0), 0);
  room.fill(0);
  assertEquals(uspf_read_folder(zeroEnded("/proc/sys/kernel"), room, 1), 0);
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
