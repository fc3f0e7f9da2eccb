/**
 * Purpose: the built-in sender of `deno task capture` without a port, on a thread of its own.
 *
 * It is started by URL, not imported: the stages stay apart.
 */
import { libraryFile } from "../ffi/library.ts";
import { workerPermissions } from "./background_capture.ts";

const RATE_HZ = 200_000;

/** A built-in sender that runs. */
export interface DemoSender {
  /** Its rate in packets a second. */
  rateHz: number;
  /** Ends it; resolves with the packets sent. */
  stop(): Promise<number>;
}

/**
 * Starts it on a port, on a core that is not the capture thread's where there is one. The capture must be
 * there already, or its first packets are lost.
 */
export async function startDemoSender(port: string, core: number): Promise<DemoSender> {
  const stop = new SharedArrayBuffer(4);
  const ready = Promise.withResolvers<void>(), ended = Promise.withResolvers<number>();
  const fail = (message: string) => {
    const error = new Error(`Cannot run the built-in sender: ${message}: report this`);
    ready.reject(error);
    ended.reject(error);
  };
  const worker = new Worker(import.meta.resolve("../sender/worker.ts"), {
    type: "module",
    name: "sender",
    deno: { permissions: workerPermissions() },
  });
  worker.onmessage = ({ data }) => {
    if (data.type === "ready") ready.resolve();
    else if (data.type === "stopped") ended.resolve(data.stats.sent);
    else fail(data.message);
  };
  worker.onerror = (event) => {
    event.preventDefault();
    fail(event.message);
  };
  ended.promise.catch(() => {});
  const args = ["-i", port, "-r", String(RATE_HZ), "--core", String(core)];
  worker.postMessage({ args, stop, library: libraryFile() });
  await ready.promise;
  return {
    rateHz: RATE_HZ,
    stop() {
      Atomics.store(new Int32Array(stop), 0, 1);
      return ended.promise;
    },
  };
}
