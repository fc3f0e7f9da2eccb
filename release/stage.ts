/**
 * Purpose: lays out what a release has of the project, and nothing more:
 *
 * ```text
 *  capture/ engine/ ffi/ …   the modules of the programs, where they are in the project
 *  ffi/build/libuspf.so      the native library for the target, and libuspf.so.json, its record
 *  node_modules/             the npm packages that are needed; package.json names them
 *  deno.json                 the project's, without what is for developers
 * ```
 * With node_modules nothing is resolved by way of a registry, a lock file or a cache.
 */
import config from "../deno.json" with { type: "json" };
import { type ModuleGraph, type NpmPackage, ROOT } from "./module_graph.ts";
import { placeLibrary } from "./native_library.ts";
import { PROGRAMS } from "./programs.ts";
import { ReleaseError } from "./release_error.ts";
import type { Target } from "./target.ts";

/** Where the library is in a stage, and in the project. */
export const LIBRARY = "ffi/build/libuspf.so";

/** A permission set of deno.json. */
export type PermissionSet = Record<string, boolean | string[]>;

/** Lays a release out in an empty folder. */
export async function stage(graph: ModuleGraph, target: Target, directory: string): Promise<void> {
  for (const file of graph.files.filter((name) => name !== "deno.json")) {
    copyFile(ROOT + file, `${directory}/${file}`);
  }
  placePackages(graph.packages, `${directory}/node_modules`);
  writeJson(`${directory}/package.json`, {
    dependencies: Object.fromEntries(graph.packages.map(({ name, version }) => [name, version])),
  });
  writeJson(`${directory}/deno.json`, releasedConfig(graph.packages));
  await placeLibrary(target, `${directory}/ffi/build`);
}

/** The permission set of a program. */
export function permissionsOf(name: string): PermissionSet {
  return (config.permissions as Record<string, PermissionSet>)[name];
}

/** Every file below a folder, by its path there, sorted. */
export function filesBelow(directory: string, prefix = ""): string[] {
  return [...Deno.readDirSync(directory)].flatMap(({ name, isDirectory }) =>
    isDirectory ? filesBelow(`${directory}/${name}`, `${prefix}${name}/`) : [prefix + name]
  ).sort();
}

/** Copies a file; folders are made as needed. */
export function copyFile(from: string, to: string): void {
  Deno.mkdirSync(to.slice(0, to.lastIndexOf("/")), { recursive: true });
  Deno.copyFileSync(from, to);
}

function placePackages(packages: readonly NpmPackage[], directory: string): void {
  const versions = new Map<string, string>();
  for (const { name, version, localPath } of packages) {
    const other = versions.get(name);
    if (other !== undefined) {
      throw new ReleaseError(
        `Cannot release "${name}" ${other} and ${version}: a program has one version of a package: ` +
          "take the same in all imports of deno.json",
      );
    }
    versions.set(name, version);
    for (const file of filesBelow(localPath)) {
      copyFile(`${localPath}/${file}`, `${directory}/${name}/${file}`);
    }
  }
}

function releasedConfig(packages: readonly NpmPackage[]): Record<string, unknown> {
  const { name, version, license, unstable, imports, compilerOptions } = config;
  const ids = packages.map(({ name, version }) => `${name}@${version}`);
  const needed = (target: string) => target.startsWith("./") || ids.includes(packageIn(target)!);
  return {
    name,
    version,
    license,
    unstable,
    imports: Object.fromEntries(Object.entries(imports).filter(([, target]) => needed(target))),
    compilerOptions,
    nodeModulesDir: "manual",
    lock: false,
    permissions: Object.fromEntries(
      PROGRAMS.map(({ permissions }) => {
        const { net: _, ...others } = permissionsOf(permissions); // asked for by address
        return [permissions, others];
      }),
    ),
  };
}

/** "npm:/@scope/name@1.2.3/file.js": "@scope/name@1.2.3". */
function packageIn(target: string): string | undefined {
  return /^npm:\/?((?:@[^/]+\/)?[^/]+)/.exec(target)?.[1];
}

function writeJson(path: string, value: unknown): void {
  Deno.writeTextFileSync(path, `${JSON.stringify(value, null, 2)}\n`);
}
