/** In which order an expression reads: where packets end shows it; tcpdump 4.99 with libpcap 1.10.3 does the same. */
import { assert, assertEquals } from "@std/assert";
import { Expression } from "../filter/expression/expression.ts";
import { interpret } from "../filter/expression/interpret.ts";
import { meaningOf } from "../filter/expression/meaning.ts";
import { ACCEPT, REJECT } from "../filter/expression/plan/plan.ts";
import { ethernet, ipv4, tcp, type Typed, vlan } from "./filter_layers.ts";

const ACK = 0x10, NOTHING = new Uint8Array();
const MOST_MS = 20_000; // some 2 seconds, on a machine that does nothing else

function frame(typed: Typed): Uint8Array {
  return ethernet("02:00:00:00:00:02", "02:00:00:00:00:01", typed);
}

function overTcp(from: number, to: number): Uint8Array {
  const header = { protocol: 6, from: "10.0.0.1", to: "10.0.0.2" };
  return frame(ipv4(header, tcp(from, to, ACK, NOTHING)));
}

/** As the interpreter and the compiled expression say, which must agree. */
function wants(text: string, bytes: Uint8Array): boolean {
  const wanted = interpret(meaningOf(text).plan, bytes, 0, bytes.length);
  assertEquals(new Expression(text).matches(bytes, 0, bytes.length, bytes.length), wanted, text);
  return wanted;
}

Deno.test("settle reads nothing where no outcome makes a difference", () => {
  const all = ["not (arp and vlan)", "1 = 1 or ip[0] = 4", "not ip src net 0.0.0.0/0 or ip"];
  for (const text of all) assertEquals(meaningOf(text).plan.entry, ACCEPT, text);
  assertEquals(meaningOf("ip and arp").plan.entry, REJECT);
});

Deno.test("settle tests a tag's number only where it decides", () => {
  const tagged = frame(vlan(7, 0x8100, { type: 0x0800, bytes: new Uint8Array(20) }));
  assert(!wants("not vlan 7", tagged.subarray(0, 15)));
  assert(wants("tcp or not vlan 7", overTcp(1, 2).subarray(0, 14)));
});

Deno.test("settle tests both sources before the destinations", () => {
  const cut = overTcp(443, 1).subarray(0, 36); // the source is there, the destination is not
  assert(wants("port 443", cut));
  assert(wants("port 80 or 443", cut));
  assert(!wants("port 80 or 8080", cut));
  assert(!wants("port 80 or (dst port 8080 or src port 443) and len > 1000", cut));
});

Deno.test("settle keeps a read whose outcome is the same for every packet, as libpcap does", () => {
  const empty = new Uint8Array(), packet = overTcp(1, 2);
  assert(wants("ip and (ip[12:4] & 0xffffffff != 0 or tcp)", packet));
  assert(!wants("ip and (ip[12:4] & 0xffffffff != 0 or tcp)", packet.subarray(0, 29)));
  assert(wants("ether[4:4] & 0xffffffff != 0", empty), "at the begin it is left out");
});

Deno.test("settle and Expression take expressions of 64 KB in time, and those judge as small ones", () => {
  const address = (i: number) => `10.${i >> 16}.${i >> 8 & 255}.${i & 255}`;
  const hosts = Array.from({ length: 4000 }, (_, i) => address(3 * i)).join(" or ");
  const begin = performance.now(), expression = new Expression(`host ${hosts}`);
  assert(performance.now() - begin < MOST_MS);
  for (const last of [0, 1, 2, 3, 11997, 11998]) {
    const header = { protocol: 6, from: "1.1.1.1", to: address(last) };
    const packet = frame(ipv4(header, tcp(1, 2, ACK, NOTHING)));
    assertEquals(expression.matches(packet, 0, packet.length, packet.length), last % 3 === 0);
  }
});

Deno.test("settle bounds what `byte N & M` can look at", () => {
  const chain = Array.from({ length: 4000 }, () => "byte 0 | 0").join(" and ");
  assert(!wants(chain, overTcp(1, 2)), "the accumulator begins with 0");
  const mixed = Array.from({ length: 1500 }, (_, i) => `byte 0 | ${1 + i % 7} and byte 1 & 7`);
  const text = `ip and ${mixed.join(" and ")}`;
  assert(wants(text, overTcp(1, 2)));
  assert(!wants(`${text} and byte 1 & 8`, overTcp(1, 2)), "nothing above 7 is left");
});
