/**
 * Purpose: the compilers that the native library must build with, as far as they are here.
 */

/** A way of compiling C. */
export interface Compiler {
  name: string;
  /** The compiler, and arguments for it behind blanks, as in $CC. */
  command: string;
  /** What it compiles for. */
  target: string;
  /** Why it cannot be tried here. */
  missing?: string;
}

/** Kernel headers, which those of musl come without: links to this system's, as Alpine's linux-headers has them. */
const headers = Deno.makeTempDirSync({ prefix: "uspf-headers-" });
globalThis.addEventListener("unload", () => Deno.removeSync(headers, { recursive: true }));
for (const name of ["linux", "asm", "asm-generic"]) {
  const from = [`/usr/include/${name}`, `/usr/include/${Deno.build.arch}-linux-gnu/${name}`].find(
    exists,
  );
  if (from !== undefined) Deno.symlinkSync(from, `${headers}/${name}`);
}

const { arch } = Deno.build, MUSL = `${arch}-linux-musl`;
const CLANG_MUSL = [
  `clang --target=${MUSL} -nostdlibinc -isystem /usr/include/${MUSL} -isystem ${headers}`,
  `-nostdlib -L/usr/lib/${MUSL} -lc`,
].join(" ");

/** gcc against musl. */
export const MUSL_GCC = compiler("musl-gcc", `musl-gcc -isystem ${headers}`, MUSL);
/** gcc for arm64. */
export const ARM64_GCC = compiler(
  "aarch64-linux-gnu-gcc",
  "aarch64-linux-gnu-gcc",
  "aarch64-linux-gnu",
);
/** All that the library must build with. */
export const COMPILERS: Compiler[] = [
  compiler("gcc", "gcc", `${arch}-linux-gnu`),
  compiler("clang", "clang", `${arch}-linux-gnu`),
  MUSL_GCC,
  compiler("clang, with musl,", CLANG_MUSL, MUSL),
  ARM64_GCC,
];

/** Compilers are tried: a name alone does not say that headers and libraries are there. */
function compiler(name: string, command: string, target: string): Compiler {
  return { name, command, target, missing: whyNot(command) };
}

function whyNot(command: string): string | undefined {
  const [program, ...args] = command.split(" "), source = `${headers}/try.c`;
  Deno.writeTextFileSync(
    source,
    '#include <stdio.h>\n#include <linux/types.h>\nint x(void) { return puts(""); }\n',
  );
  args.push("-fPIC", "-shared", "-o", `${headers}/try.so`, source);
  try {
    const { success } = new Deno.Command(program, { args, stderr: "null" }).outputSync();
    return success ? undefined : `${program} lacks headers or libraries for it`;
  } catch {
    return `no ${program} here`;
  }
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}
