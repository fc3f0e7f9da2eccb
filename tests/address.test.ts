import { assertEquals, assertThrows } from "@std/assert";
import { formatIPv4, parseIPv4 } from "../ffi/ipv4_address.ts";
import { formatMac, parseMac } from "../sender/mac_address.ts";
import { Random } from "../sender/random.ts";

const SEED = 20240229;
const RERUN = `seed ${SEED}: rerun with "deno test tests/address.test.ts"`;

Deno.test("parseMac reads what formatMac writes", () => {
  const random = Random.fromSeed(SEED);
  for (let at = 0; at < 100; at++) {
    const mac = Uint8Array.from({ length: 6 }, () => random.next() >>> 24);
    assertEquals(parseMac(formatMac(mac)), mac, RERUN);
  }
  assertEquals(formatMac(parseMac("AA-bb-00-01-02-FF")), "aa:bb:00:01:02:ff");
});

Deno.test("parseMac refuses what is not six bytes", () => {
  const wrong = [
    "",
    "02:00:00:00:00",
    "02:00:00:00:00:01:02",
    "2:0:0:0:0:1",
    "02:00-00:00:00:01",
    "02:00:00:00:00:0g",
    " 02:00:00:00:00:01",
  ];
  for (const text of wrong) {
    assertThrows(
      () => parseMac(text),
      TypeError,
      `Cannot read MAC address "${text}": not six hexadecimal bytes: `,
    );
  }
});

Deno.test("parseIPv4 reads what formatIPv4 writes", () => {
  const random = Random.fromSeed(SEED);
  for (let at = 0; at < 100; at++) {
    const address = random.next() >>> 0;
    assertEquals(parseIPv4(formatIPv4(address)), address, RERUN);
  }
  assertEquals(parseIPv4("255.255.255.255"), 0xffffffff);
  assertEquals(parseIPv4("0.0.0.0"), 0);
});

Deno.test("parseIPv4 refuses what is not four plain bytes", () => {
  const wrong = [
    "",
    "10.0.0",
    "10.0.0.1.2",
    "10.0.0.256",
    "10.0.0.01",
    "10.0.0.",
    "10.0.0.-1",
    "10.0.0.1 ",
    "0x0a.0.0.1",
    "localhost",
  ];
  for (const text of wrong) {
    assertThrows(
      () => parseIPv4(text),
      TypeError,
      `Cannot read IPv4 address "${text}": not four numbers from 0 to 255: `,
    );
  }
});
