/** The unit that `deno task service` prints: as systemd reads it, and how much it exposes. */
import { assertEquals } from "@std/assert";
import { capabilitiesOf } from "../ffi/port_needs.ts";
import { deviceUnit, execWord, shellWord } from "../service/quoting.ts";
import { parseServiceOptions, type ServiceOptions } from "../service/service_options.ts";
import { unitOf } from "../service/unit.ts";
import { Dice } from "./dice.ts";
import { analyze, execWords, isThere, parseUnit, WORDS } from "./unit_file.ts";

const THERE = "/usr/bin/true"; // systemd-analyze asks whether the program is there
const noSystemd = isThere("systemd-analyze") ? undefined : "no systemd-analyze here";

/** Each kind of port, what else is asked, and the exposure that systemd 252 gives it. */
const KINDS: { args: string[]; exposure: number }[] = [
  { args: ["-i", "soft:lab:1"], exposure: 0.3 },
  { args: ["-i", "soft:lab{1"], exposure: 0.3 },
  { args: ["-i", "pcap:/srv/a b.pcap"], exposure: 0.3 },
  { args: ["-i", "udp:0.0.0.0:5001"], exposure: 1.2 },
  { args: ["-i", "udp:239.1.1.1:514@eth0"], exposure: 1.5 },
  { args: ["-i", "packet:eth-0"], exposure: 1.5 },
  { args: ["-i", "packet:eth0", "--metrics", "127.0.0.1:9464", "--json"], exposure: 1.6 },
  { args: ["-i", "packet:eth0", "--dashboard", "0.0.0.0:80", "--quiet"], exposure: 1.7 },
  { args: ["-i", "packet:eth0", "--write", "/var/lib/uspf-x/x.pcapng"], exposure: 1.6 },
  { args: ["-i", "packet:eth0", "--write", "/var/log/uspf/.a-b_c/x.pcapng"], exposure: 1.6 },
  { args: ["-i", "packet:eth0", "--write", "/var/lib/x/private/x.pcapng"], exposure: 1.6 },
  { args: ["-i", "packet:eth0", "--write", "/srv/100 %/x.pcapng"], exposure: 1.6 },
  { args: ["-i", "xdp:eth0-2", "-c", "3", "--engine-core", "2"], exposure: 2.1 },
  { args: ["-i", "netmap:eth0"], exposure: 1.2 },
  { args: ["-i", "vale0:1"], exposure: 1.2 },
];

function optionsOf(...args: string[]): ServiceOptions {
  const options = parseServiceOptions(args);
  if (typeof options === "string") throw new Error(options);
  return options;
}

const unit = (...args: string[]) => unitOf(optionsOf(...args));
const serviceOf = (...args: string[]) => parseUnit(unit(...args)).Service;

Deno.test("execWord: every word comes out of ExecStart= as it went in", () => {
  assertEquals(execWords(WORDS.map(execWord).join(" ")), WORDS);
  for (const word of WORDS) assertEquals(/[\n\r]/.test(execWord(word)), false);
});

Deno.test("execWord and shellWord: random words come out as they went in, of systemd's line and of a shell's", async () => {
  const dice = new Dice(7),
    letters = ["\\", '"', "'", "$", "%", " ", "\n", "{", "}", ";", "a", "x4", "é"];
  const words = Array.from(
    { length: 300 },
    () => Array.from({ length: dice.below(9) }, () => letters[dice.below(letters.length)]).join(""),
  );
  assertEquals(execWords(words.map(execWord).join(" ")), words);
  const all = [...WORDS, ...words], command = `printf '%s\\0' ${all.map(shellWord).join(" ")}`;
  const { stdout } = await new Deno.Command("bash", { args: ["-c", command] }).output();
  assertEquals(new TextDecoder().decode(stdout).split("\0").slice(0, -1), all);
});

Deno.test({
  name: `deviceUnit names an interface as systemd-escape does${suffix(noSystemd)}`,
  ignore: noSystemd !== undefined,
  async fn() {
    for (
      const name of ["eth0", "eth-0", "enp3s0f0np0", "br-4f.100", "a%b", "x_y", "é", "@", "eth0\\"]
    ) {
      const { stdout } = await new Deno.Command("systemd-escape", {
        args: ["--path", "--suffix=device", `/sys/subsystem/net/devices/${name}`],
      }).output();
      assertEquals(deviceUnit(name), new TextDecoder().decode(stdout).trim());
    }
  },
});

