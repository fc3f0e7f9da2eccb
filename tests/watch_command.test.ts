import { assert, assertEquals, assertMatch } from "@std/assert";
import { finalOf, run, start } from "./command.ts";
import { Pty, type Size } from "./pty.ts";

const NORMAL: Size = { columns: 80, rows: 24 };
const WATCH = `exec "${Deno.execPath()}" run -q -P=capture capture/main.ts --watch`;

const noTerminals = await whyNot();
const options = {
  ignore: noTerminals !== undefined,
  sanitizeOps: false,
  sanitizeResources: false,
};

async function whyNot(): Promise<string | undefined> {
  try {
    const { success } = await new Deno.Command("script", { args: ["-qefc", "stty", "/dev/null"] })
      .output();
    return success ? undefined : "script(1) makes no terminal";
  } catch {
    return "there is no script(1)";
  }
}

function test(name: string, fn: () => Promise<void>): void {
  Deno.test({
    name: noTerminals === undefined ? name : `${name} (${noTerminals})`,
    fn,
    ...options,
  });
}

/** A capture that draws. */
async function watching(
  args: string,
  size = NORMAL,
  env: Record<string, string> = {},
): Promise<Pty> {
  const pty = new Pty(`${WATCH} ${args}`, size, env);
  await pty.seen((screen, { alternate }) => alternate && screen.includes("uspf"));
  return pty;
}

/** Fails unless the terminal is as it was. */
function assertRestored({ grid }: Pty): void {
  const { alternate, cursor, wrap, scrolled, clipped } = grid;
  assertEquals({ alternate, cursor, wrap }, { alternate: false, cursor: true, wrap: true });
  assertEquals([scrolled, clipped], [0, 0]);
}

/** The times of the frames. */
function frames({ arrivals }: Pty): number[] {
  return arrivals.filter(({ text }) => text.includes("\x1b[?2026h")).map(({ atMs }) => atMs);
}

const after = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const numbersOf = (line: string | undefined) =>
  [...(line ?? "").matchAll(/\d[\d,]*/g)].map(([text]) => Number(text.replaceAll(",", "")));

test("capture --watch draws four times a second, and ends with the summary on the screen as it was", async () => {
  const pty = await watching("-r 4");
  await pty.seen((screen) => screen.includes("00:00:01"));
  assertEquals([pty.grid.alternate, pty.grid.cursor, pty.grid.wrap], [true, false, false]);
  assertEquals(await pty.ended(), 0);
  assertRestored(pty);
  assertMatch(pty.grid.toString(), /^received {3}[1-9]/m);
  const times = frames(pty),
    gaps = times.slice(1).map((at, i) => at - times[i]).sort((a, b) => a - b);
  // A busy machine leaves frames out: how many is nobody's fault.
  assert(times.length >= 6 && times.length <= 17, `${times.length} frames in 4 s`);
  const median = gaps[gaps.length >> 1];
  assert(median > 200 && median < 300, `median of ${gaps}`);
});

test("capture --watch shows the numbers of the summary", async () => {
  const pty = await watching("-r 30 --no-decode -f 'udp port 5001'");
  await pty.seen((screen) => numbersOf(screen.match(/^received .*/m)?.[0])[0] > 10_000);
  const { lines } = pty.grid,
    row = (label: string) => numbersOf(lines.find((line) => line.trim().startsWith(label)));
  assertEquals(row("received")[0], row("accepted")[0] + row("rejected")[0] + row("malformed")[0]);
  await pty.type("q");
  assertEquals(await pty.ended(), 0);
  assertRestored(pty);
  const [packets] = numbersOf(pty.grid.toString().match(/^received .*/m)?.[0]);
  assert(packets >= row("received")[0], `${packets} in the summary`);
});

for (
  const [how, end] of Object.entries({
    "Ctrl-C": (pty: Pty) => pty.type("\x03"),
    SIGTERM: (pty: Pty) => Deno.kill(pty.first[1], "SIGTERM"),
    q: (pty: Pty) => pty.type("q"),
  })
) {
  test(`capture --watch leaves the terminal as it was after ${how}`, async () => {
    const pty = await watching("-i soft:watch-end:1");
    await after(300);
    const flags = await pty.flags();
    assert(flags.includes("-echo") && flags.includes("isig"), `${flags}`);
    await end(pty);
    assertEquals(await pty.ended(), 0);
    assertRestored(pty);
    assertMatch(pty.grid.toString(), /^received {3}0 packets/m);
  });
}

test("capture --watch gives echo back", async () => {
  const pty = new Pty(`(${WATCH} -i soft:watch-echo:1 -r 1); echo over; sleep 1`, NORMAL);
  await pty.seen((screen) => screen.includes("over"));
  const flags = await pty.flags();
  assert(flags.includes("echo") && flags.includes("icanon"), `${flags}`);
  assertEquals(await pty.ended(), 0);
  assertRestored(pty);
});

