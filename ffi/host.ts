/**
 * Purpose: what a thread asks of its machine: cores, clocks, sleep, queues of an interface.
 */
import { loadLibrary } from "./library.ts";
import { errnoName, PortError } from "./port_error.ts";

const MAX_CORES = 1024;

/** The cores that this thread may run on now, by number; an isolated one may be pinned to all the same. */
export function allowedCores(): number[] {
  const allowed = new Uint8Array(MAX_CORES);
  loadLibrary().uspf_cores(allowed, MAX_CORES);
  return [...allowed.keys()].filter((core) => allowed[core] === 1);
}

/**
 * Keeps this thread on a core. Helper threads of the runtime stay where they are.
 *
 * @throws {PortError} for a core that does not exist, or is not ours to use.
 */
export function pinToCore(core: number): void {
  const result = loadLibrary().uspf_pin(core);
  if (result < 0) throw noCore(core, errnoName(result));
}

/** Whether `pinToCore` would take this core. */
export function mayPin(core: number): boolean {
  return loadLibrary().uspf_may_pin(core) === 0;
}

/**
 * Refuses a core that `pinToCore` would refuse.
 *
 * @throws {PortError} for a core that does not exist, or is not ours to use.
 */
export function checkCore(core: number): void {
  const result = loadLibrary().uspf_may_pin(core);
  if (result < 0) throw noCore(core, errnoName(result));
}

function noCore(core: number, code: string): PortError {
  const cores = allowedCores().join(", ");
  return new PortError(
    `Cannot pin to core ${core}: no such core here: choose one of ${cores}`,
    code,
  );
}

/** The core that this thread runs on now. */
export function currentCore(): number {
  return loadLibrary().uspf_core();
}

/** The time stamp counter. */
export function tsc(): number {
  return loadLibrary().uspf_tsc();
}

/** Ticks of the time stamp counter in a second; measured on the first call, which takes 20 ms. */
export function tscHz(): number {
  hz ??= loadLibrary().uspf_tsc_hz();
  return hz;
}

let hz: number | undefined;

/** CLOCK_MONOTONIC in ns. */
export function nowNs(): number {
  return loadLibrary().uspf_now_ns();
}

/** CPU time of this thread in ns. */
export function threadCpuNs(): number {
  return loadLibrary().uspf_thread_cpu_ns();
}

/** How often the scheduler has taken this thread off its core, willing or not. */
export function contextSwitches(): number {
  return loadLibrary().uspf_switches();
}

/** Sleeps this thread for `ns`. */
export function sleepNs(ns: number): void {
  loadLibrary().uspf_sleep_ns(ns);
}

/** Stops this process as Ctrl-Z would; returns when it goes on, or at once where nobody could continue it. */
export function suspend(): void {
  loadLibrary().uspf_suspend();
}

/** CLOCK_REALTIME into `now`: seconds since 1970, as a u32, and nanoseconds. */
export function readRealtime(now: Int32Array<ArrayBuffer>): void {
  loadLibrary().uspf_realtime(now);
}

/**
 * Receive queues of a network interface.
 *
 * @throws {PortError} where there is no such interface.
 */
export function receiveQueues(name: string): number {
  const queues = loadLibrary().uspf_rx_queues(cString(name));
  if (queues >= 0) return queues;
  throw new PortError(
    `Cannot count the queues of "${name}": no such interface: list them with "ip link"`,
    errnoName(queues),
  );
}

/** Whether a network interface is there and set down. */
export function isDown(name: string): boolean {
  return loadLibrary().uspf_is_up(cString(name)) === 0;
}

function cString(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(`${text}\0`);
}
