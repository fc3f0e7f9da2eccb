/**
 * Purpose: a thread of a measurement: opens the ports of its roles, warms up, and takes turns until told to
 * stop.
 *
 * ```text
 *  orders ─▶ opens ports ─▶ "opened" … "warm up" ─▶ "ready" … go ─▶ turns ─▶ stop ─▶ "finished"
 * ```
 * All ports are open before anybody warms up: a switch shows a sender's ring only when it is there.
 */
import { hybridSpinMs } from "../../capture/engine_loop.ts";
import { HYBRID_SPIN_S, type Wait } from "../../capture/pump_loop.ts";
import type { CaptureCounts } from "../../capture/capture_state.ts";
import { PAYLOAD_LENGTH } from "../../engine/tick.ts";
import { TickRing } from "../../engine/tick_ring.ts";
import { nowNs, pinToCore } from "../../ffi/host.ts";
import { loadLibrary } from "../../ffi/library.ts";
import { openPort } from "../../ffi/open_port.ts";
import { type Port, RX, TX, type Wanted } from "../../ffi/port.ts";
import { CaptureRole } from "./capture_role.ts";
import { Control } from "./control.ts";
import { type EngineCounts, EngineRole, NAPS_END_MS } from "./engine_role.ts";
import { Generator, RingSink, type Schedule } from "./generator.ts";
import { heldUpShare } from "./hold_ups.ts";
import { OrderReceiver } from "./order_receiver.ts";
import type { Measure, Ports, RoleName } from "./plan.ts";
import { Records } from "./stamp.ts";
import { ORDERS, StampedSender, TICKS } from "./stamped_sender.ts";
import { type Sleeper, takeTurns, type Turn } from "./turns.ts";

/** What a thread is told. */
export interface ThreadOrders {
  roles: RoleName[];
  core: number;
  wait: Wait;
  measure: Measure;
  ports?: Ports;
  schedule: Schedule;
  tscHz: number;
  ticks: SharedArrayBuffer;
  records: SharedArrayBuffer;
  control: SharedArrayBuffer;
}

/** What a thread has counted. */
export interface ThreadCounts {
  /** See hold_ups.ts; the larger of before and after. */
  heldUpShare: number;
  generator?: { sent: number };
  capture?: CaptureCounts;
  engine?: EngineCounts;
  /** Records written, and those of them that belong to the warming up. */
  recorded: number;
  warmRecords: number;
}

/** What a thread says. */
export type ThreadNews =
  | { type: "opened"; modes: Record<string, string>; id: number }
  | { type: "ready" }
  | { type: "finished"; counts: ThreadCounts }
  | { type: "failed"; message: string; stack?: string };

class Thread {
  readonly #orders: ThreadOrders;
  readonly #ports = new Map<string, Port>();
  readonly #control: Control;
  readonly #ticks: TickRing;
  readonly #records: Records;
  readonly #clock: () => number;
  #heldUp = 0;
  #generator?: Generator;
  #receiver?: OrderReceiver;
  #capture?: CaptureRole;
  #engine?: EngineRole;

  constructor(orders: ThreadOrders) {
    pinToCore(orders.core);
    const library = loadLibrary();
    this.#orders = orders;
    this.#clock = () => library.uspf_clock();
    this.#control = new Control(orders.control);
    this.#ticks = TickRing.attach(orders.ticks);
    this.#records = new Records(orders.records);
    this.#openPorts();
    for (const role of orders.roles) this.#take(role);
  }

