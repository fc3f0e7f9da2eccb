/**
 * Purpose: takes the arguments of a command apart: each option once, each with its value, and none that
 * the port at hand has no use for.
 */
import { parseArgs } from "@std/cli";
import type { PortName } from "./port_name.ts";
import { UsageError } from "./usage.ts";

/** The options that a command knows. */
export interface KnownOptions {
  /** Those that take a value. */
  values: readonly string[];
  /** Of these, those whose value may be empty. */
  empty?: readonly string[];
  /** Those that are there or not. */
  switches: readonly string[];
  /** Values of those that are not given. */
  defaults: Readonly<Record<string, string>>;
  /** Other names of some. */
  aliases?: Readonly<Record<string, string>>;
  /** Whether words that are no options are taken; by default they are refused. */
  words?: boolean;
}

/** What an option asks of its port: the name's beginning, before the colon. */
export type PortNeeds = Readonly<Record<string, readonly string[]>>;

/** Options as they were given, or by default. */
export class CommandLine {
  /** Values by the option's name; `undefined` where there is no default. */
  readonly values: Readonly<Record<string, string>>;
  /** Switches by name. */
  readonly switches: Readonly<Record<string, boolean>>;
  /** Words that are no options. */
  readonly words: readonly string[];

  /**
   * Parses them. After `--help` and `--version` nothing else is looked at.
   *
   * @throws {UsageError} for an option that is unknown, given twice, or lacks its value, and for any other word.
   */
  constructor(args: readonly string[], readonly known: KnownOptions) {
    const first = ["help", "version"].find((name) => args.includes(`--${name}`));
    const parsed = parse(first === undefined ? joinValues(args, known) : [`--${first}`], known);
    const given = known.values.filter((name) => parsed[name].length > 0);
    for (const name of given) checkValue(name, parsed[name], known);
    for (const name of known.switches) checkSwitch(name, parsed[name]);
    const values = given.map((name) => [name, parsed[name][0]]);
    this.values = { ...known.defaults, ...Object.fromEntries(values) };
    this.words = parsed._.map(String);
    this.switches = Object.fromEntries(
      known.switches.map((name) => [name, parsed[name].length > 0]),
    );
  }

  /** The first of these options that is not at its default. */
  changed(names: readonly string[]): string | undefined {
    return names.find((name) =>
      this.switches[name] || this.values[name] !== this.known.defaults[name]
    );
  }

  /**
   * Refuses options that ports of this kind have no use for; `port` is what people call it.
   *
   * @throws {UsageError} for the first.
   */
  checkPort(kind: PortName["kind"], port: string, needs: PortNeeds): void {
    const own = kind === "switch" || kind === "pipe" ? "soft" : kind;
    const useless = this.changed(Object.keys(needs).filter((name) => !needs[name].includes(own)));
    if (useless === undefined) return;
    throw new UsageError(
      `Cannot use --${useless}: ${port} is no ${needs[useless].join(" or ")} port: leave it out`,
    );
  }
}

/** The option as one types it. */
export function typed(name: string): string {
  return name.length > 1 ? `--${name}` : `-${name}`;
}

type Parsed = Record<string, (string | boolean)[]>;

function parse(args: string[], { values, switches, words }: KnownOptions): Parsed {
  const unknown: string[] = [];
  const parsed = parseArgs(args, {
    string: values,
    boolean: switches,
    collect: [...values, ...switches],
    unknown: (arg: string) => words && !arg.startsWith("-") || (unknown.push(arg), false),
  }) as unknown as Parsed;
  // What follows "--" is unknown to nobody.
  const [first] = [...unknown, ...(words ? [] : parsed._)];
  if (first === undefined) return parsed;
  throw new UsageError(`Cannot use "${first}": no such option: see --help`);
}

/** "--speed -1" as "--speed=-1": what begins with a dash would be taken for an option of its own. */
function joinValues(args: readonly string[], known: KnownOptions): string[] {
  const joined: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const arg = ownName(args[i], known), name = known.values.find((name) => arg === typed(name));
    if (name === undefined) {
      joined.push(arg);
      continue;
    }
    const value = args[++i];
    if (value === undefined || isOption(value, known)) throw needsValue(name);
    joined.push(`--${name}=${value}`);
  }
  return joined;
}

/** "--filter" as "-f", "--filter=udp" as "--f=udp". */
function ownName(arg: string, { aliases = {} }: KnownOptions): string {
  const [, word, rest] = /^--([a-z-]+)(=.*)?$/s.exec(arg) ?? [];
  const name = Object.hasOwn(aliases, word ?? "") ? aliases[word] : undefined;
  if (name === undefined) return arg;
  return rest === undefined ? typed(name) : `--${name}${rest}`;
}

function isOption(text: string, known: KnownOptions): boolean {
  const { values, switches } = known, [word] = ownName(text, known).split("=", 1);
  return [...values, ...switches].some((name) => word === typed(name) || word === `--${name}`);
}

function checkValue(name: string, given: unknown[], { empty = [] }: KnownOptions): void {
  if (given.length > 1) {
    throw new UsageError(`Cannot use ${typed(name)} twice: it has one value: give it once`);
  }
  if (given[0] === "" && !empty.includes(name)) throw needsValue(name);
}

/** One that is given twice is meant no more than once. */
function checkSwitch(name: string, given: unknown[]): void {
  const odd = given.find((value) => value !== true);
  if (odd === undefined) return;
  throw new UsageError(`Cannot use --${name} "${odd}": it takes no value: give it alone`);
}

function needsValue(name: string): UsageError {
  return new UsageError(`Cannot use ${typed(name)}: it needs a value: see --help`);
}
