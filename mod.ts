/**
 * uspf: a user-space packet filter. Market data comes off the wire, is filtered and decoded in place, and
 * reaches a trading engine through a ring in shared memory.
 *
 * ```text
 *  port ──▶ BypassIO / PacketCapture ──▶ TickRing ──▶ TradingEngine ──▶ orders
 *           PacketFilter                              Strategy
 * ```
 *
 * To begin with: {@linkcode BypassIO} for packets of one's own, {@linkcode BackgroundCapture} for ticks from a
 * thread, {@linkcode TradingEngine} for a {@linkcode Strategy} on them, {@linkcode PacketSender} and
 * {@linkcode FileSender} to send. The repository's `examples/` are five short programs of these.
 *
 * The library needs its native part, `libuspf.so`, when the first port is opened, also for one that reads a
 * file; not for filters or a {@linkcode FakePort}. In a checkout `deno task build` makes it, with a C compiler. Code from a
 * registry has no folder for it: build it in a checkout of the same version, and name it with `USPF_LIBRARY`,
 * or put it beside a compiled program.
 *
 * What a program needs: `--allow-ffi=` with the path of that file, and permission to read it; to read the
 * program's own folder, if the library is a checkout, and what it captures to or from files; for capture and
 * writing threads, `"unstable": ["worker-options"]` in its deno.json, for each has permissions of its own;
 * `--allow-env=USPF_LIBRARY` where that is set. What a port needs of the kernel stands in the README.
 *
 * @example Count the packets that arrive on a socket, for a tenth of a second
 * ```ts
 * import { BypassIO } from "@uspf/uspf";
 *
 * using io = BypassIO.open("udp:127.0.0.1:5001", { tx: false });
 * let packets = 0;
 * for await (const count of io.bursts({ signal: AbortSignal.timeout(100) })) packets += count;
 * console.log(packets);
 * ```
 *
 * @module
 */

// Ports: packets in and out.
export { type BurstOptions, BypassIO, type BypassOptions } from "./capture/bypass_io.ts";
export { openPort } from "./ffi/open_port.ts";
export {
  type Port,
  type PortCounts,
  type PortOptions,
  RX,
  TX,
  type Wanted,
  XDP_MODES,
  type XdpMode,
} from "./ffi/port.ts";
export { PortError } from "./ffi/port_error.ts";
export { advance, bufferByte, RING, type Ring, SLOT_WORDS, slotsReady } from "./ffi/layout.ts";
export { type FakeGeometry, FakePort } from "./ffi/fake_port.ts";

// Filter.
export { PacketFilter, type PacketFilterOptions } from "./filter/packet_filter.ts";
export { type FastPath } from "./filter/fast_path.ts";
export { MALFORMED, REJECTED, VERDICT } from "./filter/verdict.ts";
export { Expression, type Matches } from "./filter/expression/expression.ts";
export { ExpressionError } from "./filter/expression/expression_error.ts";

// The filter language's insides, and programs for kernel and driver.
export { CannotPush } from "./filter/expression/compilers/cannot_push.ts";
export { type ClassicBpf, toClassicBpf } from "./filter/expression/compilers/to_classic_bpf.ts";
export { type Ebpf } from "./filter/expression/compilers/ebpf_assembler.ts";
export { toEbpf } from "./filter/expression/compilers/to_ebpf.ts";
export { type Block, type Plan } from "./filter/expression/plan/plan.ts";
export {
  type Load,
  type Node,
  type Operator,
  type Relation,
  type Test,
  type Value,
  type Written,
} from "./filter/expression/plan/tree.ts";
export { printTree } from "./filter/expression/plan/print_tree.ts";
export {
  type Push,
  type PushedFilter,
  PUSHES,
  pushFilter,
  type PushRequest,
} from "./capture/push_filter.ts";

// Capture.
export { PacketCapture, type PacketCaptureOptions } from "./capture/packet_capture.ts";
export {
  BackgroundCapture,
  type BackgroundCaptureOptions,
  CaptureError,
} from "./capture/background_capture.ts";
export { LibraryError } from "./ffi/find_library.ts";
export { type CaptureCounts, CaptureState, type Causes } from "./capture/capture_state.ts";
export { CaptureGroup, type CommonOptions, type GroupMember } from "./capture/capture_group.ts";
export { PacketLog, type PacketLogOptions } from "./capture/packet_log.ts";
export { type LogCounts, type LogGeometry } from "./capture/packet_log_layout.ts";
export {
  CaptureWriter,
  type CaptureWriterOptions,
  type RecordOptions,
  type WriteStats,
} from "./capture/capture_writer.ts";
export { type FileIdentity, inputOf } from "./capture/input_file.ts";
export { type LogOrders } from "./capture/write_worker.ts";
export { type InterfaceInfo } from "./capture/pcapng_format.ts";
export { type Distribution, Histogram } from "./capture/histogram.ts";
export { type Wait, WAITS } from "./capture/pump_loop.ts";

// Engine.
export { RECORDS_WORD, TickRing } from "./engine/tick_ring.ts";
export { Doorbell } from "./engine/doorbell.ts";
export {
  InstrumentType,
  readTick,
  RECORD_SHIFT,
  Side,
  type Tick,
  writeTick,
} from "./engine/tick.ts";
export { type EngineStats, TradingEngine } from "./engine/trading_engine.ts";
export { type InstrumentStats, type MarketLimits } from "./engine/simulated_market.ts";
export {
  type Market as StrategyMarket,
  type Strategy,
  type StrategyFactory,
} from "./engine/strategy.ts";
export { MeanReversion, type MeanReversionOptions } from "./engine/mean_reversion.ts";
export { type Order, type RejectedBy } from "./engine/order.ts";

export { drainEngine, runEngine } from "./capture/engine_loop.ts";

// Sender.
export { FileSender, type FileSenderOptions } from "./sender/file_sender.ts";
export { PacketSender, type PacketSenderOptions, type SendStats } from "./sender/packet_sender.ts";
export {
  PacketTemplate,
  type PacketTemplateFields,
  type WritePacket,
} from "./sender/packet_template.ts";
export { type PacketFields } from "./sender/build_packet.ts";
export { Market, type MarketOptions } from "./sender/market.ts";
export { Pacer, type PacerOptions } from "./sender/pacer.ts";

// Programs: errors in one line, output that may be piped, and Ctrl-C.
export { asUsage, checkWords, runCommand, stopSignal, turn, UsageError } from "./ffi/usage.ts";
export { OutputError, print } from "./ffi/print.ts";
export { type Failure, type Fields, type Voice } from "./ffi/voice.ts";