  get modes(): Record<string, string> {
    return Object.fromEntries([...this.#ports].map(([name, { mode }]) => [name, mode]));
  }

  /** From now on every packet counts: no thread sends before all are ready. */
  warmUp(): void {
    this.#receiver?.warmUp();
    this.#capture?.warmUp();
    this.#receiver?.begin();
    this.#capture?.begin();
  }

  /** Everything from `go` to `stop`. */
  run(): void {
    const control = this.#control, generator = this.#generator;
    const turns = [generator, this.#receiver, this.#capture, this.#engine]
      .filter((turn): turn is Generator & Turn => turn !== undefined);
    const ended = () => {
      generator?.watchClock();
      if (generator?.done) control.saySent();
      return control.stopping;
    };
    control.hold();
    this.#lookForHoldUps();
    generator?.begin();
    takeTurns(turns, ended, this.#sleeper(), this.#clock);
    generator?.checkClock();
    this.#lookForHoldUps();
  }

  #lookForHoldUps(): void {
    this.#heldUp = Math.max(this.#heldUp, heldUpShare(this.#clock, this.#orders.tscHz));
  }

  finish(): ThreadCounts {
    const counts = {
      heldUpShare: this.#heldUp,
      generator: this.#generator && { sent: this.#generator.sent },
      capture: this.#capture?.finish(),
      engine: this.#engine?.finish(),
      recorded: this.#records.count,
      warmRecords: this.#records.warm,
    };
    for (const port of this.#ports.values()) port.close();
    return counts;
  }

  #openPorts(): void {
    const { roles, ports, measure } = this.#orders, wanted = new Map<string, number>();
    if (ports === undefined) return;
    const want = (name: string, directions: number) =>
      wanted.set(name, (wanted.get(name) ?? 0) | directions);
    const trades = measure === "tick-to-trade";
    if (roles.includes("generator")) want(ports.send, TX);
    if (roles.includes("generator") && trades) want(ports.receive, RX);
    if (roles.includes("capture")) want(ports.capture, RX);
    if (roles.includes("engine") && trades) want(ports.orders, TX);
    for (const [name, directions] of wanted) {
      const options = { wanted: wantedAt(name === ports.capture ? ports.ticksTo : ports.ordersTo) };
      this.#ports.set(name, openPort(name, directions, options));
    }
  }

  #take(role: RoleName): void {
    const { ports, measure, schedule, tscHz } = this.#orders, trades = measure === "tick-to-trade";
    const records = this.#records,
      clock = this.#clock,
      port = (name: string) => this.#ports.get(name)!;
    if (role === "generator") {
      const sink = ports
        ? new StampedSender(port(ports.send), TICKS, ports.ticksTo)
        : new RingSink(this.#ticks);
      this.#generator = new Generator(sink, schedule, clock, () => nowNs() / 1e9 * tscHz);
      if (trades) {
        this.#receiver = new OrderReceiver(
          port(ports!.receive),
          wantedAt(ports!.ordersTo),
          records,
        );
      }
    } else if (role === "capture") {
      this.#capture = new CaptureRole(port(ports!.capture), wantedAt(ports!.ticksTo), this.#ticks);
    } else {
      const purpose = trades
        ? { orders: new StampedSender(port(ports!.orders), ORDERS, ports!.ordersTo) }
        : { clock, records };
      this.#engine = new EngineRole(this.#ticks, purpose, clock);
    }
  }

  #sleeper(): Sleeper | undefined {
    const { wait, tscHz } = this.#orders, capture = this.#capture, engine = this.#engine;
    if (wait === "spin" || this.#generator !== undefined) return undefined;
    const hybrid = wait === "hybrid", ticks = (ms: number) => hybrid ? ms / 1e3 * tscHz | 0 : 0;
    if (capture !== undefined) {
      return { afterTicks: ticks(HYBRID_SPIN_S * 1e3), sleep: () => capture.sleep() };
    }
    const napsEnd = ticks(NAPS_END_MS);
    return { afterTicks: ticks(hybridSpinMs()), sleep: (idle) => engine!.sleep(idle < napsEnd) };
  }
}

/** Packets with a tick, to a port. */
function wantedAt(destinationPort: number): Wanted {
  return { destinationPort, payloadBytes: PAYLOAD_LENGTH };
}

/** The kernel's number for this thread: the last part of PID/task/TID. */
function threadId(): number {
  return Number(Deno.readLinkSync("/proc/thread-self").split("/").at(-1));
}

let thread: Thread | undefined;

addEventListener("message", ({ data }: MessageEvent<ThreadOrders | "warm up">) => {
  const tell = (news: ThreadNews) => postMessage(news);
  try {
    if (data !== "warm up") {
      thread = new Thread(data);
      tell({ type: "opened", modes: thread.modes, id: threadId() });
      return;
    }
    thread!.warmUp();
    tell({ type: "ready" });
    thread!.run();
    tell({ type: "finished", counts: thread!.finish() });
  } catch (error) {
    const { message, stack } = error as Error;
    tell({ type: "failed", message, stack });
  }
  if (data === "warm up") close();
});
