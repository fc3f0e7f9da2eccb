/**
 * Purpose: reads a capture file to its end and prints how many packets it had, their bytes, and the error;
 * with `worker`, on a thread. For tests of permissions and of standard input.
 */
import { RING, slotsReady } from "../ffi/layout.ts";
import { openPort } from "../ffi/open_port.ts";
import { RX } from "../ffi/port.ts";

function read(file: string): string {
  let packets = 0, bytes = 0, error = "none";
  try {
    const port = openPort(`pcap:${file}`, RX), ring = port.rx[0], { words } = ring;
    while (!port.ended) {
      port.rxSync();
      for (let ready = slotsReady(ring); ready > 0; ready--) {
        const head = words[ring.at + RING.head];
        bytes += words[ring.slotsAt + head * 4 + 1];
        packets++;
        words[ring.at + RING.head] = (head + 1) % ring.slotCount;
      }
    }
    port.close();
  } catch (cause) {
    error = (cause as Error).message;
  }
  return JSON.stringify({ packets, bytes, error });
}

const [file, where] = Deno.args;
if (typeof WorkerGlobalScope !== "undefined" && self instanceof WorkerGlobalScope) {
  postMessage(read(file));
} else if (where === "worker") {
  const worker = new Worker(import.meta.url, { type: "module" });
  worker.onmessage = ({ data }) => {
    console.log(data);
    worker.terminate();
  };
} else console.log(read(file));
