/**
 * Purpose: `deno task bundle`: an archive with everything that the programs need but Linux, glibc and a shell.
 *
 * ```text
 *  uspf-0.1.0/bin/uspf-capture …            what is started
 *             runtime/deno                  Deno, the version that the README pins
 *             program/                      a stage: modules, library, packages
 *             LICENSE README.md
 * ```
 * It is unpacked anywhere, and writes nothing where it lies.
 */
import { CommandLine } from "../ffi/command_line.ts";
import { numberOption, print, runCommand } from "../ffi/usage.ts";
import { describeVersion, VERSION } from "../ffi/version.ts";
import { pack } from "./archive.ts";
import { commitTime } from "./commit_time.ts";
import { newest, readElf } from "./elf.ts";
import { launcher } from "./launcher.ts";
import { announceFile } from "./made_file.ts";
import { moduleGraph, ROOT } from "./module_graph.ts";
import { programNames, PROGRAMS } from "./programs.ts";
import { putInPlace } from "./release_file.ts";
import { placeRuntime } from "./runtime.ts";
import { LIBRARY, stage } from "./stage.ts";
import { HERE, type Target, targetOf } from "./target.ts";
import { inWorkFolder } from "./work_folder.ts";

const HELP =
  `Makes an archive that runs on any Linux with glibc: runtime, native library, and the programs
${programNames()}.

Usage: deno task bundle [options]

  --target NAME    x86_64 or aarch64                          (this machine)
  --runtime FILE   Deno's runtime for the target, instead of the running one, or that
                   of npm for the other machine
  --output DIR     where it goes                              (dist)
  --level N        of compression: 1 is quick, 9 is small     (6)
  --help, --version`;

async function main(): Promise<number> {
  const { values, switches } = new CommandLine(Deno.args, {
    values: ["target", "runtime", "output", "level"],
    switches: ["help", "version"],
    defaults: { target: HERE.name, output: "dist", level: "6" },
  });
  if (switches.help || switches.version) {
    print(switches.help ? HELP : describeVersion());
    return 0;
  }
  const target = targetOf(values.target), { output, runtime } = values;
  const level = numberOption("--level", values.level, { low: 1, high: 9 });
  const name = `uspf-${VERSION}`, file = `${name}-linux-${target.name}.tar.gz`;
  await inWorkFolder(output, async (parent) => {
    const glibc = await layOut(target, `${parent}/${name}`, runtime);
    const packing = { parent, name, level, seconds: await commitTime() };
    await pack(`${parent}/${file}`, packing);
    putInPlace(`${parent}/${file}`, `${output}/${file}`);
    await announceFile(`${output}/${file}`, `for ${target.name} with glibc ${glibc} or newer`);
  });
  return 0;
}

/** Fills the folder that is packed; returns which glibc it needs. */
async function layOut(target: Target, directory: string, runtime?: string): Promise<string> {
  const program = `${directory}/program`;
  for (const path of [program, `${directory}/bin`, `${directory}/runtime`]) {
    Deno.mkdirSync(path, { recursive: true });
  }
  await placeRuntime(target, `${directory}/runtime/deno`, runtime);
  await stage(await moduleGraph(PROGRAMS.map(({ main }) => main)), target, program);
  for (const file of ["LICENSE", "README.md"]) {
    Deno.copyFileSync(ROOT + file, `${directory}/${file}`);
  }
  for (const one of PROGRAMS) {
    const path = `${directory}/bin/${one.name}`;
    Deno.writeTextFileSync(path, launcher(one, VERSION), { mode: 0o755 });
    Deno.chmodSync(path, 0o755);
  }
  const native = [`${program}/${LIBRARY}`, `${directory}/runtime/deno`];
  return newest(native.map((path) => readElf(path)?.glibc ?? "2.0"))!;
}

await runCommand(main);
