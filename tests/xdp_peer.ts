/**
 * A process in a test network that opens ports and moves packets as a test tells it to: one JSON object a
 * line in, one out. It ends with its standard input, or by itself after a minute.
 */
import { openPort } from "../ffi/open_port.ts";
import { MORE_FRAGMENTS } from "../ffi/layout.ts";
import type { Port, PortOptions } from "../ffi/port.ts";
import { PortError } from "../ffi/port_error.ts";
import { attachForeign } from "./foreign_xdp.ts";
import { put, receive } from "./port_traffic.ts";
import type { Testbed } from "./testbed.ts";

const LIFE_MS = 60_000;
const QUIET_MS = 100;

/** What a test may ask; `port` is a name of the test's choice. */
export type Request =
  | {
    do: "open";
    port: string;
    name: string;
    directions: number;
    options?: Omit<PortOptions, "driverFilter">;
    /** JSON has no bytes. */
    driverFilter?: number[];
  }
  | { do: "close"; port: string }
  /** Sends packets, of which each is a list of its pieces. */
  | { do: "send"; port: string; packets: number[][][] }
  /** Receives until nothing has come for a while, for `ms` at most. */
  | { do: "take"; port: string; ms: number; wait?: boolean }
  /** Attaches an XDP program that is not ours. */
  | { do: "foreign"; interface: string };

/** What came of it. */
export interface Reply {
  error?: string;
  code?: string;
  mode?: string;
  rings?: number;
  /** What was received, as the pieces of each packet. */
  packets?: number[][][];
  lost?: number | null;
  starved?: number | null;
  rejected?: number | null;
}

const ports = new Map<string, Port>();

function answer(request: Request): Reply {
  switch (request.do) {
    case "open": {
      const { name, directions, options, driverFilter } = request;
      const piece = driverFilter === undefined ? undefined : new Uint8Array(driverFilter);
      const port = openPort(name, directions, { ...options, driverFilter: piece });
      ports.set(request.port, port);
      return { mode: port.mode, rings: port.rx.length };
    }
    case "close":
      ports.get(request.port)!.close();
      return {};
    case "send":
      return send(ports.get(request.port)!, request.packets);
    case "take":
      return take(ports.get(request.port)!, request.ms, request.wait ?? false);
    case "foreign":
      attachForeign(request.interface);
      return {};
  }
}

function send(port: Port, packets: number[][][]): Reply {
  for (const pieces of packets) {
    pieces.forEach((piece, i) =>
      put(port, new Uint8Array(piece), i < pieces.length - 1 ? MORE_FRAGMENTS : 0)
    );
    port.txSync();
  }
  return {};
}

function take(port: Port, ms: number, wait: boolean): Reply {
  const packets: number[][][] = [], end = performance.now() + ms;
  let pieces: number[][] = [];
  for (let quietSince = 0; performance.now() < end;) {
    const taken = receive(port, (bytes, at, length, flags) => {
      pieces.push([...bytes.subarray(at, at + length)]);
      if ((flags & MORE_FRAGMENTS) !== 0) return;
      packets.push(pieces);
      pieces = [];
    });
    if (taken > 0) quietSince = performance.now();
    else if (quietSince > 0 && performance.now() - quietSince > QUIET_MS) break;
    else if (wait) port.wait(1, 10_000);
  }
  const { lost, starved, rejectedEarly: rejected } = port.counts();
  return { packets, lost, starved, rejected };
}

/** A peer as the test sees it. */
export class XdpPeer implements AsyncDisposable {
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #output: ReadableStreamDefaultReader<string>;
  #text = "";

  private constructor(readonly process: Deno.ChildProcess) {
    this.#input = process.stdin.getWriter();
    this.#output = process.stdout.pipeThrough(new TextDecoderStream()).getReader();
  }

  static start(testbed: Testbed, side: "left" | "right"): XdpPeer {
    const path = new URL(import.meta.url).pathname;
    const command = [Deno.execPath(), "run", "-q", "-A", "--no-check", path];
    return new XdpPeer(testbed.spawn(side, command, { stdin: "piped", stderr: "inherit" }));
  }

  /** Asks, and gives the answer, which may be an error. */
  async ask(request: Request): Promise<Reply> {
    await this.#input.write(new TextEncoder().encode(JSON.stringify(request) + "\n"));
    while (!this.#text.includes("\n")) {
      const { value, done } = await this.#output.read();
      if (done) throw new Error("the peer has ended");
      this.#text += value;
    }
    const end = this.#text.indexOf("\n"), line = this.#text.slice(0, end);
    this.#text = this.#text.slice(end + 1);
    return JSON.parse(line);
  }

  /** Asks for what must succeed. */
  async must(request: Request): Promise<Reply> {
    const reply = await this.ask(request);
    if (reply.error !== undefined) throw new Error(reply.error);
    return reply;
  }

  /** Opens a port under its own name. */
  open(name: string, directions: number, options: PortOptions = {}): Promise<Reply> {
    const { driverFilter, ...others } = options, piece = driverFilter && [...driverFilter];
    const request = { do: "open", port: name, name, directions, options: others } as const;
    return this.must({ ...request, driverFilter: piece });
  }

  /** Sends packets, each in one piece. */
  send(port: string, packets: Uint8Array[]): Promise<Reply> {
    return this.must({ do: "send", port, packets: packets.map((packet) => [[...packet]]) });
  }

  /** SIGKILL. */
  async kill(): Promise<void> {
    this.process.kill("SIGKILL");
    await this.process.status;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#input.close().catch(() => {});
    await this.#output.cancel().catch(() => {});
    await this.process.status;
  }
}

async function serve(): Promise<void> {
  setTimeout(() => Deno.exit(1), LIFE_MS);
  let text = "";
  for await (const part of Deno.stdin.readable.pipeThrough(new TextDecoderStream())) {
    text += part;
    for (let end; (end = text.indexOf("\n")) >= 0; text = text.slice(end + 1)) {
      console.log(JSON.stringify(attempt(JSON.parse(text.slice(0, end)))));
    }
  }
  Deno.exit(0);
}

function attempt(request: Request): Reply {
  try {
    return answer(request);
  } catch (error) {
    if (error instanceof PortError) return { error: error.message, code: error.code };
    return { error: String(error) };
  }
}

if (import.meta.main) await serve();
