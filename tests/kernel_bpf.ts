/**
 * Runs programs in the kernel over packets, by way of bpf_test_run.c: what the kernel's verifier takes, and
 * what comes of it.
 */

const KIND = { xdp: 0, classic: 1 };
const PIECES = 1, OLD = 2; // FLAG_PIECES, FLAG_OLD
/** What BPF_PROG_TEST_RUN takes as an XDP program's packet: ETH_HLEN; a page without headroom and tailroom. */
const SHORTEST = 14, LONGEST = 4096 - 256 - 320, LONGEST_IN_PIECES = 32_768;

/** What the kernel made of a program. */
export interface KernelOutcome {
  /** Why it refused it: minus the errno; 0: it did not. */
  refused: number;
  /** Where any was refused: what the verifier said last of each of them. */
  log: string;
  /** XDP: how many instructions the verifier looked at, the same one often more than once. */
  instructions: number;
  /** Of each packet; `undefined` where the kernel cannot be asked about one of its length. */
  accepted: (boolean | undefined)[];
}

/** How to run XDP programs. */
export interface KernelOptions {
  /** Packets may have several pieces; those of more than a page have. */
  pieces?: boolean;
  /** Changed as xdp_hook.c changes them for kernels before 5.18. */
  old?: boolean;
  /** Capabilities to do without, as setpriv(1) names them. */
  without?: string[];
}

const folder = Deno.makeTempDirSync({ prefix: "uspf-test-" });
const runner = `${folder}/bpf_test_run`;
addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));

/** Why no program can be run in this kernel; `undefined`: it can. */
export const noKernelBpf: string | undefined = compile() ?? await attempt();

/** Runs pieces as of `toEbpf`, each as an XDP program of its own. */
export function kernelVerdicts(
  pieces: Uint8Array[],
  packets: Uint8Array[],
  options: KernelOptions = {},
): Promise<KernelOutcome[]> {
  return kernelRuns(pieces.map(programOf), packets, options);
}

/** Runs XDP programs; those are accepted that the program passes on (XDP_PASS). */
export function kernelRuns(
  programs: Uint8Array[],
  packets: Uint8Array[],
  { pieces = false, old = false, without = [] }: KernelOptions = {},
): Promise<KernelOutcome[]> {
  const longest = pieces ? LONGEST_IN_PIECES : LONGEST;
  const possible = packets.map(({ length }) => length >= SHORTEST && length <= longest);
  return run(
    [KIND.xdp, (pieces ? PIECES : 0) | (old ? OLD : 0)],
    programs,
    packets,
    possible,
    without,
  );
}

/** Runs classic BPF, `struct sock_filter`, as the filter of a socket that is sent each packet. */
export function kernelClassicVerdicts(
  programs: Uint8Array[],
  packets: Uint8Array[],
): Promise<KernelOutcome[]> {
  return run([KIND.classic, 0], programs, packets, packets.map(() => true), []);
}

/** r6 = r1, the piece, and XDP_DROP (1) or XDP_PASS (2) for its 0 or 1. */
function programOf(piece: Uint8Array): Uint8Array {
  const before = [0xbf, 0x16, 0, 0, 0, 0, 0, 0], after = [0x07, 0, 0, 0, 1, 0, 0, 0];
  return new Uint8Array([...before, ...piece, ...after, 0x95, 0, 0, 0, 0, 0, 0, 0]);
}

async function run(
  [kind, flags]: number[],
  programs: Uint8Array[],
  packets: Uint8Array[],
  possible: boolean[],
  without: string[],
): Promise<KernelOutcome[]> {
  const asked = packets.filter((_, i) => possible[i]);
  const header = new Uint32Array([kind, flags, programs.length, asked.length]);
  const input = [new Uint8Array(header.buffer), ...[...programs, ...asked].flatMap(withLength)];
  const { output, log } = await talk(input, without), view = new DataView(output.buffer);
  let at = 0;
  return programs.map(() => {
    const result = view.getInt32(at, true), bits = output.subarray(at += 4);
    if (result < 0) return { refused: result, log, instructions: 0, accepted: [] };
    at += Math.ceil(asked.length / 8);
    let next = 0;
    const accepted = possible.map((is) => is ? bitOf(bits, next++) : undefined);
    return { refused: 0, log, instructions: result, accepted };
  });
}

function bitOf(bits: Uint8Array, index: number): boolean {
  return (bits[index >> 3] >> (index & 7) & 1) === 1;
}

function withLength(bytes: Uint8Array): Uint8Array[] {
  return [new Uint8Array(new Uint32Array([bytes.length]).buffer), bytes];
}

async function talk(
  input: Uint8Array[],
  without: string[],
): Promise<{ output: Uint8Array<ArrayBuffer>; log: string }> {
  const drop = `--bounding-set=${without.map((capability) => `-${capability}`).join(",")}`;
  const [program, ...args] = without.length > 0 ? ["setpriv", drop, runner] : [runner];
  const child = new Deno.Command(program, {
    args,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const whole = new Blob(input as Uint8Array<ArrayBuffer>[]).stream().pipeTo(child.stdin);
  const [{ success, stdout, stderr }] = await Promise.all([child.output(), whole.catch(() => {})]);
  const log = new TextDecoder().decode(stderr);
  if (!success) throw new Error(`bpf_test_run: ${log}`);
  return { output: stdout, log };
}

function compile(): string | undefined {
  const source = new URL("bpf_test_run.c", import.meta.url).pathname;
  const hook = new URL("../ffi/xdp_hook.c", import.meta.url).pathname;
  const args = ["-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", "-o", runner, source, hook];
  try {
    const { success, stderr } = new Deno.Command(Deno.env.get("CC") ?? "cc", { args }).outputSync();
    if (!success) throw new Error(new TextDecoder().decode(stderr));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "no C compiler here";
    throw error;
  }
}

/** A program that accepts everything is run on a packet, to see. */
async function attempt(): Promise<string | undefined> {
  const piece = new Uint8Array([0xb7, 0, 0, 0, 1, 0, 0, 0]);
  try {
    const [{ refused, accepted }] = await kernelVerdicts([piece], [new Uint8Array(60)]);
    return refused === 0 && accepted[0] ? undefined : `no XDP programs here, errno ${-refused}`;
  } catch (error) {
    return `no test runs of programs here, ${(error as Error).message.trim()}`;
  }
}
