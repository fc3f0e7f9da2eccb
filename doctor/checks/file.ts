/**
 * Purpose: can the capture file be read?
 */
import type { Facts } from "../facts/facts.ts";
import { type Finding, ok, stops } from "../finding.ts";

const WHY = "The port does not open.";

/** A pcap port's file. */
export function checkFile({ port }: Facts): Finding[] {
  if (port?.file === undefined) return [];
  const path = port.text.slice("pcap:".length), shell = `'${path.replaceAll("'", `'\\''`)}'`;
  const bad = (what: string, remedy: string) => [stops("file", what, WHY, remedy)];
  switch (port.file) {
    case "readable":
      if (port.fileRefusal !== undefined) {
        return [
          stops("file", `"${path}" cannot be replayed`, `${port.fileRefusal}.`, `file ${shell}`),
        ];
      }
      return [ok("file", path === "-" ? "standard input is read" : `"${path}" can be read`)];
    case "no regular file":
      return [ok("file", `"${path}" is a FIFO or a device, which its permissions let us read`)];
    case "missing":
      return bad(`there is no file "${path}"`, `ls -l ${shell}`);
    case "a folder":
      return bad(`"${path}" is a folder`, `ls ${shell}`);
    case "a socket":
      return bad(`"${path}" is a socket`, `ls -l ${shell}`);
    case "out of reach":
      return bad(`a folder on the way to "${path}" is closed to us`, `namei -l ${shell}`);
    case "reserved":
      return bad(`Deno lets nobody open "${path}"`, '# for standard input: "-i pcap:-"');
    case "forbidden":
      return bad(`we may not read "${path}"`, `chmod a+r ${shell}`);
  }
}
