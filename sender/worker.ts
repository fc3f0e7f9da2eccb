/**
 * Purpose: the built-in sender: a sender on a thread of its own, for `deno task capture` without a port.
 * It ends when the shared flag says so.
 */
import { pinToCore } from "../ffi/host.ts";
import { useLibrary } from "../ffi/library.ts";
import type { LibraryFile } from "../ffi/library_record.ts";
import { turn } from "../ffi/usage.ts";
import { newSender } from "./new_sender.ts";
import { parseSendOptions } from "./send_options.ts";

/** What the worker is told. */
export interface SenderOrders {
  /** Arguments as of `deno task send`. */
  args: string[];
  /** An int32; not 0: stop. */
  stop: SharedArrayBuffer;
  /** The native library that the main isolate has loaded. */
  library: LibraryFile;
}

const SLICE_MS = 5;
const MAX_BACKLOG_NS = 2e6; // more would overflow a soft switch's ring after every stall

addEventListener("message", async ({ data }: MessageEvent<SenderOrders>) => {
  const stop = new Int32Array(data.stop);
  try {
    useLibrary(data.library);
    const options = parseSendOptions(data.args);
    if (options.core !== undefined) pinToCore(options.core);
    const { port, sender } = newSender({ ...options, maxBacklogNs: MAX_BACKLOG_NS });
    postMessage({ type: "ready" });
    while (Atomics.load(stop, 0) === 0 && !sender.done) {
      sender.run(SLICE_MS);
      await turn();
    }
    sender.flush();
    postMessage({ type: "stopped", stats: sender.stats() });
    port.close();
  } catch (error) {
    postMessage({ type: "failed", message: (error as Error).message });
  }
  close();
});
