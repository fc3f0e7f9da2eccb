/** `deno task service` as a user types it. */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { describeVersion } from "../ffi/version.ts";
import { parseUnit } from "./unit_file.ts";

const root = new URL("..", import.meta.url).pathname;

async function service(...args: string[]) {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-q", "--no-prompt", "-P=service", "service/main.ts", ...args],
    cwd: root,
    env: { NO_COLOR: "1" },
    stdin: "null",
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

/** Arguments, and the one line that refuses them. */
const MISTAKES: [string[], string][] = [
  [[], `Cannot write a unit: no port: name one, such as -i xdp:eth0`],
  [["-i", "eth0"], `Cannot parse port name "eth0": unknown kind: `],
  [["-i", "xdp:eth0", "--warp"], `Cannot use "--warp": no such option: see --help`],
  [["-i", "xdp:eth0", "-p", "99999"], `Cannot use -p "99999": out of range: `],
  [
    ["-i", "xdp:eth0", "--speed", "2"],
    `Cannot use --speed: "xdp:eth0" is no pcap port: leave it out`,
  ],
  [["-i", "xdp:eth0", "-f", "udp prot 5001"], `Cannot compile the filter: column 5: `],
  [["-i", "xdp:eth0", "--name"], `Cannot use --name: it needs a value: see --help`],
  [["-i", "xdp:eth0", "--name", "a", "--name=b"], `Cannot use --name twice: `],
  [["-i", "xdp:eth0", "--name", "../x"], `Cannot use --name "../x": not one for a unit: `],
  [["-i", "xdp:eth0", "--user", "root"], `Cannot use --user "root": root may do everything: `],
  [["-i", "xdp:eth0", "--user", "A B"], `Cannot use --user "A B": not one for a unit: `],
  [["-i", "xdp:eth0", "--cores", "0-"], `Cannot use --cores "0-": not a list of cores: `],
  [
    ["-i", "xdp:eth0", "--cores", "0", "-c", "1"],
    `Cannot use --cores "0": -c names core 1: add it`,
  ],
  [
    ["-i", "xdp:eth0", "--program", "x y"],
    `Cannot use --program with "x y": a service starts in no directory `,
  ],
  [
    ["-i", "xdp:eth0", "--program", "/opt/x y"],
    `Cannot use --program "/opt/x y": not one for a unit: `,
  ],
  [
    ["-i", "xdp:eth0", "--program", "/home/me/x"],
    `Cannot use --program with "/home/me/x": the service will not see /home: `,
  ],
  [
    ["-i", "xdp:eth0", "--write", "x.pcapng"],
    `Cannot use --write with "x.pcapng": a service starts in no directory `,
  ],
  [
    ["-i", "pcap:/srv/../tmp/x"],
    `Cannot use -i with "/srv/../tmp/x": the service will not see /tmp: `,
  ],
  ...[
    ["/a.pcapng", "/"],
    ["//a.pcapng", "/"],
    ["/srv/a.pcapng", "/srv"],
    ["/srv/x/../a.pcapng", "/srv"],
    ["/var/a.pcapng", "/var"],
    ["/var/log/a.pcapng", "/var/log"],
    ["/var/lib/a.pcapng", "/var/lib"],
    ["/var/lib/private/x/a.pcapng", "/var/lib/private/x"],
    ["/var/run/uspf/a.pcapng", "/var/run/uspf"],
    ["/run/uspf/a.pcapng", "/run/uspf"],
    ["/dev/shm/a.pcapng", "/dev/shm"],
    ["/dev/shm/x/a.pcapng", "/dev/shm/x"],
    ["/etc/systemd/a.pcapng", "/etc/systemd"],
    ["/usr/local/x/a.pcapng", "/usr/local/x"],
    ["/opt/uspf/bin/a.pcapng", "/opt/uspf/bin"],
    ["/lib64/x/a.pcapng", "/lib64/x"],
  ].map(([file, directory]): [string[], string] => [
    ["-i", "xdp:eth0", "--write", file],
    `Cannot use --write with "${file}": "${directory}" can be no directory of the service's own: ` +
    'give one that can, such as "/var/lib/uspf-xdp-eth0/a.pcapng"\n',
  ]),
  [["-i", "pcap:-"], `Cannot use "pcap:-": a service has no standard input: name a file`],
  [["-i", "xdp:eth0", "--watch"], `Cannot use --watch: a service has no terminal: `],
];

for (const [args, line] of MISTAKES) {
  Deno.test(`service ${args.join(" ")}: exit code 2, and why`, async () => {
    const { code, stdout, stderr } = await service(...args);
    assertEquals([code, stdout, stderr.slice(0, line.length)], [2, "", line]);
    // A filter's mistake has the expression and a caret below.
    assertEquals(stderr.trimEnd().split("\n").length, line.includes("filter") ? 3 : 1);
  });
}

Deno.test("service prints a unit, named after its port", async () => {
  const { code, stdout, stderr } = await service("-i", "xdp:eth0", "-p", "5001");
  assertEquals([code, stderr], [0, ""]);
  assertStringIncludes(stdout, "# For /etc/systemd/system/uspf-xdp-eth0.service; ");
  const { ExecStart } = parseUnit(stdout).Service;
  assertEquals(ExecStart, ["/opt/uspf/bin/uspf-capture -i xdp:eth0 -p 5001"]);
});

Deno.test("service --help and --version", async () => {
  const { code, stdout } = await service("--help");
  assertEquals(code, 0);
  for (const option of ["--name", "--program", "--user", "--cores"]) {
    assertStringIncludes(stdout, option);
  }
  const { stdout: version } = await service("--version");
  assertEquals(version, `${describeVersion()}\n`);
  assertMatch(version, /^uspf \d+\.\d+\.\d+( \(commit [0-9a-f]{10}\))?\n$/);
});
