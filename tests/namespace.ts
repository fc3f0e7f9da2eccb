/**
 * Enters a test network's namespace for a moment: what is opened there stays there. Only the calling
 * thread moves; programs that are started do not.
 */
import type { Side, Testbed } from "./testbed.ts";

const NEW_NET = 0x40000000; // CLONE_NEWNET
const OWN = "/proc/thread-self/ns/net";

/** Calls `fn` in the namespace of an end. */
export function inNamespace<T>(testbed: Testbed, side: Side, fn: () => T): T {
  const name = testbed.inside(side, []).at(-1)!;
  using libc = openLibc();
  const own = libc.open(OWN), other = libc.open(`/var/run/netns/${name}`);
  try {
    libc.enter(other);
    return fn();
  } finally {
    libc.enter(own);
    libc.close(own);
    libc.close(other);
  }
}

function openLibc() {
  const library = Deno.dlopen("libc.so.6", {
    open: { parameters: ["buffer", "i32"], result: "i32" },
    setns: { parameters: ["i32", "i32"], result: "i32" },
    close: { parameters: ["i32"], result: "i32" },
  });
  const must = (result: number, what: string) => {
    if (result < 0) throw new Error(`${what} failed`);
    return result;
  };
  return {
    open: (path: string) =>
      must(library.symbols.open(new TextEncoder().encode(`${path}\0`), 0), `open ${path}`),
    enter: (fd: number) => must(library.symbols.setns(fd, NEW_NET), "setns"),
    close: (fd: number) => library.symbols.close(fd),
    [Symbol.dispose]: () => library.close(),
  };
}
