import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { pushFilter } from "../capture/push_filter.ts";
import { bpfInstructions } from "../filter/expression/compilers/bpf_instruction.ts";
import { PacketFilter } from "../filter/packet_filter.ts";
import { runBpf } from "./bpf_interpreter.ts";
import { tickPacket } from "./packets.ts";

const hosts = (count: number) =>
  "host " + Array.from({ length: count }, (_, i) => `10.0.${i >> 8}.${i & 255}`).join(" or ");
const ports = (count: number) =>
  "udp port " + Array.from({ length: count }, (_, i) => 1000 + 3 * i).join(" or ");
const compiled = (text: string) => PacketFilter.compile(text, { decode: false });

Deno.test("pushFilter runs a list of 500 hosts or ports in the kernel, and one of 2000 in user space", () => {
  for (const port of ["packet:eth0", "udp:0.0.0.0:5001", "xdp:eth0"]) {
    for (const text of [hosts(500), ports(500)]) {
      const { where, how } = pushFilter({ port, filter: compiled(text) });
      assert(where !== "user space", `${port}: ${how}`);
    }
  }
  const { where, how } = pushFilter({ port: "packet:eth0", filter: compiled(hosts(2000)) });
  assertEquals(where, "user space");
  assertStringIncludes(how, "more than 4096 instructions");
});

Deno.test("pushFilter's program for a long list accepts what the list has, and rejects what it has not", () => {
  const filter = compiled(hosts(500)), pushed = pushFilter({ port: "packet:eth0", filter });
  const program = bpfInstructions(pushed.portOptions.kernelFilter!);
  for (let i = 0; i < 600; i++) {
    const packet = tickPacket({ address: 0x0a000000 + i });
    const said = runBpf(program, packet, packet.length, () => 0) !== 0; // no tag was taken out
    assertEquals([said, filter.matches(packet)], [i < 500, i < 500], `10.0.${i >> 8}.${i & 255}`);
  }
});
