/**
 * Purpose: the machines that releases are made for.
 */
import { choiceOption } from "../ffi/usage.ts";

/** A kind of machine: Linux with glibc on this processor. */
export interface Target {
  /** As `uname -m` says. */
  name: string;
  /** As Deno calls it. */
  triple: string;
  /** Compilers that make code for it on another kind of machine. */
  crossCompiler: string;
  /** The npm package with Deno's runtime. */
  runtimePackage: string;
  /** `e_machine` of its programs; elf(5). */
  elfMachine: number;
}

/** All of them. */
export const TARGETS: readonly Target[] = [
  {
    name: "x86_64",
    triple: "x86_64-unknown-linux-gnu",
    crossCompiler: "x86_64-linux-gnu-gcc",
    runtimePackage: "@deno/linux-x64-glibc",
    elfMachine: 62,
  },
  {
    name: "aarch64",
    triple: "aarch64-unknown-linux-gnu",
    crossCompiler: "aarch64-linux-gnu-gcc",
    runtimePackage: "@deno/linux-arm64-glibc",
    elfMachine: 183,
  },
];

/** This machine. */
export const HERE: Target = TARGETS.find(({ name }) => name === Deno.build.arch)!;

/**
 * The target of that name.
 *
 * @throws {UsageError} where there is none.
 */
export function targetOf(text: string): Target {
  const name = choiceOption("--target", text, TARGETS.map(({ name }) => name));
  return TARGETS.find((target) => target.name === name)!;
}
