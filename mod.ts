/**
 * uspf: a user-space packet filter. Market data comes off the wire, is filtered and decoded in place, and
 * reaches a trading engine through a ring in shared memory.
 *
 * ```text
 *  port ──▶ BypassIO / PacketCapture ──▶ TickRing ──▶ TradingEngine ──▶ orders
 *           PacketFilter                              Strategy
 * ```
 *
 * @example Count the packets that arrive on a socket
 * ```ts
 * import { BypassIO } from "@uspf/uspf";
 *
 * const io = BypassIO.open("udp:127.0.0.1:5001", { tx: false });
 * console.log(io.rx());
 * io.close();
 * ```
 *
 * @module
 */

// Ports: packets in and out.
export { BypassIO, type BypassOptions } from "./capture/bypass_io.ts";
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
export { advance, bufferByte, type Ring, slotsReady } from "./ffi/layout.ts";
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
  type WriteStats,
} from "./capture/capture_writer.ts";
export { type FileIdentity, inputOf } from "./capture/input_file.ts";
export { type LogOrders } from "./capture/write_worker.ts";
export { type InterfaceInfo } from "./capture/pcapng_format.ts";
export { type Distribution, Histogram } from "./capture/histogram.ts";
export { type Wait, WAITS } from "./capture/pump_loop.ts";

// Engine.
export { TickRing } from "./engine/tick_ring.ts";
export { Doorbell } from "./engine/doorbell.ts";
export { InstrumentType, readTick, Side, type Tick, writeTick } from "./engine/tick.ts";
export { type EngineStats, TradingEngine } from "./engine/trading_engine.ts";
export { type InstrumentStats, type MarketLimits } from "./engine/simulated_market.ts";
export {
  type Market as StrategyMarket,
  type Strategy,
  type StrategyFactory,
} from "./engine/strategy.ts";
export { MeanReversion, type MeanReversionOptions } from "./engine/mean_reversion.ts";
export { type Order, type RejectedBy } from "./engine/order.ts";

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
