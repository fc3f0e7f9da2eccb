/**
 * Purpose: `deno task bench:report`: writes the README's figures from the JSON in bench/results, and nothing
 * else. With `--measure` it makes that JSON first, by running every bench on this machine (half an hour; root);
 * with `--check` it only says whether README and JSON agree.
 */
import { CommandLine } from "../../ffi/command_line.ts";
import { runCommand } from "../../ffi/usage.ts";
import { figures } from "./figures.ts";

const HELP = `deno task bench:report [--measure | --check]

Writes the README's figures from the JSON in bench/results.

  --measure   runs the benches first, on this machine, which should have nothing else to do
  --check     writes nothing; exit code 1 where the README differs
  --help`;

const root = new URL("../..", import.meta.url).pathname;
const README = `${root}README.md`, RESULTS = `${root}bench/results`;
const BEGIN = "<!-- figures: deno task bench:report -->", END = "<!-- end of figures -->";

/** What is measured; each writes bench/results/NAME.json. */
const RUNS: Record<string, string[]> = {
  bench: ["bench"],
  rx: ["bench:rx", "--svg", "bench/results/rx.svg"],
  rx_paced: ["bench:rx", "--kinds", "udp,packet,xdp", "--pace", "200", "--write"],
  limit: ["bench:rx", "--find-limit"],
  latency: ["bench:latency"],
  soak: ["soak", "--minutes", "10"],
};

async function main(): Promise<number> {
  const { switches } = new CommandLine(Deno.args, {
    values: [],
    switches: ["measure", "check", "help"],
    defaults: {},
  });
  if (switches.help) {
    console.log(HELP);
    return 0;
  }
  const failed = switches.measure ? await measure() : 0;
  const before = Deno.readTextFileSync(README), after = await format(insert(before));
  if (switches.check) {
    if (before === after) return 0;
    console.error(
      `Cannot confirm README.md: its figures are not those of bench/results: run bench:report`,
    );
    return 1;
  }
  Deno.writeTextFileSync(README, after);
  return failed > 0 ? 1 : 0;
}

/** Runs all; a bench that misses a target has results nevertheless. */
async function measure(): Promise<number> {
  let failed = 0;
  Deno.mkdirSync(RESULTS, { recursive: true });
  for (const [name, [task, ...args]] of Object.entries(RUNS)) {
    console.log(`\n=== deno task ${task} ${args.join(" ")}`);
    const { code } = await new Deno.Command(Deno.execPath(), {
      args: ["task", "-q", task, ...args, "--json", `bench/results/${name}.json`],
      cwd: root,
      stdin: "null",
    }).spawn().status;
    if (code !== 0) failed++;
  }
  return failed;
}

function insert(text: string): string {
  const begin = text.indexOf(BEGIN), end = text.indexOf(END);
  if (begin < 0 || end < begin) {
    throw new Error(`Cannot write "README.md": no "${BEGIN}" and "${END}" in it: put them in`);
  }
  const read = (name: string) => JSON.parse(Deno.readTextFileSync(`${RESULTS}/${name}.json`));
  return `${text.slice(0, begin + BEGIN.length)}\n\n${figures(read)}\n\n${text.slice(end)}`;
}

/** As deno fmt wants it: the README is checked with the code. */
async function format(text: string): Promise<string> {
  const process = new Deno.Command(Deno.execPath(), {
    args: ["fmt", "-q", "--ext", "md", "-"],
    cwd: root,
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const writer = process.stdin.getWriter();
  await writer.write(new TextEncoder().encode(text));
  await writer.close();
  return new TextDecoder().decode((await process.output()).stdout);
}

await runCommand(main);
