/**
 * Purpose: starts the capture threads of `deno task capture`: on the port named, or on a switch of its own;
 * a thread for each receive queue, if asked; with the filter as early as the port allows.
 */
import { MIN_CAPACITY } from "../engine/tick_ring.ts";
import { allowedCores, checkCore } from "../ffi/host.ts";
import { CaptureError } from "./background_capture.ts";
import { CaptureGroup, type GroupMember } from "./capture_group.ts";
import type { CaptureOptions } from "./capture_options.ts";
import { PacketLog } from "./packet_log.ts";
import { afterRefusal, type PushedFilter, pushFilter } from "./push_filter.ts";
import { receivePorts } from "./receive_ports.ts";

const DEMO_PORT = "soft:demo_0:capture";
const MOST_DEMOS = 50; // at the same time
const CHUNKS = 64, LEAST_CHUNKS = 8; // of the packet logs, 1 MiB each, divided among the threads

/** Starts with the filter as early as its port allows; where the kernel refuses its program, in user space. */
export async function startPushed(
  options: CaptureOptions,
): Promise<{ group: CaptureGroup; pushed: PushedFilter }> {
  const { compiled: filter, push, write } = options, port = options.port || DEMO_PORT;
  const pushed = pushFilter({ port, filter, push, all: write?.all });
  try {
    return { group: await startCaptures(options, pushed), pushed };
  } catch (error) {
    const code = error instanceof CaptureError ? error.code : undefined;
    const instead = afterRefusal(pushed, port, filter, code);
    if (instead === undefined) throw error;
    return { group: await startCaptures(options, instead), pushed: instead };
  }
}

/** Starts on the port named, or without one on the first demonstration switch that nobody has. */
async function startCaptures(options: CaptureOptions, pushed: PushedFilter): Promise<CaptureGroup> {
  const { engineCore, write, filter, burst, wait } = options;
  const ringSize = options.compiled.decodes ? options.ringSize : MIN_CAPACITY;
  if (engineCore !== undefined) checkCore(engineCore);
  for (let i = 0;; i++) {
    const port = options.port || DEMO_PORT.replace("0", String(i));
    const members = membersOf(options, port);
    const portOptions = { ...options.portOptions, ...pushed.portOptions };
    const common = { filter, burst, wait, portOptions, logAll: write?.all };
    try {
      return await CaptureGroup.start(members, ringSize, common);
    } catch (error) {
      // EACCES: a demonstration of another user's
      const taken = error instanceof CaptureError && ["EBUSY", "EACCES"].includes(error.code ?? "");
      if (options.port !== "" || !taken || i === MOST_DEMOS) throw error;
    }
  }
}

/** A thread for each port, on the cores that the engine leaves, from the last one or the one named on. */
function membersOf(options: CaptureOptions, port: string): GroupMember[] {
  const { rings, core, engineCore, write } = options, cores = allowedCores();
  const others = cores.filter((other) => other !== engineCore);
  const free = others.length > 0 ? others : cores;
  if (core !== undefined) checkCore(core);
  const first = core === undefined ? free.length - 1 : Math.max(0, free.indexOf(core));
  const ports = rings === undefined ? [port] : receivePorts(port, rings);
  const chunks = Math.max(LEAST_CHUNKS, Math.floor(CHUNKS / ports.length));
  return ports.map((name, i) => ({
    port: name,
    core: i === 0 && core !== undefined ? core : free[(first + i) % free.length],
    log: write && PacketLog.create({ interfaceId: i, chunks }),
  }));
}
