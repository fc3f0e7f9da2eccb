/**
 * Purpose: facts about the netmap module: whether it is there, what it allows, whose drivers it has.
 */
import type { SystemFiles } from "../../ffi/system_files.ts";
import { numberIn } from "./kernel.ts";

const MODULE = "/sys/module/netmap";

/** The netmap module. */
export interface NetmapFacts {
  loaded: boolean;
  /** It lies among the kernel's modules. */
  installed: boolean;
  /** /dev/netmap is there, and ours to use. */
  device: boolean;
  writable: boolean;
  /** Drivers that were built with netmap. */
  drivers: string[];
  /** 0: native where the driver can; 1: only; 2: never. */
  admode: number;
  /** Bytes of a buffer. */
  bufferBytes: number;
}

/** Reads them. */
export function netmapFacts(files: SystemFiles, release: string): NetmapFacts {
  const device = files.info("/dev/netmap");
  const modules = files.text(`/lib/modules/${release}/modules.dep`) ?? "";
  const loaded = files.names(MODULE).length > 0;
  return {
    loaded,
    installed: /(^|\/)netmap\.ko/m.test(modules),
    device: device !== undefined,
    writable: device?.writable ?? false,
    drivers: files.names(`${MODULE}/holders`),
    admode: numberIn(files, `${MODULE}/parameters/admode`) ?? 0,
    bufferBytes: numberIn(files, `${MODULE}/parameters/buf_size`) ?? 2048,
  };
}
