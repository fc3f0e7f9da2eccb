/** Expressions about ticks: against a look at the payload, in code that shares nothing with the filter's. */
import { assert, assertEquals } from "@std/assert";
import { PacketFilter } from "../filter/packet_filter.ts";
import { withSeeds } from "./engine_seed.ts";
import { tickPacket } from "./packets.ts";
import type { Random } from "./random_tree.ts";

const EXPRESSIONS = 600, PACKETS = 120;
const PRICES = [0, -0, 0.5, 99.5, 100, 100.5, 101, -1, NaN, Infinity, 16777216];
const RELATIONS = ["==", "!=", "<", "<=", ">", ">="] as const;

/** A tick as its packet has it, or what the packet is instead. */
interface Case {
  packet: Uint8Array;
  isTick: boolean;
  isVlan: boolean;
  instrument: number;
  type: number;
  side: number;
  price: number;
  quantity: number;
  port: number;
}

/** An expression and what it says. */
interface Question {
  text: string;
  holds(of: Case): boolean;
}

Deno.test("PacketFilter.compile: and, or, not over ticks, ports and tags say what a look at the payload says", async () => {
  await withSeeds(import.meta.url, (random) => {
    const cases = Array.from({ length: PACKETS }, () => someCase(random));
    let accepted = 0;
    for (let i = 0; i < EXPRESSIONS; i++) {
      const { text, holds } = question(random, 1 + random() % 3);
      const filter = PacketFilter.compile(text, { decode: false });
      for (const one of cases) {
        const wanted = holds(one);
        if (wanted) accepted++;
        assertEquals(filter.matches(one.packet), wanted, `${text} of ${JSON.stringify(one)}`);
      }
    }
    const share = accepted / EXPRESSIONS / PACKETS;
    assert(share > 0.1 && share < 0.9, `${share} of all accepted`);
  });
});

Deno.test("PacketFilter.compile: two questions about the same tick are both asked", () => {
  const packet = tickPacket({ instrument: 42, side: 0, price: 105.5, quantity: 3, port: 5001 });
  const all = ["tick.instrument == 42", "tick.side == bid", "tick.price > 105", "tick.price < 106"];
  for (const first of all) {
    for (const second of all) {
      assert(PacketFilter.compile(`${first} and ${second}`).matches(packet), `${first}, ${second}`);
      assert(!PacketFilter.compile(`${first} and not ${second}`).matches(packet));
    }
  }
});

function pick<T>(random: Random, values: readonly T[]): T {
  return values[random() % values.length];
}

function someCase(random: Random): Case {
  const tick = {
    instrument: random() % 6 === 0 ? 0xfffffff0 : random() % 8,
    type: random() % 4,
    side: random() % 3,
    price: Math.fround(pick(random, PRICES)),
    quantity: Math.fround(pick(random, PRICES)),
    port: 5000 + random() % 3,
  };
  const kind = random() % 8, isVlan = kind === 0;
  const packet = tickPacket({ ...tick, tags: isVlan ? 1 : 0, options: random() % 2 * 8 });
  if (kind === 1) packet[23] = 6; // TCP, or so it says
  if (kind === 2) packet[20] |= 0x20; // more fragments
  return { ...tick, packet, isVlan, isTick: kind > 2 };
}

function question(random: Random, depth: number): Question {
  if (depth === 0 || random() % 5 === 0) return primitive(random);
  if (random() % 4 === 0) {
    const { text, holds } = question(random, depth - 1);
    return { text: `not (${text})`, holds: (of) => !holds(of) };
  }
  const parts = Array.from({ length: 2 + random() % 2 }, () => question(random, depth - 1));
  const all = random() % 2 === 0;
  return {
    text: `(${parts.map(({ text }) => text).join(all ? " and " : " or ")})`,
    holds: (of) => all ? parts.every(({ holds }) => holds(of)) : parts.some((p) => p.holds(of)),
  };
}

function primitive(random: Random): Question {
  switch (random() % 6) {
    case 0:
      return amount(random, pick(random, ["price", "quantity"] as const));
    case 1:
      return set(random);
    case 2: {
      const side = random() % 2;
      return about(`tick.side == ${["bid", "ask"][side]}`, (tick) => tick.side === side);
    }
    case 3: {
      const type = random() % 3, name = ["underlying", "option", "future"][type];
      return about(`tick.type == ${name}`, (tick) => tick.type === type);
    }
    case 4: {
      const port = 5000 + random() % 3;
      // A fragment's first piece has its port, and TCP's is where UDP's is.
      return { text: `dst port ${port}`, holds: (of) => !of.isVlan && of.port === port };
    }
    default: {
      const relation = pick(random, RELATIONS), value = pick(random, [0, 3, 5, 0xfffffff0]);
      return about(
        `tick.instrument ${relation} ${value}`,
        (tick) => compare(relation, tick.instrument, value),
      );
    }
  }
}

/** What is asked of a tick is false of all else. */
function about(text: string, holds: (of: Case) => boolean): Question {
  return { text, holds: (of) => of.isTick && holds(of) };
}

function amount(random: Random, field: "price" | "quantity"): Question {
  const relation = pick(random, RELATIONS), value = pick(random, [0, 0.5, 100, 100.5, 16777217]);
  return about(`tick.${field} ${relation} ${value}`, (tick) => {
    const is = tick[field];
    return Number.isFinite(is) && is >= 0 && compare(relation, is, Math.fround(value));
  });
}

function set(random: Random): Question {
  const values = Array.from({ length: 1 + random() % 7 }, () => random() % 9);
  return about(
    `instrument in {${values.join(", ")}}`,
    (tick) => values.includes(tick.instrument),
  );
}

function compare(relation: typeof RELATIONS[number], a: number, b: number): boolean {
  switch (relation) {
    case "==":
      return a === b;
    case "!=":
      return a !== b;
    case "<":
      return a < b;
    case "<=":
      return a <= b;
    case ">":
      return a > b;
    case ">=":
      return a >= b;
  }
}
