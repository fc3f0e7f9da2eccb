/**
 * Purpose: all facts that findings are made of, as plain data: what tests lay out, and --json shows.
 */
import type { CoreFacts } from "./cores.ts";
import type { InterfaceFacts } from "./interface.ts";
import type { KernelFacts } from "./kernel.ts";
import type { MemoryFacts } from "./memory.ts";
import type { NetmapFacts } from "./netmap.ts";
import type { PortFacts } from "./port.ts";
import type { ProcessFacts } from "./process.ts";
import type { TrafficFacts } from "./traffic.ts";

/** An interface in a line. */
export interface InterfaceLine {
  name: string;
  up: boolean;
  carrier: boolean;
  kind?: string;
  driver?: string;
  speed?: number;
}

/** The machine, and what is to be captured from. */
export interface Facts {
  kernel: KernelFacts;
  cores: CoreFacts;
  process: ProcessFacts;
  memory: MemoryFacts;
  netmap: NetmapFacts;
  /** All interfaces of this network namespace. */
  interfaces: InterfaceLine[];
  /** Network namespaces with a name. */
  namespaces: string[];
  port?: PortFacts;
  /** The port's interface, if that is there. */
  interface?: InterfaceFacts;
  traffic: TrafficFacts;
}
