/**
 * The doctor against real interfaces: what is wrong is made so, the finding is seen, its remedy is run, and
 * the finding is gone.
 */
import { assert, assertEquals, assertGreater, assertLess, assertMatch } from "@std/assert";
import type { Level } from "../doctor/finding.ts";
import { describeVersion } from "../ffi/version.ts";
import { start } from "./command.ts";
import { diagnose, diagnoseIn, finding, mend, runDoctor, without } from "./doctor.ts";
import { delay, macOf, send, startCapture, stopCapture, testNetwork } from "./foreign.ts";
import { ADDRESS, type Side, type Testbed } from "./testbed.ts";

interface Case {
  title: string;
  port: string;
  id: string;
  level: Level;
  /** What makes it so, in a shell on the right end, or on the left. */
  make: string;
  side?: Side;
  /** What the finding says. */
  what: RegExp;
  queues?: number;
  mtu?: number;
}

const CASES: Case[] = [
  {
    title: "an interface that is down",
    port: "packet:r0",
    id: "link.down",
    level: "stops",
    make: "ip link set r0 down",
    what: /^"r0" is set down$/,
  },
  {
    title: "GRO before a packet port",
    port: "packet:r0",
    id: "offloads.gro",
    level: "note",
    make: "ethtool -K r0 gro on",
    what: /GRO/,
  },
  {
    title: "UDP datagrams that are merged",
    port: "packet:r0",
    id: "offloads.udp",
    level: "harms",
    make: "ethtool -K r0 rx-udp-gro-forwarding on rx-gro-list on",
    what: /\(rx-udp-gro-forwarding, rx-gro-list\)$/,
  },
  {
    title: "VLAN tags that are taken out",
    port: "xdp:r0",
    id: "offloads.vlan",
    level: "note",
    make: "ethtool -K r0 rxvlan on",
    what: /VLAN tags/,
  },
  {
    title: "packets larger than a frame",
    port: "xdp:r0",
    id: "xdp.mtu",
    level: "harms",
    make: "ip link set r0 mtu 3000",
    mtu: 3000,
    what: /^packets of MTU 3000 .*1792 bytes/,
  },
  {
    title: "promiscuity",
    port: "packet:r0",
    id: "promiscuous",
    level: "note",
    make: "ip link set r0 promisc on",
    what: /^"r0" is promiscuous, for 1$/,
  },
  {
    title: "a queue that is not there",
    port: "xdp:r0-1",
    id: "queues.missing",
    level: "stops",
    make: "ethtool -L r0 rx 1",
    queues: 2,
    what: /^"r0" has no queue 1: it has 1, from 0$/,
  },
  {
    title: "a group without a route",
    port: "udp:239.1.1.1:5001",
    id: "udp.route",
    level: "stops",
    make: "ip route flush table main",
    what: /no route leads to it$/,
  },
  {
    title: "strict reverse paths",
    port: "udp:239.1.1.1:5001@r0",
    id: "udp.reverse-path",
    level: "harms",
    make: "sysctl -qw net.ipv4.conf.all.rp_filter=1",
    what: /^"r0" drops what it has no way back to/,
  },
];

for (const { title, port, id, level, make, side = "right", what, queues, mtu } of CASES) {
  testNetwork(
    `deno task doctor -i ${port} finds ${title}, and mends it`,
    { queues, mtu },
    async (testbed) => {
      await testbed.must(side, "sh", "-euc", make);
      const sick = await diagnoseIn(testbed, ["-i", port]), found = finding(sick, id, level);
      assertMatch(found.what, what);
      assertGreater(found.why.length, 10);
      assertEquals(sick.code, level === "stops" ? 1 : 0);
      await mend(testbed, found);
      const { findings, code } = await diagnoseIn(testbed, ["-i", port]);
      assertEquals(findings.filter((other) => other.id === id && other.level === level), []);
      assertEquals(code, 0);
    },
    without("ethtool", "sysctl"),
  );
}

