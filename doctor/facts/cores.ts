/**
 * Purpose: facts about cores: which there are, which are ours, and what the chosen one is like.
 */
import type { SystemFiles } from "../../ffi/system_files.ts";
import { parseCores } from "./core_list.ts";
import { numberIn } from "./kernel.ts";

const CPU = "/sys/devices/system/cpu", NODES = "/sys/devices/system/node";

/** The cores of the machine. */
export interface CoreFacts {
  online: number[];
  /** Those that this process may run on. */
  allowed: number[];
  /** Those that the scheduler leaves alone, and those without a timer's tick. */
  isolated: number[];
  tickless: number[];
  /** Each NUMA node's cores. */
  nodes: Record<string, number[]>;
  /** The processor's flags that tell of its time stamp counter, and of a hypervisor. */
  flags: string[];
  /** The one for the capture thread. */
  chosen: ChosenCore;
}

/** What the chosen core is like; what the machine does not tell is left out. */
export interface ChosenCore {
  core: number;
  /** It was given by `-c`. */
  asked: boolean;
  /** A thread may be put there: an isolated one is not among those allowed until it is asked for. */
  usable: boolean;
  /** Cores that share its execution units, without itself. */
  siblings: number[];
  governor?: string;
  node?: number;
  /** How long waking from its deepest sleep takes, in microseconds. */
  deepestIdleUs?: number;
}

/** Reads them; without `core` a capture takes the last that it may have. */
export function coreFacts(
  files: SystemFiles,
  allowed: number[],
  mayPin: (core: number) => boolean,
  core?: number,
): CoreFacts {
  const nodes = files.names(NODES).filter((name) => /^node\d+$/.test(name));
  const chosen = core ?? allowed.at(-1) ?? 0, one = `${CPU}/cpu${chosen}`;
  const cores = nodes.map((
    name,
  ) => [name.slice(4), parseCores(files.text(`${NODES}/${name}/cpulist`))]);
  const flags = /^(?:flags|Features)\s*:(.*)$/m.exec(files.text("/proc/cpuinfo") ?? "")?.[1];
  const siblings = parseCores(files.text(`${one}/topology/thread_siblings_list`));
  const facts = {
    online: parseCores(files.text(`${CPU}/online`)),
    allowed,
    isolated: parseCores(files.text(`${CPU}/isolated`)),
    tickless: parseCores(files.text(`${CPU}/nohz_full`)),
    nodes: Object.fromEntries(cores) as Record<string, number[]>,
    flags: flags?.split(" ").filter((flag) => /tsc|^hypervisor$/.test(flag)) ?? [],
  };
  const node = Object.keys(facts.nodes).find((node) => facts.nodes[node].includes(chosen));
  return {
    ...facts,
    chosen: {
      core: chosen,
      asked: core !== undefined,
      usable: mayPin(chosen),
      siblings: siblings.filter((sibling) => sibling !== chosen),
      governor: files.text(`${one}/cpufreq/scaling_governor`),
      node: node === undefined ? undefined : Number(node),
      deepestIdleUs: deepestIdle(files, `${one}/cpuidle`),
    },
  };
}

/** Of the states that are not switched off. */
function deepestIdle(files: SystemFiles, folder: string): number | undefined {
  const states = files.names(folder).filter((state) =>
    numberIn(files, `${folder}/${state}/disable`) !== 1
  );
  const delays = states.map((state) => numberIn(files, `${folder}/${state}/latency`) ?? 0);
  return delays.length === 0 ? undefined : Math.max(...delays);
}
