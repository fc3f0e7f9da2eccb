/**
 * Purpose: tries what must be refused, and says what happened; run by permissions.test.ts as a program
 * with a permission set, and in place of each of our threads, with what that is started with. The last
 * argument is a port that nobody uses.
 */
const METRICS = { text: `127.0.0.1:${Deno.args.at(-1)}`, port: Number(Deno.args.at(-1)) };

const attempts: Record<string, () => unknown> = {
  "load another library": () => Deno.dlopen("/lib/x86_64-linux-gnu/libc.so.6", {}),
  "listen on this machine's address": () => Deno.listen({ hostname: "127.0.0.1", port: 0 }).close(),
  "listen elsewhere": () => Deno.listen({ hostname: "192.0.2.1", port: 0 }),
  "connect to this machine": () => Deno.connect({ hostname: "127.0.0.1", port: 9 }),
  "listen on the address that --metrics names": () =>
    Deno.listen({ hostname: "127.0.0.1", port: METRICS.port }).close(),
  "connect elsewhere": () => Deno.connect({ hostname: "192.0.2.1", port: 9 }),
  "write a file": () => writeAndRemove("/tmp/uspf-may-it-exist"),
  "write into the program": () => writeAndRemove(new URL("./x", import.meta.url).pathname),
  "read a file of others": () => Deno.readTextFileSync("/etc/passwd"),
  "run a program": () => new Deno.Command("true").outputSync(),
};

function writeAndRemove(path: string): void {
  Deno.writeTextFileSync(path, "");
  Deno.removeSync(path);
}

async function probe(): Promise<Record<string, string>> {
  const { default: process } = await import("node:process");
  attempts["load another addon"] = () =>
    process.dlopen({ exports: {} }, "/lib/x86_64-linux-gnu/libc.so.6");
  const results: Record<string, string> = {};
  for (const [name, attempt] of Object.entries(attempts)) {
    try {
      await attempt();
      results[name] = "allowed";
    } catch (error) {
      results[name] = (error as Error).name;
    }
  }
  return results;
}

/** How our threads are started; what they are told does not matter here. */
const THREADS: Record<string, () => Promise<unknown>> = {
  "capture thread": async () => {
    const { BackgroundCapture } = await import("../capture/background_capture.ts");
    const { TickRing } = await import("../engine/tick_ring.ts");
    await BackgroundCapture.start({ port: "soft:t_probe:1", ticks: TickRing.create(256) });
  },
  "sender thread": async () => {
    const { startDemoSender } = await import("../capture/demo_sender.ts");
    await startDemoSender("soft:t_probe:2", 0);
  },
  "writer thread": async () => {
    const { CaptureWriter } = await import("../capture/capture_writer.ts");
    await CaptureWriter.start({ file: "/no/such/file", logs: [], states: [] });
  },
  "web thread": async () => {
    const { WebServer } = await import("../capture/monitor/web_server.ts");
    const metrics = { ...METRICS, hostname: "127.0.0.1" };
    await WebServer.start({ metrics, captures: [], nsPerTick: 1 });
  },
};

/** Starts a thread by the program's own means, all but the module that runs in it: that is this one. */
function inPlaceOf(start: () => Promise<unknown>): Promise<unknown> {
  const results = Promise.withResolvers<unknown>();
  globalThis.Worker = class extends Worker {
    constructor(_module: string | URL, options?: WorkerOptions) {
      super(import.meta.url, options);
      this.addEventListener("message", ({ data }) => results.resolve(data));
    }
  };
  start().catch(() => {}); // it never says that it is ready
  return results.promise;
}

const inWorker = typeof WorkerGlobalScope !== "undefined" && self instanceof WorkerGlobalScope;
if (inWorker) {
  postMessage(await probe());
} else if (Object.hasOwn(THREADS, Deno.args[0])) {
  console.log(JSON.stringify(await inPlaceOf(THREADS[Deno.args[0]])));
  Deno.exit();
} else if (Deno.args[0] === "no-network") {
  const { giveUpNetwork } = await import("../ffi/give_up_permissions.ts");
  await giveUpNetwork();
  console.log(JSON.stringify(await probe()));
} else if (Deno.args[0] === "no-writing") {
  const { giveUpWriting } = await import("../ffi/give_up_permissions.ts");
  await giveUpWriting();
  console.log(JSON.stringify(await probe()));
} else if (Deno.args[0] === "given-up") {
  const { giveUpPermissions } = await import("../ffi/give_up_permissions.ts");
  const { path } = (await import("../ffi/library.ts")).libraryFile();
  attempts["load our own library"] = () => Deno.dlopen(path, {});
  attempts["read our own program"] = () => Deno.readTextFileSync(new URL(import.meta.url));
  attempts["read the environment"] = () => Deno.env.get("USPF_DEBUG");
  await giveUpPermissions();
  console.log(JSON.stringify(await probe()));
} else {
  console.log(JSON.stringify(await probe()));
}