testNetwork(
  "deno task doctor on a healthy end has nothing that stops or harms it",
  {},
  async (testbed) => {
    for (const port of ["packet:r0", "xdp:r0", `udp:${ADDRESS.right}:5001`, "udp:0.0.0.0:5001"]) {
      const { code, findings } = await diagnoseIn(testbed, ["-i", port]);
      assertEquals(code, 0);
      const noise = /^(cores|traffic|clock|kernel|memory)/; // of this machine, and its other programs
      const bad = findings.filter(({ level, id }) => /stops|harms/.test(level) && !noise.test(id));
      assertEquals(bad, []);
    }
  },
);

testNetwork(
  "deno task doctor names interfaces that are near to what is not there",
  {},
  async (testbed) => {
    const sick = await diagnoseIn(testbed, ["-i", "packet:r1"]);
    const { what, why } = finding(sick, "link.missing", "stops");
    assertEquals([what, sick.code], ['there is no interface "r1"', 1]);
    assertMatch(why, /^Near it: .*r0/);
  },
);

testNetwork("deno task doctor finds an end without a link", {}, async (testbed) => {
  await testbed.must("left", "ip", "link", "set", "l0", "down");
  const sick = await diagnoseIn(testbed, ["-i", "packet:r0"]);
  finding(sick, "link.carrier", "stops");
  await testbed.must("left", "ip", "link", "set", "l0", "up");
  const { code, facts } = await diagnoseIn(testbed, ["-i", "packet:r0"]);
  assertEquals([code, facts.interface!.link.carrier], [0, true]);
});

testNetwork(
  "deno task doctor finds another program's XDP program, and who has it",
  {},
  async (testbed) => {
    const code = `import { attachForeign } from "${new URL("foreign_xdp.ts", import.meta.url)}";
    attachForeign("r0"); console.log("there"); setInterval(() => {}, 1000);`;
    const other = testbed.spawn("right", [Deno.execPath(), "eval", code]);
    await other.stdout.getReader().read();
    const sick = await diagnoseIn(testbed, ["-i", "xdp:r0"]);
    const found = finding(sick, "xdp.program", "stops");
    assertMatch(
      found.what,
      /^"r0" has an XDP program, number \d+, native, of process \d+ \(deno\)$/,
    );
    finding(await diagnoseIn(testbed, ["-i", "packet:r0"]), "xdp.front", "harms");
    await mend(testbed, found);
    await other.status;
    const { code: healthy, facts } = await diagnoseIn(testbed, ["-i", "xdp:r0"]);
    assertEquals([healthy, facts.interface!.program], [0, undefined]);
  },
);

