/**
 * Purpose: what a program is made of: its modules, those of its threads, and npm packages.
 *
 * Threads are not imported: they are found where a module names one, `import.meta.resolve("./worker.ts")`.
 */
import { ReleaseError } from "./release_error.ts";
import { runProgram } from "./run_program.ts";

const rootUrl = new URL("..", import.meta.url);

/** The project's folder, with a slash at its end. */
export const ROOT: string = decodeURIComponent(rootUrl.pathname);

/** A package as npm has it, in Deno's cache. */
export interface NpmPackage {
  name: string;
  version: string;
  localPath: string;
  dependencies: readonly string[];
}

/** What programs are made of; files by their paths in the project. */
export interface ModuleGraph {
  /** Modules that threads are started with. */
  threads: string[];
  /** Everything that is loaded, the threads' modules included. */
  loaded: string[];
  /** `loaded`, and what is imported for types alone. */
  files: string[];
  packages: NpmPackage[];
}

interface Info {
  modules: InfoModule[];
  redirects: Record<string, string>;
  npmPackages: Record<string, NpmPackage>;
}

interface InfoModule {
  specifier: string;
  local?: string;
  /** Why it is no module. */
  error?: string;
  npmPackage?: string;
  dependencies?: { code?: { specifier?: string } }[];
}

const THREAD = /import\.meta\.resolve\("(\.\.?\/[^"]+)"\)/g;

/** The modules of programs that begin with these; paths in the project. */
export async function moduleGraph(mains: readonly string[]): Promise<ModuleGraph> {
  const files = new Set<string>(), loaded = new Set<string>(), threads = new Set<string>();
  const packages = new Map<string, NpmPackage>();
  for (let roots = [...mains]; roots.length > 0;) {
    const infos = await Promise.all(roots.map(infoOf)), found = new Set<string>();
    for (const [i, info] of infos.entries()) {
      for (const { local } of info.modules) if (local !== undefined) files.add(inProject(local));
      for (const { local, npmPackage } of reached(info, urlOf(roots[i]).href)) {
        if (npmPackage !== undefined) addPackage(npmPackage, info.npmPackages, packages);
        if (local === undefined) continue;
        loaded.add(inProject(local));
        threadsOf(inProject(local)).forEach((thread) => found.add(thread));
      }
    }
    roots = [...found].filter((thread) => !threads.has(thread));
    roots.forEach((thread) => threads.add(thread));
  }
  return {
    threads: [...threads].sort(),
    loaded: [...loaded].sort(),
    files: [...files].sort(),
    packages: [...packages.values()],
  };
}

const known = new Map<string, Info>();

async function infoOf(module: string): Promise<Info> {
  const info = known.get(module);
  if (info !== undefined) return info;
  const command = [Deno.execPath(), "info", "--json", module];
  const purpose = `list the modules of "${module}"`;
  const fresh: Info = JSON.parse(await runProgram(purpose, command, { cwd: ROOT }));
  const faulty = fresh.modules.find(({ error }) => error !== undefined);
  if (faulty !== undefined) throw new ReleaseError(`Cannot ${purpose}: ${faulty.error}`);
  known.set(module, fresh);
  return fresh;
}

/** The modules that are loaded at run time: imports of types are not followed. */
function reached({ modules, redirects }: Info, root: string): InfoModule[] {
  const bySpecifier = new Map(modules.map((module) => [module.specifier, module]));
  const find = (specifier: string) => bySpecifier.get(redirects[specifier] ?? specifier);
  const specifiers = new Set([root]);
  for (const specifier of specifiers) { // grows meanwhile
    for (const { code } of find(specifier)?.dependencies ?? []) {
      if (code?.specifier !== undefined) specifiers.add(code.specifier);
    }
  }
  return [...specifiers].map(find).filter((module) => module !== undefined);
}

function addPackage(
  id: string,
  all: Record<string, NpmPackage>,
  packages: Map<string, NpmPackage>,
): void {
  if (packages.has(id)) return;
  packages.set(id, all[id]);
  for (const dependency of all[id].dependencies) addPackage(dependency, all, packages);
}

function threadsOf(file: string): string[] {
  if (!file.endsWith(".ts")) return [];
  const text = Deno.readTextFileSync(ROOT + file);
  return [...text.matchAll(THREAD)].map(([, path]) =>
    inProject(decodeURIComponent(new URL(path, urlOf(file)).pathname))
  );
}

function urlOf(file: string): URL {
  return new URL(encodeURI(file), rootUrl);
}

function inProject(path: string): string {
  return path.slice(ROOT.length);
}
