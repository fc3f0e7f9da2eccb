/**
 * Purpose: ends a sender whose interface stays down. Ports keep what cannot go out, for a link that is set
 * down for a moment comes back; a sender would wait for ever.
 */
import { isDown, sleepNs } from "../ffi/host.ts";
import { packetsUnsent, type Port } from "../ffi/port.ts";
import { parsePortName } from "../ffi/port_name.ts";
import { PortError } from "../ffi/port_error.ts";

const LIMIT_MS = 1000;
const PAUSE_NS = 5e6;
const NO_WAY = ["ENETDOWN", "ENETUNREACH"]; // how a socket hears that its interface is down

/** Watches the interface of a port; ports without one are never down. */
export class LinkWatch {
  readonly #port: Port;
  readonly #interface: string | undefined;
  /** When it was first seen down, and not up since. */
  #downSince: number | undefined;
  #gaveUp = false;

  /** `port`: the one to send on. */
  constructor(port: Port) {
    this.#port = port;
    const name = parsePortName(port.name);
    this.#interface = name.kind === "packet" || name.kind === "xdp" ? name.interface : undefined;
  }

  /**
   * Calls `send`, again and again.
   *
   * @throws {PortError} where the interface has been down for a second.
   */
  run(send: () => void): void {
    if (this.#isDown()) this.#downSince ??= performance.now();
    const error = this.#attempt(send);
    if (error === undefined && !this.#isDown()) {
      this.#downSince = undefined;
      return;
    }
    this.#downSince ??= performance.now();
    if (performance.now() - this.#downSince < LIMIT_MS) return;
    this.#gaveUp = true;
    throw error ?? this.#failure();
  }

  /**
   * Calls `flush` until nothing is left to be sent, or the interface cannot be what holds it up.
   *
   * @throws {PortError} where the interface has been down for a second.
   */
  finish(flush: () => void): void {
    if (this.#gaveUp) return;
    do this.run(flush); while (packetsUnsent(this.#port) > 0 && this.#downSince !== undefined);
  }

  #isDown(): boolean {
    return this.#interface !== undefined && isDown(this.#interface);
  }

  /** The error by which a socket says that there is no way out. */
  #attempt(send: () => void): PortError | undefined {
    try {
      send();
    } catch (error) {
      if (!(error instanceof PortError && NO_WAY.includes(error.code))) throw error;
      sleepNs(PAUSE_NS);
      return error;
    }
  }

  #failure(): PortError {
    return new PortError(
      `Cannot send to "${this.#port.name}": "${this.#interface}" is down: ` +
        `set it up with "ip link set ${this.#interface} up"`,
      "ENETDOWN",
    );
  }
}
