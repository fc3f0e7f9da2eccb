// deno-lint-ignore-file no-control-regex no-regex-spaces -- blanks and controls are what is looked at
import { assert, assertEquals, assertMatch } from "@std/assert";
import { Pace } from "../capture/monitor/pace.ts";
import { SERVICE_BOUNDS_NS } from "../capture/monitor/statistics.ts";
import { bar, chart, glyphsFor, niceTop, sparkline } from "../capture/monitor/watch/glyphs.ts";
import { HeldMessages } from "../capture/monitor/watch/held_messages.ts";
import { History } from "../capture/monitor/watch/history.ts";
import { type Line, printable, textOf, widthOf } from "../capture/monitor/watch/line.ts";
import { clock, count, decimal, money, price } from "../capture/monitor/watch/numbers.ts";
import { Screen } from "../capture/monitor/watch/screen.ts";
import { type Size, view } from "../capture/monitor/watch/view.ts";
import { Grid } from "./terminal_grid.ts";
import { histogramOf, statisticsOf, type Wanted } from "./watch_statistics.ts";

const KEYS = "q ends it";
const UNITS = [0, 1, 7.5e5, 1e13, 1e15];
const SHAPES: Omit<Wanted, "unit" | "seconds">[] = [
  {},
  { decoded: false },
  { queues: 4 },
  { writes: true, unknown: true },
];

function recentOf(unit: number, shape: Omit<Wanted, "unit" | "seconds"> = {}, seconds = 100) {
  const history = new History(2, SERVICE_BOUNDS_NS);
  history.add({
    statistics: statisticsOf({ ...shape, unit: unit / 2, seconds: seconds - 1 }),
    service: histogramOf([10]),
  });
  const statistics = statisticsOf({ ...shape, unit, seconds });
  return history.add({ statistics, service: histogramOf([10, 20, 20, 500]) });
}

function draw(
  unit: number,
  size: Size,
  shape: Omit<Wanted, "unit" | "seconds"> = {},
  unicode = true,
): Line[] {
  const setup = { from: "xdp:eth0 (zero copy)", slots: 1024, unicode };
  return view(recentOf(unit, shape), setup, { keys: KEYS }, size);
}

const plain = (lines: readonly Line[]) => lines.map((line) => line.map(textOf).join(""));

Deno.test("view fits every size from 20x5 to 300x100, whatever was counted", () => {
  for (let columns = 20; columns <= 300; columns += columns < 160 ? 3 : 28) {
    for (const rows of [5, 6, 8, 12, 17, 24, 25, 31, 43, 60, 100]) {
      for (const unit of UNITS) {
        const lines = draw(unit, { columns, rows }, SHAPES[(columns + rows) % SHAPES.length]);
        assert(lines.length <= rows, `${lines.length} lines at ${columns}x${rows}`);
        for (const line of lines) assert(widthOf(line) <= columns, plain([line])[0]);
        assertEquals(
          /[\x00-\x1f\x7f]|\p{Extended_Pictographic}/u.test(plain(lines).join("")),
          false,
        );
      }
    }
  }
});

Deno.test("view fits terminals that are too small for it", () => {
  for (let columns = 1; columns <= 25; columns++) {
    for (let rows = 1; rows <= 25; rows++) {
      for (const unit of [0, 1, 1e13]) {
        const lines = draw(unit, { columns, rows }, SHAPES[(columns + rows) % SHAPES.length]);
        assert(lines.length <= rows, `${lines.length} lines at ${columns}x${rows}`);
        for (const line of lines) {
          assert(widthOf(line) <= columns, `${columns}: ${plain([line])[0]}`);
        }
      }
    }
  }
});

Deno.test("view keeps every line where it is, whatever is counted", () => {
  const labels = (unit: number, size: Size, shape: typeof SHAPES[number]) =>
    plain(draw(unit, size, shape)).map((line) => line.match(/^ *[a-zA-Z/]+/)?.[0] ?? "");
  for (const shape of SHAPES) {
    for (
      const size of [{ columns: 80, rows: 24 }, { columns: 40, rows: 30 }, {
        columns: 100,
        rows: 60,
      }]
    ) {
      for (const unit of UNITS) assertEquals(labels(unit, size, shape), labels(1, size, shape));
    }
  }
});

