/**
 * Purpose: can the capture file be read?
 */
import type { Facts } from "../facts/facts.ts";
import { type Finding, ok, stops } from "../finding.ts";

/** A pcap port's file. */
export function checkFile({ port }: Facts): Finding[] {
  if (port?.file === undefined) return [];
  const path = port.text.slice("pcap:".length), shell = `'${path.replaceAll("'", `'\\''`)}'`;
  switch (port.file) {
    case "readable":
      return [ok("file", path === "-" ? "standard input is read" : `"${path}" can be read`)];
    case "missing":
      return [
        stops("file", `there is no file "${path}"`, "The port does not open.", `ls -l ${shell}`),
      ];
    case "a folder":
      return [stops("file", `"${path}" is a folder`, "The port does not open.", `ls ${shell}`)];
    case "forbidden":
      return [
        stops("file", `we may not read "${path}"`, "The port does not open.", `chmod a+r ${shell}`),
      ];
  }
}
