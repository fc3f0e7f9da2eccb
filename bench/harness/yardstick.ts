/**
 * Purpose: builds a C yardstick as a shared library in a temporary directory and loads it.
 */
const FLAGS = ["-std=gnu11", "-O3", "-march=native", "-Wall", "-Wextra", "-fPIC", "-shared"];

/** Compiles `bench/yardstick/<name>.c`, with libraries such as "-lpcap", and loads `symbols` from it. */
export function loadYardstick<S extends Deno.ForeignLibraryInterface>(
  name: string,
  symbols: S,
  libraries: string[] = [],
): Deno.DynamicLibrary<S>["symbols"] {
  const source = new URL(`../yardstick/${name}.c`, import.meta.url).pathname;
  const directory = Deno.makeTempDirSync({ prefix: "uspf-bench-" });
  const output = `${directory}/${name}.so`;
  const args = [...FLAGS, "-o", output, source, ...libraries];
  const { success, stderr } = new Deno.Command("cc", { args }).outputSync();
  if (!success) {
    throw new Error(`Cannot build the yardstick: cc failed:\n${new TextDecoder().decode(stderr)}`);
  }
  const library = Deno.dlopen(output, symbols);
  Deno.removeSync(directory, { recursive: true });
  return library.symbols;
}

/** Whether the C compiler finds a header, such as "pcap/pcap.h". */
export function hasHeader(header: string): boolean {
  const args = ["-fsyntax-only", "-x", "c", "-include", header, "/dev/null"];
  return new Deno.Command("cc", { args, stdout: "null", stderr: "null" }).outputSync().success;
}