Deno.test("view writes every number whole at 80x24, up to 10^15 and with a loss", () => {
  for (const unit of UNITS) {
    for (const shape of SHAPES) {
      const text = plain(draw(unit, { columns: 80, rows: 24 }, shape));
      for (const line of text.filter((line) => !line.startsWith("filter"))) {
        assertEquals(/>|##/.test(line), false, line);
      }
    }
  }
  const text = plain(draw(1e13, { columns: 80, rows: 24 })).join("\n");
  assertMatch(text, /received +1,000,000,000,000,000 /);
  assertMatch(text, /profit +-10000000000000|profit +-10 T/);
});

Deno.test("view shows at 80x24 what was counted, and sums that add up", () => {
  const text = plain(draw(1000, { columns: 80, rows: 24 }));
  const row = (label: string) => {
    const line = text.find((line) => line.trimStart().startsWith(label)) ?? "";
    return [...line.slice(label.length).matchAll(/[\d,]+/g)].map(([n]) =>
      Number(n.replaceAll(",", ""))
    );
  };
  const total = (label: string) => row(label)[0];
  assertEquals(row("received").slice(0, 2), [100_000, 50_000]);
  assertEquals(total("received"), total("accepted") + total("rejected") + total("malformed"));
  assertEquals(total("accepted"), total("delivered") + total("dropped"));
  assertEquals(row("dropped").slice(0, 2), [2000, 1000]);
  assertEquals(row("lost").slice(0, 2), [3000, 1500]);
  const all = text.join("\n");
  assertMatch(all, /^Mpps +0\.050 /m);
  assertMatch(all, /^Gbit\/s +0\.024 /m);
  assertMatch(all, /tick ring +60,000 +\[█{18}··\]  91\.6 %  of 65,536/);
  assertMatch(all, /port ring +21\.5 +1,023 max/);
  assertMatch(all, /5,000 syncs\/s, 40\.0 % empty/);
  assertMatch(all, /thread +50\.0 %/);
  assertMatch(all, /^4294967294 +9,500 +100\.2500 +- +-400$/m);
  assertMatch(all, /^profit +-1,000\.00  cash +-1,500\.00/m);
  assertMatch(
    plain(draw(1000, { columns: 80, rows: 30 })).join("\n"),
    /"udp port 5001 and\?\[31m \? not/,
  );
  assertMatch(text[0], /00:01:40$/);
});

Deno.test("view names causes that there were, and no other", () => {
  const [line] = plain(draw(600, { columns: 140, rows: 40 })).filter((one) =>
    one.startsWith(" rejected")
  );
  assertMatch(line, /notIpv4 1,200/);
  const nothing = plain(draw(0, { columns: 140, rows: 40 })).join("\n");
  assertEquals(/notIpv4|truncated|was full/.test(nothing), false);
});

Deno.test("view says unknown where a port cannot know", () => {
  const text = plain(draw(1000, { columns: 80, rows: 24 }, { unknown: true })).join("\n");
  assertMatch(text, /^lost +unknown +unknown/m);
  assertMatch(text, /^turned away +unknown +unknown +by the filter in the kernel/m);
});

Deno.test("view of a capture that decodes nothing has no ticks and no engine", () => {
  const text = plain(draw(1000, { columns: 80, rows: 60 }, { decoded: false })).join("\n");
  assertEquals(/tick|ENGINE|profit|INSTRUMENT|delivered|dropped/.test(text), false);
});

Deno.test("view shows queues with several threads, and what is written with --write", () => {
  const text = plain(draw(1000, { columns: 80, rows: 24 }, { queues: 4 })).join("\n");
  for (let i = 0; i < 4; i++) assert(text.includes(`xdp:enp130s0f0np0-${i}`), text);
  const other = plain(draw(1000, { columns: 80, rows: 24 }, { writes: true })).join("\n");
  assertMatch(other, /^written +82,000 +41,000  to 3 files$/m);
  assertMatch(other, /^ missed +1,000 +500 /m);
});

Deno.test("view needs nothing but ASCII where the terminal knows no more", () => {
  for (const size of [{ columns: 80, rows: 24 }, { columns: 200, rows: 80 }]) {
    assertEquals(/[^ -~\n]/.test(plain(draw(1000, size, {}, false)).join("\n")), false);
  }
});

Deno.test("view gives a message the last line, even where there is no room", () => {
  const setup = { from: "soft:a:1", slots: 0, unicode: true };
  for (const rows of [5, 24]) {
    const foot = { keys: KEYS, message: "Cannot go on writing\x1b[2J" };
    const lines = view(recentOf(1), setup, foot, { columns: 80, rows });
    assertEquals(plain(lines).at(-1), "Cannot go on writing?[2J");
  }
});

Deno.test("History's rates are over the last second, and its service times, too", () => {
  const history = new History(1, SERVICE_BOUNDS_NS), all: number[] = [];
  let recent;
  for (let quarter = 0; quarter <= 40; quarter++) {
    all.push(quarter < 36 ? 100 : 1000);
    const statistics = statisticsOf({ unit: quarter * 10, seconds: quarter / 4 });
    recent = history.add({ statistics, service: histogramOf(all) });
  }
  assertEquals(recent!.now.elapsedNs - recent!.before.elapsedNs, 1e9);
  assertEquals(recent!.mpps.length, 10);
  assert(recent!.mpps.every((rate) => rate === 0.004), `${recent!.mpps}`);
  assert(Math.abs(recent!.service.p50 / 1000 - 1) < 0.02, `${recent!.service.p50}`);
  assert(Math.abs(recent!.service.max / 1000 - 1) < 0.02, `${recent!.service.max}`);
  assertEquals(recent!.service.atMost.at(-1), 4);
});

Deno.test("History leaves instruments in their places until one is clearly ahead", () => {
  const history = new History(1, SERVICE_BOUNDS_NS);
  const order = (...ticks: [number, number][]) => {
    const statistics = statisticsOf({ unit: 1, seconds: 1 });
    statistics.instruments = ticks.map(([instrument, ticks]) => ({
      instrument,
      ticks,
      bid: null,
      ask: null,
      position: 0,
    })).sort((a, b) => b.ticks - a.ticks);
    return history.add({ statistics, service: histogramOf([]) }).instruments.map((one) =>
      one.instrument
    );
  };
  assertEquals(order([1, 100], [2, 99], [3, 98]), [1, 2, 3]);
  assertEquals(order([1, 100], [2, 102], [3, 103]), [1, 2, 3]);
  assertEquals(order([1, 100], [2, 102], [3, 200]), [3, 1, 2]);
  assertEquals(order([4, 101], [2, 102], [3, 200]), [3, 4, 2]);
});

Deno.test("Screen sends what changed only, and a terminal then shows the lines", () => {
  const size = { columns: 20, rows: 4 }, screen = new Screen(true), grid = new Grid(size);
  grid.wrap = false;
  const show = (...lines: Line[]) => {
    const text = screen.draw(lines, size);
    grid.play(text);
    return text;
  };
  show(["a".repeat(20)], ["two"], [{ text: "three", style: "bad" }], ["4"]);
  assertEquals(grid.lines, ["a".repeat(20), "two", "three", "4"]);
  const second = show(["a".repeat(20)], ["2"], [{ text: "three", style: "bad" }]);
  assertEquals(grid.lines, ["a".repeat(20), "2", "three", ""]);
  assertEquals(second.includes("three"), false);
  assertEquals(show(["a".repeat(20)], ["2"], [{ text: "three", style: "bad" }]), "");
  assertEquals([grid.scrolled, grid.clipped], [0, 0]);
});

Deno.test("Screen shows after any change of size what a new one would show", () => {
  const screen = new Screen(false), grid = new Grid({ columns: 80, rows: 24 });
  grid.wrap = false;
  for (const [columns, rows] of [[80, 24], [20, 5], [200, 60], [79, 24], [200, 24], [20, 60]]) {
    grid.resize({ columns, rows });
    const lines = draw(columns * 1000, { columns, rows });
    grid.play(screen.draw(lines, { columns, rows }));
    const expected = Array.from({ length: rows }, (_, i) => plain(lines)[i]?.trimEnd() ?? "");
    assertEquals(grid.lines, expected);
  }
  assertEquals([grid.scrolled, grid.clipped], [0, 0]);
});

Deno.test("Screen without colours sets bold at most", () => {
  const lines: Line[] = [[{ text: "a", style: "bad" }, { text: "b", style: "warning" }, {
    text: "c",
    style: "strong",
  }, { text: "d", style: "faint" }]];
  const code = new Screen(false).draw(lines, { columns: 10, rows: 1 });
  const styles = [...code.matchAll(/\x1b\[([\d;]*)m/g)].map(([, style]) => style);
  assertEquals(styles.every((style) => style === "0" || style === "1"), true, `${styles}`);
});

Deno.test("numbers are never cut, but written shorter", () => {
  assertEquals(count(1234567, 9), "1,234,567");
  assertEquals(count(1234567, 8), " 1234567");
  assertEquals(count(1234567, 6), "1.23 M");
  assertEquals(count(null, 9), "  unknown");
  assertEquals(count(-0.2, 3), "  0");
  assertEquals(decimal(1234.5678, 9), "1,234.568");
  assertEquals(money(-1234.5, 10), " -1,234.50");
  assertEquals(money(1e15, 12).trim(), "+1 P");
  assertEquals(money(-1e15, 25), "-1,000,000,000,000,000.00");
  assertEquals(price(0.00001234, 12), "  0.00001234");
  assertEquals(price(null, 3), "  -");
  assertEquals(clock(360_061e9), "100:01:01");
  for (let power = -9; power < 300; power++) {
    for (const value of [9.9996, 1, 4.2].map((digit) => digit * 10 ** power)) {
      for (
        const text of [count(value, 9), decimal(value, 9), money(-value, 10), price(value, 10)]
      ) {
        assert(text.length <= 10 && !text.includes("#") || power > 17, `${value}: ${text}`);
      }
    }
  }
});

Deno.test("sparkline, chart and bar show the least there is, and no more than there is room for", () => {
  const glyphs = glyphsFor(true);
  assertEquals(sparkline([0, 1, 100], 5, 100, glyphs), "   ▁█");
  assertEquals(chart([0, 50, 100], 2, 100, glyphs), ["  █", " ██"]);
  assertEquals(bar(1e-9, 4, glyphs), "█···");
  assertEquals(bar(2, 4, glyphs), "████");
  assertEquals([0, 0.3, 1, 1.1, 30, 500].map(niceTop), [0, 0.5, 1, 2, 50, 500]);
});

Deno.test("printable leaves nothing that moves a cursor or is wide", () => {
  assertEquals(printable("a\x1b[2J\n漢é́\u{1f4a3}", true), "a?[2J ?é??");
  assertEquals(printable("é…", false), "??");
});

Deno.test("Pace keeps its places in time, and leaves out what it missed", async () => {
  const numbers: number[] = [], times: number[] = [], started = performance.now();
  const pace = new Pace(50, (number) => {
    numbers.push(number);
    times.push(performance.now() - started);
    if (number === 3) { while (performance.now() - started < 290); }
  });
  await new Promise((resolve) => setTimeout(resolve, 480));
  pace.stop();
  assertEquals(numbers.slice(0, 3), [1, 2, 3]);
  assertEquals(numbers.includes(4), false, `${numbers}`);
  numbers.forEach((number, i) => assert(times[i] >= number * 50 - 2, `${numbers} at ${times}`));
});

Deno.test("HeldMessages keeps what is said, and says it afterwards", () => {
  const said: unknown[][] = [], before = console.error;
  console.error = (...words) => said.push(words);
  try {
    const held = new HeldMessages();
    held.hold();
    console.error("one");
    console.error(new Error("two"));
    assertEquals(held.last, "two");
    held.release();
    console.error("three");
    assertEquals(said.map(([word]) => String(word)), ["one", "Error: two", "three"]);
  } finally {
    console.error = before;
  }
});