test("capture --watch follows every size, and leaves nothing of the last", async () => {
  const pty = await watching("-i soft:watch-size:1", { columns: 100, rows: 30 });
  for (
    const size of [
      { columns: 40, rows: 12 },
      { columns: 200, rows: 50 },
      { columns: 20, rows: 5 },
      NORMAL,
    ]
  ) {
    await pty.resize(size);
    const fits = (screen: string) => {
      const lines = screen.split("\n"), [title] = lines;
      const foot = size.rows < 6 || (lines.at(-1)?.startsWith("q ends it") ?? false);
      const one = lines.filter((line) => line.startsWith("uspf")).length === 1;
      return one && foot && title.length === size.columns && /\d\d:\d\d:\d\d$/.test(title);
    };
    await pty.seen(fits, 5000);
  }
  await pty.type("\x03");
  assertEquals(await pty.ended(), 0);
  assertRestored(pty);
});

test("capture --watch goes on while its terminal is stopped, and drops nothing", async () => {
  const pty = await watching("-r 30");
  await pty.seen((screen) => numbersOf(screen.match(/^received .*/m)?.[0])[0] > 0);
  await pty.setFlags("ixon"); // the view itself sees Ctrl-S as a key
  await pty.type("\x13");
  await after(300);
  const drawn = pty.arrivals.length;
  const [before] = numbersOf(pty.grid.toString().match(/^received .*/m)?.[0]);
  await after(5000);
  assertEquals(pty.arrivals.length, drawn);
  await pty.type("\x11");
  await pty.seen((screen) => numbersOf(screen.match(/^received .*/m)?.[0])[0] > before * 2);
  await pty.type("q");
  assertEquals(await pty.ended(), 0);
  const text = pty.grid.toString();
  assertMatch(text, /delivered \+ 0 dropped/);
  assertMatch(text, /consumed \+ 0 waiting/);
});

test("capture --watch whose terminal is stopped waits with the summary until a second signal, or until it goes on", async () => {
  for (const goesOn of [true, false]) {
    const pty = await watching("-r 60");
    await pty.seen((screen) => numbersOf(screen.match(/^received .*/m)?.[0])[0] > 0);
    await pty.setFlags("ixon");
    await pty.type("\x13");
    await after(1000);
    const [, pid] = pty.first;
    Deno.kill(pid, "SIGTERM");
    await after(2500);
    if (goesOn) await pty.type("\x11");
    else Deno.kill(pid, "SIGTERM");
    assertEquals(await pty.ended(), goesOn ? 0 : 143);
    if (!goesOn) continue;
    assertRestored(pty);
    assertMatch(pty.grid.toString(), /^received {3}[1-9]/m);
  }
});

