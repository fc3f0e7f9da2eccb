/**
 * Purpose: what tcpdump says of an expression: the oracle of the filter's tests.
 *
 * ```text
 *  packets ─▶ file, the packet's number in place of its time ─▶ tcpdump -r FILE -w - EXPRESSION
 *                                                                   │
 *  a byte for each packet, 1 where its number comes out ◀───────────┘
 * ```
 */
import type { FilterPacket } from "./filter_packets.ts";

const AT_ONCE = 2;
const MAGIC = 0xa1b2c3d4, SNAP_LENGTH = 262144, ETHERNET = 1; // pcap-savefile(5)
const FILE_HEADER = 24, PACKET_HEADER = 16;
/** What tcpdump's optimiser says where it finds that nothing can match; one may as well reject all packets. */
const NEVER = "expression rejects all packets";
/** Where a name is one of a host, a name server would be asked, and there is none in tests. */
const NO_WAITING = { RES_OPTIONS: "timeout:1 attempts:1", LC_ALL: "C" };

/** What tcpdump says. */
export interface Verdicts {
  /** For each packet 1 or 0. */
  of: Uint8Array;
  /** Why it takes no such expression. */
  error?: string;
  /** It is an expression, but one that it refuses since nothing can match. */
  never?: boolean;
}

/** Why nothing can be compared here; nothing: it can. */
export const noTcpdump: string | undefined = whyNot();

/** What tcpdump would say less well without: names of services and protocols, from Debian's netbase. */
export const noNames: string | undefined =
  ["/etc/services", "/etc/protocols"].some((path) => !isFile(path))
    ? "no /etc/services or no /etc/protocols here: install netbase"
    : undefined;

/** A pcap file of these packets; each one's seconds are its number. */
export function pcapOf(packets: FilterPacket[]): Uint8Array {
  const total = packets.reduce((sum, { bytes }) => sum + PACKET_HEADER + bytes.length, FILE_HEADER);
  const file = new Uint8Array(total), view = new DataView(file.buffer);
  const header = [MAGIC, 2 | 4 << 16, 0, 0, SNAP_LENGTH, ETHERNET];
  header.forEach((word, i) => view.setUint32(4 * i, word, true));
  let at = FILE_HEADER;
  packets.forEach(({ bytes, wireLength }, index) => {
    [index, 0, bytes.length, wireLength].forEach((word, i) =>
      view.setUint32(at + 4 * i, word, true)
    );
    file.set(bytes, at + PACKET_HEADER);
    at += PACKET_HEADER + bytes.length;
  });
  return file;
}

/** Asks tcpdump about packets in a file of its own, which goes with `using`. */
export class Tcpdump {
  readonly #path = Deno.makeTempFileSync({ suffix: ".pcap" });
  readonly #count: number;

  constructor(packets: FilterPacket[]) {
    Deno.writeFileSync(this.#path, pcapOf(packets));
    this.#count = packets.length;
  }

  /** What it says of each packet; `asWritten`: without its optimiser. */
  async verdicts(expression: string, asWritten = false): Promise<Verdicts> {
    const args = [
      ...(asWritten ? ["-O"] : []),
      "-n",
      "-Z",
      "root",
      "-r",
      this.#path,
      "-w",
      "-",
      "--",
      expression,
    ];
    const command = new Deno.Command("tcpdump", { args, env: NO_WAITING, stdin: "null" });
    const { code, stdout, stderr } = await command.output();
    if (code === 0) return { of: numbersIn(stdout, this.#count) };
    const lines = new TextDecoder().decode(stderr).trim().split("\n");
    const error = lines.filter((line) => line.startsWith("tcpdump: ")).join("\n");
    const of = new Uint8Array(this.#count);
    if (error.includes(NEVER)) return { of, never: true };
    if (error === "") throw new Error(`tcpdump ended with ${code} at ${expression}: ${lines}`);
    return { of, error };
  }

  /** Calls `fn` with each expression's verdicts, two at a time, in the order in which they come. */
  async each(
    expressions: Iterable<string>,
    fn: (expression: string, verdicts: Verdicts) => void | Promise<void>,
  ): Promise<void> {
    const waiting = expressions[Symbol.iterator]();
    const work = async () => {
      for (let next = waiting.next(); !next.done; next = waiting.next()) {
        await fn(next.value, await this.verdicts(next.value));
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.#path);
  }
}

function numbersIn(file: Uint8Array, count: number): Uint8Array {
  const verdicts = new Uint8Array(count);
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  for (let at = FILE_HEADER; at < file.length;) {
    verdicts[view.getUint32(at, true)] = 1;
    at += PACKET_HEADER + view.getUint32(at + 8, true);
  }
  return verdicts;
}

function whyNot(): string | undefined {
  const places = (Deno.env.get("PATH") ?? "").split(":");
  return places.some((place) => isFile(`${place}/tcpdump`)) ? undefined : "no tcpdump here";
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}
