/** Attaches an XDP program that is not uspf's, and passes everything, to an interface: by bpf(2), for tests. */

const SYS_BPF = 321n; // x86-64
const PROG_LOAD = 5n, LINK_CREATE = 28n;
const PROG_TYPE_XDP = 6, ATTACH_XDP = 37;
const ATTR_BYTES = 128;

/** It stays until the process ends. */
export function attachForeign(name: string): void {
  const library = Deno.dlopen("libc.so.6", {
    syscall: { parameters: ["i64", "i64", "buffer", "i64"], result: "i64" },
    if_nametoindex: { parameters: ["buffer"], result: "u32" },
  });
  const bpf = (command: bigint, fill: (attr: DataView) => void) => {
    const bytes = new Uint8Array(ATTR_BYTES);
    fill(new DataView(bytes.buffer));
    const result = Number(library.symbols.syscall(SYS_BPF, command, bytes, BigInt(ATTR_BYTES)));
    if (result < 0) throw new Error(`bpf ${command} failed`);
    return result;
  };
  const program = new Uint8Array([0xb7, 0, 0, 0, 2, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0]);
  const license = new TextEncoder().encode("MIT\0");
  const address = (bytes: Uint8Array<ArrayBuffer>) =>
    Deno.UnsafePointer.value(Deno.UnsafePointer.of(bytes));
  const loaded = bpf(PROG_LOAD, (attr) => {
    attr.setUint32(0, PROG_TYPE_XDP, true);
    attr.setUint32(4, program.length / 8, true);
    attr.setBigUint64(8, BigInt(address(program)), true);
    attr.setBigUint64(16, BigInt(address(license)), true);
  });
  const index = library.symbols.if_nametoindex(new TextEncoder().encode(`${name}\0`));
  bpf(LINK_CREATE, (attr) => {
    attr.setUint32(0, loaded, true);
    attr.setUint32(4, index, true);
    attr.setUint32(8, ATTACH_XDP, true);
  });
}