test("capture --watch gives the terminal to the shell on Ctrl-Z, and takes it again", async () => {
  const pty = new Pty("exec bash --norc --noprofile -i", NORMAL);
  await pty.seen((screen) => /[#$]$/m.test(screen));
  await pty.type(`${WATCH.slice(5)} -i soft:watch-stop:1\r`);
  await pty.seen((screen, { alternate }) => alternate && screen.includes("00:00:00"));
  await after(300);
  await pty.type("\x1a");
  await pty.seen((screen, { alternate, cursor }) =>
    !alternate && cursor && screen.includes("Stopped")
  );
  await pty.type("fg\r");
  await pty.seen((screen, { alternate, cursor }) =>
    alternate && !cursor && screen.includes("lost")
  );
  await pty.type("q");
  await pty.seen((screen, { alternate, cursor }) =>
    !alternate && cursor && /^received[^]*[#$]$/m.test(screen) // the shell reads again
  );
  await pty.type("exit\r");
  assertEquals(await pty.ended(), 0);
  assertEquals([pty.grid.alternate, pty.grid.cursor, pty.grid.wrap], [false, true, true]);
});

test("capture --watch goes on after Ctrl-Z where no shell could continue it", async () => {
  const pty = await watching("-i soft:watch-alone:1");
  await after(300);
  await pty.type("\x1a");
  await after(500);
  await pty.seen((screen, { alternate }) => alternate && screen.includes("lost"));
  await pty.type("q");
  assertEquals(await pty.ended(), 0);
  assertRestored(pty);
});

test("capture --watch asks for no permission, and does with less", async () => {
  const less = "--allow-read --allow-ffi --allow-env=USPF_DEBUG --unstable-worker-options";
  const command = `exec "${Deno.execPath()}" run -q ${less} capture/main.ts --watch -r 1`;
  const pty = new Pty(command, NORMAL);
  assertEquals(await pty.ended(), 0);
  assertRestored(pty);
  assertEquals(/allow|permission/i.test(pty.text), false);
  assertMatch(pty.grid.toString(), /^received {3}[1-9]/m);
});

test("capture --watch reads packets from standard input, and then hears no keys", async () => {
  const file = Deno.makeTempFileSync({ suffix: ".pcapng" });
  try {
    await run("capture", ["-r", "1", "--quiet", "--write", file]);
    const pty = new Pty(`(cat ${file}; sleep 2) | (${WATCH} -i pcap:-)`, NORMAL);
    await pty.seen((screen) =>
      /^Ctrl-C ends it$/m.test(screen) && /^received +[1-9]/m.test(screen)
    );
    assertEquals(await pty.ended(), 0);
    assertRestored(pty);
    assertMatch(pty.grid.toString(), /^received {3}[1-9]/m);
  } finally {
    Deno.removeSync(file);
  }
});

test("capture --watch ends when its terminal is gone", async () => {
  const pty = await watching("-i soft:watch-gone:1"), [, pid] = pty.first;
  await after(300);
  pty.close();
  await pty.ended();
  const gone = () => {
    try {
      return /^\d+ \(.*\) [ZX]/.test(Deno.readTextFileSync(`/proc/${pid}/stat`));
    } catch {
      return true;
    }
  };
  for (let waits = 0; waits < 50 && !gone(); waits++) await after(100);
  assert(gone(), `${pid} is still there`);
});

for (const how of ["exit", "throw", "reject"]) {
  test(`Terminal is given back on ${how}, and what was said meanwhile is said`, async () => {
    const pty = new Pty(`exec "${Deno.execPath()}" run -q -A tests/watch_probe.ts ${how}`, NORMAL);
    assertEquals(await pty.ended(), how === "exit" ? 3 : 1);
    assertRestored(pty);
    assert(pty.text.includes("drawn"));
    const text = pty.grid.toString();
    assertEquals(text.includes("drawn"), false);
    assertMatch(text, how === "exit" ? /said meanwhile/ : /a bug/);
  });
}

test("capture --watch uses colours unless NO_COLOR is set, and ASCII unless the locale is UTF-8", async () => {
  for (
    const [env, colours, ascii] of [
      [{ NO_COLOR: "1" }, false, false],
      [{ LC_ALL: "C" }, true, true],
    ] as const
  ) {
    const pty = await watching("-r 3", { columns: 160, rows: 40 }, env);
    const screen = await pty.seen((screen) =>
      /\b100\b/.test(screen) && screen.includes("00:00:02")
    );
    assertEquals(/[^ -~\n]/.test(screen), !ascii);
    assertEquals(pty.text.includes("\x1b[2m"), colours);
    assertEquals(await pty.ended(), 0);
  }
});

test("capture --watch on a dumb terminal prints lines, and says why", async () => {
  const pty = new Pty(`${WATCH} -i soft:watch-dumb:1 -r 2`, NORMAL, { TERM: "dumb" });
  assertEquals(await pty.ended(), 0);
  assertEquals(pty.text.includes("\x1b"), false);
  assertMatch(pty.text, /--watch draws nothing: .*TERM=dumb/);
  assertMatch(pty.text, /^ +1 s {2}0\.000 Mpps/m);
});

Deno.test("capture --watch on a pipe prints the usual lines, and says so once", async () => {
  const { code, stdout, stderr } = await run("capture", [
    "--watch",
    "-i",
    "soft:watch-pipe:1",
    "-r",
    "2",
  ]);
  assertEquals(code, 0);
  assertEquals(`${stdout}${stderr}`.includes("\x1b"), false);
  assertEquals(stderr, "--watch draws nothing: standard output is no terminal: lines follow\n");
  assertMatch(stdout, /^ +1 s {2}0\.000 Mpps/m);
  assertMatch(stdout, /^received {3}0 packets/m);
});

for (const other of ["--json", "--quiet"]) {
  Deno.test(`capture --watch refuses ${other}`, async () => {
    const { code, stderr } = await run("capture", ["--watch", other]);
    assertEquals(code, 2);
    assertMatch(stderr, new RegExp(`^Cannot use ${other} with --watch: .*: leave one out\n$`));
  });
}

Deno.test("capture --json prints an object a second, each over a second", async () => {
  const capture = start("capture", ["--json", "-i", "soft:watch-json:1", "-r", "3.4"]);
  const finished = await capture.finished,
    times = finished.stdout.split("\n").filter(Boolean)
      .map((line) => JSON.parse(line).elapsedNs / 1e9);
  assertEquals(finalOf(finished).final, true);
  assertEquals(times.length, 4, `${times}`);
  for (const i of [1, 2]) assert(Math.abs(times[i] - times[i - 1] - 1) < 0.15, `${times}`);
});
