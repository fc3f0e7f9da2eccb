/** The tests' way to have the kernel run programs (bpf_test_run.c), with programs whose outcome is plain. */
import { assertEquals, assertMatch } from "@std/assert";
import { kernelClassicVerdicts, kernelVerdicts, noKernelBpf } from "./kernel_bpf.ts";

const why = noKernelBpf === undefined ? "" : ` (${noKernelBpf})`;

/** `struct sock_filter`: code, ways on, value. */
function classic(...instructions: [code: number, yes: number, no: number, value: number][]) {
  const bytes = new Uint8Array(instructions.length * 8), view = new DataView(bytes.buffer);
  instructions.forEach(([code, yes, no, value], i) => {
    view.setUint16(i * 8, code, true);
    view.setUint8(i * 8 + 2, yes);
    view.setUint8(i * 8 + 3, no);
    view.setUint32(i * 8 + 4, value, true);
  });
  return bytes;
}

const RETURN = 0x06, LOAD_BYTE = 0x30, LOAD_LENGTH = 0x80, JUMP_EQUAL = 0x15, JUMP_GREATER = 0x25;
const ALL = 0xffff;

Deno.test({
  name: `kernelClassicVerdicts runs classic BPF over whole packets${why}`,
  ignore: noKernelBpf !== undefined,
  fn: async () => {
    const end = [[RETURN, 0, 0, ALL], [RETURN, 0, 0, 0]] as [number, number, number, number][];
    const outcomes = await kernelClassicVerdicts([
      classic([LOAD_BYTE, 0, 0, 0], [JUMP_EQUAL, 0, 1, 7], ...end),
      classic([LOAD_BYTE, 0, 0, 2000], [JUMP_EQUAL, 0, 1, 7], ...end),
      classic([LOAD_LENGTH, 0, 0, 0], [JUMP_GREATER, 0, 1, 1], ...end),
      classic([JUMP_EQUAL, 9, 9, 7], ...end),
      classic([RETURN, 0, 0, 1]),
    ], [
      new Uint8Array([7]),
      new Uint8Array(2001).fill(7),
      new Uint8Array(0),
      new Uint8Array([8, 7]),
    ]);
    assertEquals(outcomes.map(({ accepted }) => accepted), [
      [true, true, false, false],
      [false, true, false, false],
      [false, true, false, true],
      [],
      [true, true, true, true],
    ]);
    assertEquals(outcomes.map(({ refused }) => refused), [0, 0, 0, -22, 0]);
  },
});

Deno.test({
  name: `kernelVerdicts says what the verifier refuses, and why${why}`,
  ignore: noKernelBpf !== undefined,
  fn: async () => {
    const reject = [0xb7, 0, 0, 0, 0, 0, 0, 0], accept = [0xb7, 0, 0, 0, 1, 0, 0, 0];
    const data = [0x61, 0x67, 0, 0, 0, 0, 0, 0], unchecked = [0x71, 0x70, 0, 0, 0, 0, 0, 0];
    const pieces = [reject, [...data, ...unchecked], accept].map((bytes) => new Uint8Array(bytes));
    const lengths = [13, 14, 3520, 3521], packets = lengths.map((length) => new Uint8Array(length));
    const outcomes = await kernelVerdicts(pieces, packets);
    assertEquals(outcomes.map(({ refused }) => refused), [0, -13, 0]);
    assertMatch(outcomes[1].log, /invalid access to packet/);
    assertEquals(outcomes[0].accepted, [undefined, false, false, undefined]);
    assertEquals(outcomes[2].accepted, [undefined, true, true, undefined]);
  },
});
