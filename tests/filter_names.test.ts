/** Names of services and protocols against tcpdump, which takes them from /etc/services and /etc/protocols. */
import { assert } from "@std/assert";
import { compare, shown } from "./filter_comparison.ts";
import { ethernet, ipv4, ipv6, sctp, tcp, udp } from "./filter_layers.ts";
import type { FilterPacket } from "./filter_packets.ts";
import { ETHERNET, IPV4, IPV6 } from "./filter_values.ts";
import { noNames, noTcpdump } from "./tcpdump_oracle.ts";

const OTHER_PORT = 40_000; // nobody's
const addresses4 = { from: IPV4[0], to: IPV4[1] }, addresses6 = { from: IPV6[0], to: IPV6[1] };

const why = noTcpdump ?? noNames;

function testWithNames(sentence: string, fn: () => Promise<void>): void {
  Deno.test({ name: why ? `${sentence} (${why})` : sentence, ignore: why !== undefined, fn });
}

/** Names and aliases of such a file, and the numbers. */
function listed(path: string): { names: string[]; numbers: number[] } {
  const lines = Deno.readTextFileSync(path).split("\n").map((line) =>
    line.replace(/#.*/, "").trim()
  );
  const entries = lines.filter((line) => line !== "").map((line) => line.split(/\s+/));
  return {
    names: [...new Set(entries.flatMap(([name, _, ...aliases]) => [name, ...aliases]))],
    numbers: [...new Set(entries.map(([_, number]) => parseInt(number)))],
  };
}

function framed(typed: Parameters<typeof ethernet>[2]): FilterPacket {
  const bytes = ethernet(ETHERNET[0], ETHERNET[1], typed);
  return { bytes, wireLength: bytes.length };
}

testWithNames("parseExpression knows the services that tcpdump knows", async () => {
  const { names, numbers } = listed("/etc/services");
  const packets = numbers.flatMap((port) => [
    ipv4({ protocol: 6, ...addresses4 }, tcp(port, OTHER_PORT, 2, [])),
    ipv4({ protocol: 17, ...addresses4 }, udp(OTHER_PORT, port, [])),
    ipv4({ protocol: 132, ...addresses4 }, sctp(OTHER_PORT, port)),
  ]).map(framed);
  const ways = ["port", "tcp port", "udp port", "sctp port"];
  const result = await compare(
    names.flatMap((name) => ways.map((way) => `${way} ${name}`)),
    packets,
  );
  assert(result.differences.length === 0, shown(result.differences));
  assert(result.telling > names.length, `only ${result.telling} expressions tell packets apart`);
});

testWithNames("parseExpression knows the protocols that tcpdump knows", async () => {
  const { names } = listed("/etc/protocols");
  const packets = Array.from({ length: 256 }, (_, number) => [
    ipv4({ protocol: number, ...addresses4 }, new Uint8Array(20)),
    ipv6({ next: number, ...addresses6 }, new Uint8Array(20)),
  ]).flat().map(framed);
  const ways = ["proto", "ip proto", "ip6 proto"];
  const result = await compare(
    names.flatMap((name) => ways.map((way) => `${way} \\${name}`)),
    packets,
  );
  assert(result.differences.length === 0, shown(result.differences));
  assert(result.telling > names.length, `only ${result.telling} expressions tell packets apart`);
});
