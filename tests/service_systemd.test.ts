/** Units of `deno task service`, started by a real systemd, with all that they forbid. */
import { assertEquals, assertMatch } from "@std/assert";
import { execWord } from "../service/quoting.ts";
import { parseServiceOptions } from "../service/service_options.ts";
import { unitOf } from "../service/unit.ts";
import { type AnyStatistics, objects, start } from "./command.ts";
import { delay, macOf, testNetwork } from "./foreign.ts";
import { keptLimit, noSystemdHost, PROGRAM, SystemdHost } from "./systemd_host.ts";
import { ADDRESS, type Testbed } from "./testbed.ts";
import { WORDS } from "./unit_file.ts";

const COUNT = 500, LIMIT_MS = 15_000;
/** Where the limit of locked memory is kept from without, the capability that is exempt from it stands in. */
const STAND_IN = "[Service]\nLimitMEMLOCK=\n" +
  "AmbientCapabilities=CAP_IPC_LOCK\nCapabilityBoundingSet=CAP_IPC_LOCK\n";
const OUTPUT = "/run/uspf/share/output";

testNetwork(
  "service: systemd gives a program the words that it was meant to get",
  {},
  async (testbed) => {
    await using host = await SystemdHost.boot(testbed, "right");
    const words = WORDS.map(execWord).join(" ");
    host.put(
      "words.service",
      `[Service]\nType=oneshot\nStandardOutput=truncate:${OUTPUT}\n` +
        `ExecStart=/usr/bin/printf '%%s\\\\0' ${words}\n`,
    );
    await host.systemctl("start", "words");
    assertEquals(host.read("output").split("\0").slice(0, -1), WORDS);
  },
  noSystemdHost,
);

for (
  const [port, sender, ...more] of [
    [`udp:${ADDRESS.right}:501`, `udp:${ADDRESS.right}:501`],
    ["packet:r0", "packet:l0"],
    ["xdp:r0", "packet:l0", "--xdp-mode", "native"],
    ["xdp:r0", "packet:l0", "--xdp-mode", "generic"],
  ]
) {
  const standsIn = port.startsWith("xdp:") && keptLimit;
  testNetwork(
    `service ${
      [port, ...more].join(" ")
    }: systemd starts it, it counts every packet, and comes back ` +
      `when it is killed${
        standsIn ? " (with CAP_IPC_LOCK: the limit of locked memory cannot be raised here)" : ""
      }`,
    {},
    async (testbed) => {
      await using host = await SystemdHost.boot(testbed, "right");
      const unit = install(host, "-i", port, ...more, "--json");
      if (standsIn) host.put(`${unit}.d/memory.conf`, STAND_IN);
      await host.systemctl("start", unit);
      await until(() => last(host) !== undefined);
      await traffic(testbed, sender);
      await until(() => last(host)!.received >= COUNT);
      assertEquals(last(host)!.accepted, COUNT);
      await host.systemctl("kill", "--signal=KILL", unit);
      await until(async () =>
        (await host.show(unit, "NRestarts", "ActiveState")).join() === "1,active"
      );
      await until(() => last(host)!.received === 0); // it counts anew
      await host.systemctl("stop", unit);
      assertEquals([await host.show(unit, "Result"), last(host)!.final], [["success"], true]);
    },
    noSystemdHost,
  );
}

testNetwork("service: what is a mistake in its options is not tried again", {}, async (testbed) => {
  await using host = await SystemdHost.boot(testbed, "right");
  const unit = install(host, "-i", `udp:${ADDRESS.right}:5001`);
  host.put(unit, host.read(unit).replace(/^ExecStart=.*/m, "$& --warp"));
  await host.systemctl("daemon-reload");
  await host.systemctl("start", unit);
  await until(async () => (await host.show(unit, "ActiveState"))[0] === "failed");
  await delay(3000); // RestartSec is 2 s
  assertEquals(await host.show(unit, "NRestarts", "ExecMainStatus"), ["0", "2"]);
  assertMatch(host.read("output"), /^Cannot use "--warp": /m);
}, noSystemdHost);

/** As the command prints it, but for udev, which is not there to say that the interface is; and its output is kept. */
function install(host: SystemdHost, ...args: string[]): string {
  const options = parseServiceOptions([...args, "--program", PROGRAM]);
  if (typeof options === "string") throw new Error(options);
  const unit = `uspf-${options.name}.service`;
  host.put(unit, unitOf(options).replace(/^BindsTo=.*\n/m, "").replace(/ sys-subsystem.*$/gm, ""));
  host.put(
    `${unit}.d/output.conf`,
    `[Service]\nStandardOutput=append:${OUTPUT}\nStandardError=inherit\n`,
  );
  return unit;
}

/** The last object that a service has printed. */
function last(host: SystemdHost): AnyStatistics | undefined {
  const text = host.read("output");
  return objects(text.slice(0, text.lastIndexOf("\n") + 1)).at(-1);
}

async function traffic(testbed: Testbed, port: string): Promise<void> {
  const mac = await macOf(testbed, "right");
  const args = ["-i", port, "-d", mac, "-D", ADDRESS.right, "-c", `${COUNT}`, "-r", "5000"];
  const inside = (command: string[]) => testbed.inside("left", command);
  const { code, stderr } = await start("send", args, {}, LIMIT_MS, inside).finished;
  assertEquals(code, 0, stderr);
}

async function until(right: () => boolean | Promise<boolean>): Promise<void> {
  for (const end = performance.now() + LIMIT_MS; !await right(); await delay(50)) {
    if (performance.now() > end) throw new Error(`it takes too long: ${right}`);
  }
}
