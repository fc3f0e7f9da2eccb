/**
 * Purpose: tries what must be refused, and says what happened; run by permissions.test.ts as a program
 * with a permission set, and as a worker with the capture thread's.
 */
const attempts: Record<string, () => unknown> = {
  "load another library": () => Deno.dlopen("/lib/x86_64-linux-gnu/libc.so.6", {}),
  "open a TCP socket": () => Deno.listen({ hostname: "127.0.0.1", port: 0 }),
  "connect": () => Deno.connect({ hostname: "127.0.0.1", port: 9 }),
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

const inWorker = typeof WorkerGlobalScope !== "undefined" && self instanceof WorkerGlobalScope;
if (inWorker) {
  postMessage(await probe());
} else if (Deno.args[0] === "worker") {
  // As the command does: start the capture thread's twin, then give up, then try.
  const { workerPermissions } = await import("../capture/background_capture.ts");
  const worker = new Worker(import.meta.url, {
    type: "module",
    deno: { permissions: workerPermissions() },
  });
  worker.onmessage = ({ data }) => {
    console.log(JSON.stringify(data));
    worker.terminate();
  };
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