Deno.test("service: the program gets the capture's options, and only those", () => {
  const args = [
    "-i",
    "soft:lab{1",
    "-f",
    "udp[4:2] % 3 = 1 and host 10.0.0.1",
    "--log=json",
    "-b",
    "64",
  ];
  const own = ["--name", "x", "--user=feed", "--cores", "0,2", "--program", "/opt/x/bin/capture"];
  const { ExecStart, User, CPUAffinity, SyslogIdentifier } = serviceOf(...own, ...args);
  assertEquals(execWords(ExecStart[0]), ["/opt/x/bin/capture", ...args]);
  assertEquals([User, CPUAffinity, SyslogIdentifier], [["feed"], ["0 2"], ["uspf-x"]]);
});

for (const { args, exposure } of KINDS) {
  const options = optionsOf(...args), title = args.join(" ");

  Deno.test(`service ${title}: exactly the port's capabilities, ambient and as the bound`, () => {
    const { AmbientCapabilities, CapabilityBoundingSet } = parseUnit(unitOf(options)).Service;
    const low = /:514@|:80$/.test(title) || title.includes(":80 ");
    const expected = [...capabilitiesOf(options.port), ...(low ? ["CAP_NET_BIND_SERVICE"] : [])];
    assertEquals(AmbientCapabilities, [expected.join(" ")]);
    assertEquals(CapabilityBoundingSet, AmbientCapabilities);
  });

  Deno.test({
    name: `service ${title}: systemd-analyze verify has no complaint${suffix(noSystemd)}`,
    ignore: noSystemd !== undefined,
    async fn() {
      const text = unitOf({ ...options, program: THERE });
      assertEquals(await analyze(text, "verify", "--man=no"), { code: 0, said: "" });
    },
  });

  Deno.test({
    name: `service ${title}: systemd-analyze security gives an exposure of at most ${exposure}${
      suffix(noSystemd)
    }`,
    ignore: noSystemd !== undefined,
    async fn() {
      const threshold = `--threshold=${Math.round(exposure * 10)}`;
      const { code, said } = await analyze(
        unitOf(options),
        "security",
        "--offline=true",
        threshold,
      );
      assertEquals(code, 0, said);
    },
  });
}

Deno.test("service: what outlives the run, or is shared, has a user that others know; all else one of systemd's making", () => {
  const whom = (...args: string[]) => {
    const { User, DynamicUser } = serviceOf("-i", ...args);
    return User?.[0] ?? `dynamic ${DynamicUser[0]}`;
  };
  assertEquals(whom("udp:0.0.0.0:5001"), "dynamic yes");
  assertEquals(whom("xdp:eth0", "--metrics", "127.0.0.1:9464"), "dynamic yes");
  assertEquals(whom("soft:lab:1"), "uspf");
  assertEquals(whom("netmap:eth0"), "uspf");
  assertEquals(whom("packet:eth0", "--write", "/srv/x/y"), "uspf");
  assertEquals(whom("xdp:eth0", "--user", "feed"), "feed");
});

Deno.test("service: only the directory of --write can be written to, and systemd makes it where it can", () => {
  const writable = (file: string) => {
    const { StateDirectory, LogsDirectory, ReadWritePaths } = serviceOf(
      "-i",
      "packet:eth0",
      "--write",
      file,
    );
    return { StateDirectory, LogsDirectory, ReadWritePaths };
  };
  const none = { StateDirectory: undefined, LogsDirectory: undefined, ReadWritePaths: undefined };
  assertEquals(writable("/var/lib/uspf-x/x.pcapng"), { ...none, StateDirectory: ["uspf-x"] });
  assertEquals(writable("/var/log/uspf/b/x.pcapng"), { ...none, LogsDirectory: ["uspf/b"] });
  assertEquals(writable("/var/lib/../../srv/y/x"), { ...none, ReadWritePaths: ["/srv/y"] });
  assertEquals(writable("/srv/a b%/x"), { ...none, ReadWritePaths: ['"/srv/a b%%"'] });
  assertEquals(serviceOf("-i", "packet:eth0").ReadWritePaths, undefined);
});

