/**
 * What the doctor says of udp ports, against sockets of others: it is what a bind meets, no more and no less.
 */
import { assertEquals, assertMatch } from "@std/assert";
import { start } from "./command.ts";
import { diagnoseIn, finding } from "./doctor.ts";
import { startCapture, stopCapture, testNetwork } from "./foreign.ts";
import { ADDRESS, type Testbed } from "./testbed.ts";

/** A socket of another program, on an address and port, without SO_REUSEADDR. */
async function occupy(testbed: Testbed, hostname: string, port: number) {
  const code = `Deno.listenDatagram({ transport: "udp", hostname: "${hostname}", port: ${port} });
    console.log("there"); setInterval(() => {}, 1000);`;
  const other = testbed.spawn("right", [Deno.execPath(), "eval", "--unstable-net", code]);
  const { value } = await other.stdout.getReader().read();
  assertEquals(new TextDecoder().decode(value), "there\n");
  return other;
}

/** Whether a capture opens the port, as the doctor says of it. */
async function assertAgrees(testbed: Testbed, port: string, id?: "udp.taken" | "udp.address") {
  const diagnosis = await diagnoseIn(testbed, ["-i", port]);
  finding(diagnosis, "udp.taken", id === "udp.taken" ? "stops" : undefined);
  finding(diagnosis, "udp.address", id === "udp.address" ? "stops" : undefined);
  assertEquals(diagnosis.code, id === undefined ? 0 : 1, port);
  const inside = (command: string[]) => testbed.inside("right", command);
  const { code, stderr } = await start("capture", ["-i", port, "-r", "1"], {}, 30_000, inside)
    .finished;
  assertEquals(code, id === undefined ? 0 : 1, `${port}: ${stderr}`);
}

testNetwork("deno task doctor finds who has the UDP port", {}, async (testbed) => {
  const capture = await startCapture(testbed, ["-i", `udp:${ADDRESS.right}:5001`]);
  for (const address of [ADDRESS.right, "0.0.0.0"]) {
    const sick = await diagnoseIn(testbed, ["-i", `udp:${address}:5001`]);
    const { what, remedy } = finding(sick, "udp.taken", "stops");
    assertMatch(what, /^UDP port 5001 is taken, by process \d+ \(deno\)$/);
    const shown = await testbed.must("right", "sh", "-euc", remedy.join("\n"));
    assertMatch(shown, /10\.77\.0\.2:5001/);
  }
  finding(await diagnoseIn(testbed, ["-i", "udp:127.0.0.1:5001"]), "udp.taken");
  await stopCapture(capture);
  assertEquals((await diagnoseIn(testbed, ["-i", "udp:0.0.0.0:5001"])).code, 0);
});

testNetwork(
  "deno task doctor has nothing against a port that is taken on another interface",
  {},
  async (testbed) => {
    const capture = await startCapture(testbed, ["-i", "udp:0.0.0.0:6003@lo"]);
    await assertAgrees(testbed, "udp:0.0.0.0:6003@r0");
    await assertAgrees(testbed, "udp:0.0.0.0:6003", "udp.taken");
    await stopCapture(capture);
  },
);

testNetwork(
  "deno task doctor finds IPv6 sockets, and those that share no group's port",
  {},
  async (testbed) => {
    await occupy(testbed, "::", 6001);
    await assertAgrees(testbed, `udp:${ADDRESS.right}:6001`, "udp.taken");
    await occupy(testbed, "0.0.0.0", 6002);
    await assertAgrees(testbed, "udp:239.1.1.1:6002@r0", "udp.taken");
    await assertAgrees(testbed, "udp:239.1.1.1:6003@r0");
  },
);

testNetwork(
  "deno task doctor lets addresses be that are on no interface, and can be bound",
  {},
  async (testbed) => {
    await assertAgrees(testbed, "udp:10.77.0.255:5001"); // the network's broadcasts
    await assertAgrees(testbed, `udp:${ADDRESS.left}:5001`, "udp.address");
    await testbed.must("right", "ip", "route", "add", "local", "10.99.0.0/24", "dev", "lo");
    await assertAgrees(testbed, "udp:10.99.0.5:5001");
    await testbed.must("right", "sysctl", "-qw", "net.ipv4.ip_nonlocal_bind=1");
    await assertAgrees(testbed, `udp:${ADDRESS.left}:5001`);
  },
);
