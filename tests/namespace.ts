/**
 * Enters a test network's namespace for a moment: what is opened there stays there. Only the calling
 * thread moves; programs that are started do not.
 *
 * ```text
 *  network namespace   own ──▶ the end's ───────────────────────────▶ own
 *  mounts              own ──▶ a copy, whose /sys is the end's ─────▶ own
 * ```
 * /sys shows the network namespace of whoever mounted it, and xdp ports count an interface's queues there.
 */
import type { Side, Testbed } from "./testbed.ts";

/* sched.h, sys/mount.h */
const NEW_NET = 0x40000000, NEW_MOUNTS = 0x20000; // CLONE_NEWNET, CLONE_NEWNS
const KEEP_TO_ITSELF = 0x84000; // MS_REC | MS_SLAVE
const DETACH = 2; // MNT_DETACH
const OWN = "/proc/thread-self/ns";

/** Calls `fn` in the namespace of an end. */
export function inNamespace<T>(testbed: Testbed, side: Side, fn: () => T): T {
  const name = testbed.inside(side, []).at(-1)!;
  using libc = openLibc();
  const paths = [`${OWN}/net`, `${OWN}/mnt`, `/var/run/netns/${name}`, "."];
  const [net, mounts, other, folder] = paths.map(libc.open);
  try {
    libc.copyMounts();
    libc.enter(other, NEW_NET);
    libc.mountSys();
    return fn();
  } finally {
    libc.enter(net, NEW_NET);
    libc.enter(mounts, NEW_MOUNTS);
    libc.changeFolder(folder);
    for (const fd of [net, mounts, other, folder]) libc.close(fd);
  }
}

function openLibc() {
  const library = Deno.dlopen("libc.so.6", {
    open: { parameters: ["buffer", "i32"], result: "i32" },
    setns: { parameters: ["i32", "i32"], result: "i32" },
    unshare: { parameters: ["i32"], result: "i32" },
    mount: { parameters: ["buffer", "buffer", "buffer", "usize", "pointer"], result: "i32" },
    umount2: { parameters: ["buffer", "i32"], result: "i32" },
    fchdir: { parameters: ["i32"], result: "i32" },
    close: { parameters: ["i32"], result: "i32" },
  });
  const { symbols } = library, text = (value: string) => new TextEncoder().encode(`${value}\0`);
  const must = (result: number, what: string) => {
    if (result < 0) throw new Error(`${what} failed`);
    return result;
  };
  const mount = (what: string, where: string, flags: number) =>
    must(symbols.mount(text(what), text(where), text(what), BigInt(flags), null), `mount ${where}`);
  return {
    open: (path: string) => must(symbols.open(text(path), 0), `open ${path}`),
    enter: (fd: number, kind: number) => must(symbols.setns(fd, kind), "setns"),
    copyMounts() {
      must(symbols.unshare(NEW_MOUNTS), "unshare");
      mount("none", "/", KEEP_TO_ITSELF);
    },
    mountSys() {
      must(symbols.umount2(text("/sys"), DETACH), "umount /sys");
      mount("sysfs", "/sys", 0);
    },
    changeFolder: (fd: number) => must(symbols.fchdir(fd), "fchdir"),
    close: (fd: number) => symbols.close(fd),
    [Symbol.dispose]: () => library.close(),
  };
}