Deno.test("service: systemd makes, and so gives to the user, only directories with a name of ours", () => {
  for (const own of ["/var/lib/dpkg", "/var/log/journal/x", "/var/lib/uspf:x", "/var/lib/x/uspf"]) {
    const { StateDirectory, LogsDirectory, ReadWritePaths } = serviceOf(
      "-i",
      "packet:eth0",
      "--write",
      `${own}/x.pcapng`,
    );
    assertEquals([StateDirectory, LogsDirectory, ReadWritePaths], [undefined, undefined, [own]]);
  }
});

Deno.test("service: of the memory for rings the file can be written to, not its directory", () => {
  const port = "netmap:eth0@extmem:file=/dev/hugepages/rings";
  assertEquals(serviceOf("-i", port).ReadWritePaths, ["/dev/hugepages/rings"]);
  assertEquals(/install|test -d/.test(unit("-i", port)), false);
});

Deno.test("service: its steps make the directory of --write, and leave one alone that is there", async () => {
  const root = Deno.makeTempDirSync({ dir: "/dev/shm", prefix: "uspf-steps-" });
  try {
    const steps = async (directory: string) => {
      // As if the machine's root were there; the user must be one that this machine has.
      const text = unit("-i", "packet:eth0", "--user", "nobody", "--write", `/srv/${directory}/x`);
      const step = /^# {3}(test -d .*)$/m.exec(text)![1];
      const own = step.replaceAll("/srv/", `${root}/`).replace(/-o nobody -g nobody/, "");
      const { code } = await new Deno.Command("sh", { args: ["-c", own] }).output();
      assertEquals(code, 0, own);
      return Deno.statSync(`${root}/${directory}`);
    };
    Deno.mkdirSync(`${root}/there`);
    Deno.chmodSync(`${root}/there`, 0o2710);
    const before = Deno.statSync(`${root}/there`);
    const after = await steps("there");
    assertEquals([after.mode, after.uid, after.ctime], [before.mode, before.uid, before.ctime]);
    assertEquals((await steps("new one/deep")).isDirectory, true);
  } finally {
    Deno.removeSync(root, { recursive: true });
  }
});

Deno.test("service: cores are those named, if they are all that there are", () => {
  const cores = (...args: string[]) => serviceOf("-i", "xdp:eth0", ...args).CPUAffinity;
  assertEquals(cores(), undefined);
  assertEquals(cores("-c", "3"), undefined);
  assertEquals(cores("-c", "3", "--engine-core", "2"), ["2 3"]);
  assertEquals(cores("-c", "3", "--engine-core", "2", "--rings", "2"), undefined);
  assertEquals(cores("-c", "3", "--engine-core", "2", "--rings", "2", "--cores", "0,2-4"), [
    "0 2 3 4",
  ]);
});

Deno.test("service: a unit comes and goes with its interface, and has nothing to do with the network without one", () => {
  const device = "sys-subsystem-net-devices-eth0.device";
  for (
    const port of ["xdp:eth0-2", "packet:eth0@7", "netmap:eth0-1/x", "udp:239.1.1.1:5001@eth0"]
  ) {
    const { Unit, Install } = parseUnit(unit("-i", port));
    assertEquals(
      [Unit.BindsTo, Install.WantedBy],
      [[device], [`multi-user.target ${device}`]],
      port,
    );
  }
  for (const port of ["soft:lab:1", "pcap:/srv/x", "vale0:1", "netmap:x{1", "udp:0.0.0.0:5001"]) {
    assertEquals(parseUnit(unit("-i", port)).Unit.BindsTo, undefined, port);
  }
  const { PrivateNetwork, RestrictAddressFamilies } = serviceOf("-i", "soft:lab:1");
  assertEquals([PrivateNetwork, RestrictAddressFamilies], [["yes"], ["none"]]);
});

Deno.test("service: who asks for metrics on this host only is reached by this host only", () => {
  const addresses = (...args: string[]) => {
    const { IPAddressDeny, IPAddressAllow } = serviceOf("-i", ...args);
    return [IPAddressDeny?.[0], IPAddressAllow?.[0]];
  };
  assertEquals(addresses("packet:eth0"), ["any", undefined]);
  assertEquals(addresses("soft:lab:1", "--metrics", "[::1]:9464"), ["any", "localhost"]);
  assertEquals(addresses("soft:lab:1", "--metrics", "127.0.0.1:1", "--dashboard", "0.0.0.0:2"), [
    undefined,
    undefined,
  ]);
  assertEquals(addresses("udp:0.0.0.0:5001"), [undefined, undefined]);
});

function suffix(reason: string | undefined): string {
  return reason === undefined ? "" : ` (${reason})`;
}
