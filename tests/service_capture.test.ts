/**
 * The capabilities of a unit, and what a capture needs: as an unprivileged user with those that the unit
 * names it counts every packet, with one fewer it is refused in one line. So unit and reality are tied.
 */
import { assertEquals, assertMatch } from "@std/assert";
import { parseServiceOptions } from "../service/service_options.ts";
import { unitOf } from "../service/unit.ts";
import { finalOf, type Running, start } from "./command.ts";
import { macOf, stopCapture, testNetwork, truePacket, writePcap } from "./foreign.ts";
import { ADDRESS, type Testbed } from "./testbed.ts";
import { parseUnit, type Section } from "./unit_file.ts";

const COUNT = 500, LIMIT_MS = 40_000;
const NOBODY = ["--reuid=65534", "--regid=65534", "--clear-groups"];
const UNLIMITED = ["prlimit", "--memlock=unlimited"];

/** Ports without a file, and the other side's. */
const PORTS: { args: string[]; sender: string }[] = [
  { args: ["-i", `udp:${ADDRESS.right}:5001`], sender: `udp:${ADDRESS.right}:5001` },
  { args: ["-i", `udp:${ADDRESS.right}:501`], sender: `udp:${ADDRESS.right}:501` },
  { args: ["-i", "packet:r0", "-p", "5001"], sender: "packet:l0" },
  { args: ["-i", "packet:r0", "-f", "udp port 5001", "--promiscuous"], sender: "packet:l0" },
  { args: ["-i", "xdp:r0", "-p", "5001", "--xdp-mode", "native"], sender: "packet:l0" },
  { args: ["-i", "xdp:r0", "-f", "udp port 5001", "--xdp-mode", "generic"], sender: "packet:l0" },
  { args: ["-i", `soft:unit${Deno.pid}{1`], sender: `soft:unit${Deno.pid}}1` },
  { args: ["-i", `soft:unit${Deno.pid}:1`], sender: `soft:unit${Deno.pid}:2` },
];

for (const { args, sender } of PORTS) {
  testNetwork(
    `service ${titleOf(args)}: a user with the unit's capabilities counts every packet`,
    {},
    async (testbed) => {
      const capture = await capturing(testbed, args);
      const mac = await macOf(testbed, "right");
      const traffic = ["-d", mac, "-D", ADDRESS.right, "-c", `${COUNT}`, "-r", "5000"];
      // The rings of soft ports are for programs of the same user.
      const soft = sender.startsWith("soft:");
      const side = soft ? "right" : "left", as = soft ? asService(args) : [];
      const inside = (command: string[]) => testbed.inside(side, [...as, ...command]);
      const sent = await start("send", ["-i", sender, ...traffic], {}, LIMIT_MS, inside).finished;
      assertEquals(sent.code, 0, sent.stderr);
      assertEquals(finalOf(await stopCapture(capture)).accepted, COUNT);
    },
  );

  if (args.includes("-f")) continue; // the same port once more
  for (const capability of capabilitiesOf(args)) {
    testNetwork(
      `service ${titleOf(args)}: without ${capability} it is refused in one line`,
      {},
      async (testbed) => {
        const { finished } = await capturing(testbed, args, capability);
        const { code, stderr } = await finished;
        assertEquals(code, 1, stderr);
        assertMatch(
          stderr,
          /^Cannot open ".*": (no permission: |the kernel refuses .* CAP_PERFMON).*\n$/,
        );
      },
    );
  }
}

testNetwork(
  "service pcap: a user without any capability counts every packet",
  {},
  async (testbed) => {
    const directory = Deno.makeTempDirSync({ dir: "/var/lib", prefix: "uspf-test-" });
    try {
      const file = `${directory}/x.pcap`, mac = await macOf(testbed, "right");
      const bytes = truePacket(mac);
      writePcap(file, Array.from({ length: COUNT }, (_, i) => ({ bytes, atNs: i * 1000 })));
      Deno.chmodSync(directory, 0o755);
      const args = ["-i", `pcap:${file}`];
      assertEquals(capabilitiesOf(args), []);
      assertEquals(finalOf(await (await capturing(testbed, args)).finished).accepted, COUNT);
    } finally {
      Deno.removeSync(directory, { recursive: true });
    }
  },
);

/** Starts a capture as its unit would; resolves once it is ready, or has ended. */
async function capturing(testbed: Testbed, args: string[], without?: string): Promise<Running> {
  const inside = (command: string[]) =>
    testbed.inside("right", [...asService(args, without), ...command]);
  const running = start("capture", [...args, "--json", "--print-code"], {}, LIMIT_MS, inside);
  await running.shown("return function ");
  return running;
}

/** What goes before a command to run it as the unit does, but for the capability `without`. */
function asService(args: string[], without?: string): string[] {
  const { LimitMEMLOCK } = serviceOf(args), locks = LimitMEMLOCK?.[0] === "infinity";
  // Where even root may not raise the limit, the capability that is exempt from it stands in.
  const standsIn = locks && !works([...UNLIMITED, "true"]);
  const granted = capabilitiesOf(args).filter((name) => name !== without)
    .concat(standsIn ? ["CAP_IPC_LOCK"] : []);
  const set = ["-all", ...granted.map((name) => `+${name.slice(4).toLowerCase()}`)].join(",");
  const whom = user();
  return [
    ...(locks && !standsIn ? UNLIMITED : []),
    "setpriv",
    ...whom,
    `--bounding-set=${set}`,
    `--inh-caps=${set}`,
    ...(whom.length > 0 ? [`--ambient-caps=${set}`] : []),
    "--no-new-privs",
  ];
}

function capabilitiesOf(args: string[]): string[] {
  const { AmbientCapabilities: [names], NoNewPrivileges } = serviceOf(args);
  assertEquals(NoNewPrivileges, ["yes"]);
  return names === "" ? [] : names.split(" ");
}

function serviceOf(args: string[]): Section {
  const options = parseServiceOptions(args);
  if (typeof options === "string") throw new Error(options);
  return parseUnit(unitOf(options)).Service;
}

let known: string[] | undefined;

/** Nobody; where nobody may not read this program, root by name only. */
function user(): string[] {
  const version = ["run", "-q", "-P=capture", "capture/main.ts", "--version"];
  known ??= works(["setpriv", ...NOBODY, Deno.execPath(), ...version]) ? NOBODY : [];
  return known;
}

function works([program, ...args]: string[]): boolean {
  const cwd = new URL("..", import.meta.url).pathname;
  return new Deno.Command(program, { args, cwd, stdout: "null", stderr: "null" }).outputSync()
    .success;
}

function titleOf(args: string[]): string {
  return args.join(" ").replaceAll(String(Deno.pid), "");
}
