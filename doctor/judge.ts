/**
 * Purpose: from facts to findings: the machine's first, then the port's, each from the worst.
 */
import { checkClock } from "./checks/clock.ts";
import { checkCores } from "./checks/cores.ts";
import { checkFile } from "./checks/file.ts";
import { checkKernel } from "./checks/kernel.ts";
import { checkLink } from "./checks/link.ts";
import { checkMemory } from "./checks/memory.ts";
import { checkNetmap } from "./checks/netmap.ts";
import { checkOffloads } from "./checks/offloads.ts";
import { checkInterrupts, checkNode } from "./checks/placement.ts";
import { checkPrivileges } from "./checks/privileges.ts";
import { checkQueues } from "./checks/queues.ts";
import { checkTraffic } from "./checks/traffic.ts";
import { checkGroups, checkUdp } from "./checks/udp.ts";
import { checkXdp } from "./checks/xdp.ts";
import type { Facts } from "./facts/facts.ts";
import { type Finding, LEVELS } from "./finding.ts";

type Check = (facts: Facts) => Finding[];

const MACHINE: Check[] = [
  checkKernel,
  checkClock,
  checkCores,
  checkInterrupts,
  checkMemory,
];
const PORT: Check[] = [
  checkPrivileges,
  checkNetmap,
  checkFile,
  checkLink,
  checkUdp,
  checkXdp,
  checkQueues,
  checkOffloads,
  checkGroups,
  checkNode,
  checkTraffic,
];

/** Findings of the machine, and of the port or, without one, of whatever ports would need. */
export interface Findings {
  machine: Finding[];
  port: Finding[];
}

/** Judges them. */
export function judge(facts: Facts): Findings {
  const run = (checks: Check[]) => sorted(checks.flatMap((check) => check(facts)));
  return { machine: run(MACHINE), port: run(PORT) };
}

/** Whether a capture would receive nothing. */
export function wouldStop({ machine, port }: Findings): boolean {
  return [...machine, ...port].some(({ level }) => level === "stops");
}

function sorted(findings: Finding[]): Finding[] {
  return findings.toSorted((a, b) => LEVELS.indexOf(a.level) - LEVELS.indexOf(b.level));
}
