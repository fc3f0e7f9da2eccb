/**
 * Purpose: are there clocks that are cheap to read and steady?
 */
import type { Facts } from "../facts/facts.ts";
import { type Finding, harms, note, ok } from "../finding.ts";

const SLOW = ["hpet", "acpi_pm", "jiffies", "refined-jiffies", "pit"];
const CURRENT = "/sys/devices/system/clocksource/clocksource0/current_clocksource";

/** The clock source, and the time stamp counter. */
export function checkClock({ kernel, cores }: Facts): Finding[] {
  const { source, available } = kernel.clock, found: Finding[] = [];
  if (source !== undefined && SLOW.includes(source)) {
    found.push(harms(
      "clock.source",
      `the kernel's clock source is ${source}`,
      "To ask for the time then takes a microsecond or more, instead of some 20 ns.",
      ...(available.includes("tsc") ? [`echo tsc > ${CURRENT}`] : [
        "dmesg | grep -i tsc",
        "# which says why the time stamp counter is not trusted; if only its start is, boot with tsc=reliable",
      ]),
    ));
  }
  const unsteady = kernel.arch === "x86_64" ? unsteadyBy(cores.flags) : [];
  if (unsteady.length > 0) {
    const why =
      "Times that are measured by it (service times, pacing) may be wrong: it may change its " +
      "rate, or stand still while a core sleeps.";
    const what = `the time stamp counter is not known to be steady (no ${unsteady.join(", ")})`;
    // A hypervisor that hides the flags often runs on a machine that has them.
    found.push(
      cores.flags.includes("hypervisor")
        ? note(
          "clock.tsc",
          what,
          why,
          "# give the virtual machine the host's flags: -cpu host,+invtsc",
        )
        : harms("clock.tsc", what, why, "# this processor has no better one: measure on another"),
    );
  }
  if (found.length === 0) {
    const steady = kernel.arch === "x86_64" ? ", a steady time stamp counter" : "";
    found.push(ok("clock", `clock source ${source ?? "unknown"}${steady}`));
  }
  return found;
}

function unsteadyBy(flags: string[]): string[] {
  return ["tsc", "constant_tsc", "nonstop_tsc"].filter((flag) => !flags.includes(flag));
}