testNetwork("deno task doctor knows a capture's XDP program as ours", {}, async (testbed) => {
  const capture = await startCapture(testbed, ["-i", "xdp:r0"]);
  const { what } = finding(await diagnoseIn(testbed, ["-i", "xdp:r0"]), "xdp.shared", "stops");
  assertMatch(what, /"uspf_[0-9a-f]{8}", native, of process \d+ \(deno\), another capture's$/);
  const behind = finding(await diagnoseIn(testbed, ["-i", "packet:r0"]), "xdp.front", "harms");
  assertMatch(behind.why, /takes its packets off the interface/);
  const second = (command: string[]) => testbed.inside("right", command);
  const refused = await start("capture", ["-i", "xdp:r0", "-r", "1"], {}, 30_000, second).finished;
  assertEquals(refused.code, 1);
  await stopCapture(capture);
});

/** Sends for a while, without waiting for the end. */
async function flood(testbed: Testbed, to: string, count: number): Promise<Promise<unknown>> {
  const addresses = ["-d", await macOf(testbed, "right"), "-S", ADDRESS.left, "-D", to];
  return send(testbed, [
    "-i",
    "packet:l0",
    "-c",
    `${count}`,
    "-r",
    "20000",
    "-b",
    "64",
    ...addresses,
  ]);
}

testNetwork(
  "deno task doctor tells how many packets arrive, and that none do",
  {},
  async (testbed) => {
    const quiet = await diagnoseIn(testbed, ["-i", "packet:r0"]);
    finding(quiet, "traffic.none", "note");
    const sent = flood(testbed, ADDRESS.right, 60_000);
    const busy = await diagnoseIn(testbed, ["-i", "packet:r0", "--seconds", "2"]);
    finding(busy, "traffic.none");
    assertGreater(busy.facts.traffic.grown["link rx_packets"], 5000);
    // Nobody has port 5001 there.
    const unheard = await diagnoseIn(testbed, ["-i", "udp:0.0.0.0:5001", "--seconds", "0.3"]);
    finding(unheard, "traffic.no-port", "note");
    await sent;
  },
);

testNetwork("deno task doctor finds counters of lost packets that grow", {}, async (testbed) => {
  const capture = await startCapture(testbed, ["-i", "xdp:r0", "--xdp-mode", "native"]);
  capture.process.kill("SIGSTOP");
  const sent = flood(testbed, ADDRESS.right, 80_000);
  await delay(1500); // 8192 entries of the kernel's ring are full after 0.4 s
  const { what } = finding(
    await diagnoseIn(testbed, ["-i", "xdp:r0", "--seconds", "0.5"]),
    "traffic.lost",
    "harms",
  );
  assertMatch(what, /^"r0" loses packets: .*rx.*drop.* \+[\d,.]+\/s/);
  await sent;
  capture.process.kill("SIGCONT");
  await stopCapture(capture);
  const after = await diagnoseIn(testbed, ["-i", "xdp:r0"]);
  finding(after, "traffic.lost");
});

const SMALL = `import { createSocket } from "node:dgram";
  const socket = createSocket({ type: "udp4" });
  socket.bind(5001, () => { console.log("there"); while (true); });`;

testNetwork("deno task doctor finds sockets that overflow", {}, async (testbed) => {
  const other = testbed.spawn("right", ["node", "--input-type=module", "-e", SMALL]);
  await other.stdout.getReader().read();
  const sent = flood(testbed, ADDRESS.right, 40_000);
  await delay(700);
  const sick = await diagnoseIn(testbed, ["-i", "udp:0.0.0.0:5002", "--seconds", "0.5"]);
  const { what } = finding(sick, "traffic.sockets", "harms");
  assertMatch(what, /RcvbufErrors/);
  await sent;
});

testNetwork(
  "deno task doctor finds packets that are dropped for their way back",
  {},
  async (testbed) => {
    await testbed.must("right", "sysctl", "-qw", "net.ipv4.conf.all.rp_filter=1");
    const mac = await macOf(testbed, "right");
    const sent = send(testbed, [
      ...["-i", "packet:l0", "-c", "20000", "-r", "10000", "-d", mac],
      ...["-S", "203.0.113.9", "-D", ADDRESS.right],
    ]);
    await delay(600);
    const sick = await diagnoseIn(testbed, ["-i", `udp:${ADDRESS.right}:5001`, "--seconds", "0.5"]);
    assertMatch(finding(sick, "udp.reverse-path", "harms").what, /^the kernel dropped \d+ packets/);
    await sent;
  },
  without("sysctl"),
);

testNetwork("deno task doctor knows what shares the interface's name", {}, async (testbed) => {
  await testbed.must(
    "right",
    "sh",
    "-euc",
    "ip link add br0 type bridge; ip link set r0 master br0",
  );
  const sick = await diagnoseIn(testbed, ["-i", "udp:239.1.1.1:5001@r0"]);
  const found = finding(sick, "link.master", "harms");
  assertMatch(found.what, /belongs to the bridge "br0"$/);
  await testbed.must("right", "ip", "link", "set", "br0", "up");
  finding(await diagnoseIn(testbed, ["-i", "xdp:br0"]), "link.virtual", "harms");
});

testNetwork(
  "deno task doctor finds that /sys is another network namespace's",
  {},
  async (testbed) => {
    const name = testbed.inside("right", []).at(-1)!;
    const enter = (before: string) => (command: string[]) => [
      ...["nsenter", `--net=/run/netns/${name}`, "unshare", "-m", "sh", "-euc"],
      `${before}\nexec "$@"`,
      "sh",
      ...command,
    ];
    const sick = await diagnose(["-i", "xdp:r0"], enter(""));
    const { remedy } = finding(sick, "queues.unknown", "stops");
    assertEquals((await diagnose(["-i", "xdp:r0"], enter(remedy.join("\n")))).code, 0);
  },
);

testNetwork(
  "deno task doctor has as many offloads as ethtool -k, with its names",
  {},
  async (testbed) => {
    const text = await testbed.must("right", "ethtool", "-k", "r0");
    const { facts } = await diagnoseIn(testbed, ["-i", "packet:r0"]);
    const { features } = facts.interface!.device;
    const lines = [...text.matchAll(/^\t?([\w-]+): (on|off)( \[.*\])?$/gm)];
    // What ethtool sums up in a line of its own is no feature of the kernel's.
    const sums =
      /^(tx-checksumming|scatter-gather|(tcp|generic)-segmentation-offload|tx-vlan-offload)$/;
    const singles = lines.filter(([, name]) => !sums.test(name));
    assertGreater(singles.length, 30);
    for (const [, name, state, fixed] of singles) {
      assertEquals(features[name], { on: state === "on", fixed: fixed === " [fixed]" }, name);
    }
  },
  without("ethtool"),
);

Deno.test("deno task doctor looks at the machine alone in less than two seconds", async () => {
  const began = performance.now();
  const { code, stdout, stderr } = await runDoctor([]);
  assertLess(performance.now() - began, 4000); // on a machine that others use; 1.3 s alone
  assertEquals([code, stderr], [0, ""]);
  assertMatch(stdout, /^machine\n/);
  assertMatch(stdout, /\ninterfaces\n( {2}\S.*\n)*? {2}lo +up/);
  for (const line of stdout.split("\n")) {
    if (/^ *#/.test(line)) assertLess([...line].length, 81, line);
  }
});

Deno.test("deno task doctor --json prints one object with findings and facts", async () => {
  const { stdout } = await runDoctor(["--json", "--seconds", "0", "-i", "pcap:/nowhere.pcap"]);
  assertEquals(stdout.trim().split("\n").length, 1);
  const { findings, facts } = JSON.parse(stdout);
  for (const found of findings) {
    assertEquals(Object.keys(found), ["id", "level", "what", "why", "remedy"]);
    assert(found.level === "ok" || found.why.length > 10, found.id);
    assert(found.level === "ok" || found.remedy.length > 0, found.id);
  }
  assertEquals(new Set(findings.map(({ id }: { id: string }) => id)).size, findings.length);
  assertEquals(facts.port.file, "missing");
});

/** Runs it where the library is not, after `script` in that folder. */
async function runWithoutLibrary(script: string, args: string[]): Promise<string> {
  const folder = await Deno.makeTempDir();
  const files = ["deno.json", "deno.lock", "ffi", "doctor"];
  const copy = `cp -r ${files.join(" ")} ${folder} && cd ${folder} && rm -r ffi/build && ${script}`;
  const cwd = new URL("..", import.meta.url);
  try {
    await new Deno.Command("sh", { args: ["-euc", copy], cwd }).output();
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-q", "-P=doctor", "doctor/main.ts", ...args],
      cwd: folder,
      env: { NO_COLOR: "1" },
    }).output();
    assertEquals([code, new TextDecoder().decode(stderr)], [1, ""]);
    return new TextDecoder().decode(stdout);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("deno task doctor says that the native library is missing, a line for each place", async () => {
  const shown = await runWithoutLibrary(":", []);
  assertMatch(
    shown,
    /STOPS {2}the native library does not load\n {9}Cannot load the native library: 4 places tried:\n {11}USPF_LIBRARY: /,
  );
  assertMatch(shown, /\n {11}deno task build\n/);
  assertEquals(/\.\.\n|"\.\n/.test(shown), false);
  assertMatch(await runWithoutLibrary(":", ["--json"]), /"id":"library"/);
});

Deno.test("deno task doctor does not tell to build where there are no sources", async () => {
  const shown = await runWithoutLibrary("rm ffi/*.c ffi/*.h", []);
  assertMatch(shown, /\n {11}# unpack the archive again/);
  assertEquals(/^ *deno task build$/m.test(shown), false);
});

Deno.test("deno task doctor --version tells the commit, as the other commands do", async () => {
  assertEquals((await runDoctor(["--version"])).stdout, `${describeVersion()}\n`);
});

const WRONG: [string[], RegExp][] = [
  [["-i", "eth0"], /^Cannot parse port name "eth0": unknown kind: /],
  [["-c", "-1"], /^Cannot use -c "-1": out of range: /],
  [["--seconds", "x"], /^Cannot use --seconds "x": out of range: /],
  [["--fast"], /^Cannot use "--fast": no such option: /],
  [["packet:eth0"], /^Cannot use "packet:eth0": no such option: /],
];

Deno.test("deno task doctor refuses wrong arguments in one line, with exit code 2", async () => {
  for (const [args, message] of WRONG) {
    const { code, stdout, stderr } = await runDoctor(args);
    assertMatch(stderr, message);
    assertEquals([code, stdout, stderr.trim().split("\n").length], [2, "", 1]);
  }
});

Deno.test("deno task doctor ends quietly where nobody reads its output", async () => {
  const closed = (
    command: string[],
  ) => ["sh", "-c", '{ sleep 0.3; "$@"; echo $? >&2; } | true', "sh", ...command];
  const { stderr } = await runDoctor(["--seconds", "0"], closed);
  assertEquals(stderr, "0\n");
});

Deno.test("deno task doctor -c finds cores that are not there or not allowed, and mends it", async () => {
  const none = await diagnose(["-c", "1000"]);
  assertEquals([none.code, finding(none, "cores.chosen", "stops").what], [
    1,
    "there is no core 1000",
  ]);
  const { online } = none.facts.cores;
  if (online.length < 2) return;
  const shell = (lines: string[]) => (command: string[]) => [
    ...["sh", "-euc", `${lines.join("\n")}\nexec "$@"`, "sh"],
    ...command,
  ];
  const narrow = `taskset -c -p ${online[0]} $$ > /dev/null`;
  const { remedy } = finding(await diagnose([], shell([narrow])), "cores.allowed", "harms");
  const mended = remedy.map((line) => `${line} > /dev/null`);
  finding(await diagnose([], shell([narrow, ...mended])), "cores.allowed");
  // A capture may be put there all the same, as on an isolated core.
  finding(await diagnose(["-c", `${online[1]}`], shell([narrow])), "cores.chosen");
});

/** Root without a capability, who may yet be given some: by the program's file. */
const POWERLESS = ["setpriv", "--securebits=+noroot,+noroot_locked", "--inh-caps=-all"];

testNetwork(
  "deno task doctor names capabilities that are missing, and its setcap line grants them",
  {},
  async (testbed) => {
    const folder = await Deno.makeTempDir(), deno = `${folder}/deno`;
    const inside = (command: string[]) => testbed.inside("right", [...POWERLESS, ...command]);
    await Deno.copyFile(Deno.execPath(), deno);
    try {
      for (const port of ["xdp:r0", "packet:r0"]) {
        const found = finding(await diagnose(["-i", port], inside, deno), "capabilities", "stops");
        assertMatch(found.remedy[0], new RegExp(`^setcap cap_net_[a-z_,]*\\+ep ${deno}$`));
        await mend(testbed, found);
        finding(await diagnose(["-i", port], inside, deno), "capabilities");
        await testbed.must("right", "setcap", "-r", deno);
      }
      const lost = (command: string[]) =>
        testbed.inside("right", ["setpriv", "--bounding-set=-all", "--inh-caps=-all", ...command]);
      const never = finding(
        await diagnose(["-i", "packet:r0"], lost, deno),
        "capabilities",
        "stops",
      );
      assertMatch(never.remedy[0], /--cap-add=NET_RAW/);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
  without("setcap"),
);

/** A port locks 18 MiB a queue; this limit is less, and most machines' default is even lower. */
const LOW_LIMIT = 4 * 2 ** 20;

testNetwork(
  "deno task doctor finds that too little memory may be locked, as the port does",
  {},
  async (testbed) => {
    const limited = [`--memlock=${LOW_LIMIT}:${LOW_LIMIT}`, "setpriv", "--bounding-set=-ipc_lock"];
    const inside = (command: string[]) =>
      testbed.inside("right", ["prlimit", ...limited, ...command]);
    const sick = await diagnose(["-i", "xdp:r0"], inside);
    assertMatch(finding(sick, "locked-memory", "stops").what, /^4 MiB .* this port locks 18 MiB$/);
    const { stderr, code } = await start("capture", ["-i", "xdp:r0", "-r", "1"], {}, 30_000, inside)
      .finished;
    assertEquals(code, 1);
    assertMatch(stderr, /too little memory may be locked/);
    const able = (command: string[]) =>
      testbed.inside("right", ["prlimit", `--memlock=${LOW_LIMIT}`, ...command]);
    finding(await diagnose(["-i", "xdp:r0"], able), "locked-memory"); // CAP_IPC_LOCK lifts it
  },
);

testNetwork(
  "deno task doctor lets CAP_SYS_ADMIN stand for CAP_BPF and CAP_PERFMON, as the port does",
  {},
  async (testbed) => {
    const inside = (command: string[]) =>
      testbed.inside("right", ["setpriv", "--bounding-set=-perfmon,-bpf", ...command]);
    finding(await diagnose(["-i", "xdp:r0"], inside), "capabilities");
    const capture = start("capture", ["-i", "xdp:r0", "-r", "1"], {}, 30_000, inside);
    assertEquals((await capture.finished).code, 0);
  },
);

testNetwork(
  "deno task doctor knows what counts for nothing in a user namespace, as the port does",
  {},
  async () => {
    const inside = (command: string[]) => [
      ...["unshare", "-Urn", "sh", "-euc", 'ip link set lo up; exec "$@"', "sh"],
      ...command,
    ];
    const sick = await diagnose(["-i", "xdp:lo"], inside);
    assertMatch(finding(sick, "capabilities", "stops").what, /^in this user namespace CAP_BPF/);
    assertEquals(sick.code, 1);
    const xdp = start("capture", ["-i", "xdp:lo", "-r", "1"], {}, 30_000, inside);
    assertEquals((await xdp.finished).code, 1);
    assertEquals((await diagnose(["-i", "packet:lo"], inside)).code, 0);
    const packet = start("capture", ["-i", "packet:lo", "-r", "1"], {}, 30_000, inside);
    assertEquals((await packet.finished).code, 0);
  },
  without("unshare"),
);

const NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all"];

testNetwork(
  "deno task doctor works for nobody, who has no permission at all",
  {},
  async (testbed) => {
    // Another user may not be able to read this program where it lies: it is brought along.
    const folder = await Deno.makeTempDir();
    const script = `set -eu
    cp -r deno.json deno.lock ffi doctor ${folder}
    mkdir ${folder}/cache
    cp -r "$1"/npm ${folder}/cache
    cp "$2" ${folder}/deno
    chmod -R a+rX ${folder}
    chown -R 65534 ${folder}/cache`;
    const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["info", "--json"] })
      .output();
    const { denoDir } = JSON.parse(new TextDecoder().decode(stdout));
    const copied = await new Deno.Command("sh", {
      args: ["-c", script, "sh", denoDir, Deno.execPath()],
      cwd: new URL("..", import.meta.url),
    }).output();
    assert(copied.success, new TextDecoder().decode(copied.stderr));
    try {
      const command = ["run", "-q", "-P=doctor", "doctor/main.ts", "--json", "--seconds", "0.1"];
      const environment = [`DENO_DIR=${folder}/cache`, `HOME=${folder}`, "NO_COLOR=1"];
      const { code, stdout, stderr } = await testbed.run("right", [
        ...["env", "-C", folder, ...environment, ...NOBODY, `${folder}/deno`, ...command],
        ...["-i", "packet:r0"],
      ]);
      assertEquals([code, stderr], [1, ""]);
      const { findings, facts } = JSON.parse(stdout);
      finding({ code, findings, facts }, "capabilities", "stops");
      assertEquals([facts.process.root, facts.process.capabilities], [false, []]);
      assertEquals(facts.interface.device.driver, "veth");
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
);

Deno.test("deno task doctor may load no other library, open no socket, write no file, run no program", async () => {
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-q", "-P=doctor", "tests/permissions_probe.ts", "9"],
    cwd: new URL("..", import.meta.url),
  }).output();
  for (const [attempt, result] of Object.entries(JSON.parse(new TextDecoder().decode(stdout)))) {
    assertEquals(result, attempt === "read a file of others" ? "allowed" : "NotCapable", attempt);
  }
});
