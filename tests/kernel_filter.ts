/**
 * A program of classic BPF in the kernel: attached to one end of a pair of local sockets, which takes any
 * bytes as packets. Needs no permission.
 */

/* sys/socket.h, asm-generic/socket.h, errno.h */
const AF_UNIX = 1, SOCK_DGRAM = 2, SOL_SOCKET = 1, SO_ATTACH_FILTER = 26, MSG_DONTWAIT = 0x40;

/** A socket's filter in the kernel. */
export class KernelFilter {
  readonly #libc = openLibc();
  readonly #from: number;
  readonly #to: number;
  readonly #buffer = new Uint8Array(65536);

  /** An end without a filter. */
  constructor() {
    const pair = new Int32Array(2);
    if (this.#libc.symbols.socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) < 0) {
      throw new Error("socketpair");
    }
    [this.#from, this.#to] = pair;
  }

  /** Replaces the filter; `false` where the kernel refuses it. */
  attach(program: Uint8Array<ArrayBuffer>): boolean {
    const fprog = new BigUint64Array(2); // struct sock_fprog
    fprog[0] = BigInt(program.length / 8);
    fprog[1] = BigInt(Deno.UnsafePointer.value(Deno.UnsafePointer.of(program)));
    const { setsockopt } = this.#libc.symbols;
    return setsockopt(this.#to, SOL_SOCKET, SO_ATTACH_FILTER, fprog, fprog.byteLength) === 0;
  }

  /** Whether the filter lets a packet through. */
  accepts(packet: Uint8Array): boolean {
    const { send, recv } = this.#libc.symbols;
    const sent = Number(send(this.#from, Uint8Array.from(packet), BigInt(packet.length), 0));
    if (sent !== packet.length) throw new Error(`sent ${sent} of ${packet.length} bytes`);
    return recv(this.#to, this.#buffer, BigInt(this.#buffer.length), MSG_DONTWAIT) >= 0n;
  }

  [Symbol.dispose](): void {
    for (const fd of [this.#from, this.#to]) this.#libc.symbols.close(fd);
    this.#libc.close();
  }
}

function openLibc() {
  return Deno.dlopen("libc.so.6", {
    socketpair: { parameters: ["i32", "i32", "i32", "buffer"], result: "i32" },
    setsockopt: { parameters: ["i32", "i32", "i32", "buffer", "u32"], result: "i32" },
    send: { parameters: ["i32", "buffer", "usize", "i32"], result: "isize" },
    recv: { parameters: ["i32", "buffer", "usize", "i32"], result: "isize" },
    close: { parameters: ["i32"], result: "i32" },
  });
}
