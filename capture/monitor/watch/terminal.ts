/**
 * Purpose: the terminal that the live view is drawn on: taken and given back as it was, on whatever way
 * this program ends, and never waited for.
 *
 * ```text
 *  enter ──▶ alternate screen, no cursor, no echo ──▶ leave
 *              write ──▶ a thread of the runtime; while the terminal does not take it (a slow line, a
 *                        stopped one), `busy`: frames are left out, the engine goes on
 * ```
 */
import { suspend } from "../../../ffi/host.ts";
import { standardOutput } from "../../../ffi/outlet.ts";
import type { Size } from "./view.ts";

/** Alternate screen, no cursor, and lines that are too long end at the edge (xterm's control sequences). */
const ENTER = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J\x1b[H";
const LEAVE = "\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1049l";
/** How long it is waited for where it takes nothing. */
const PATIENCE_MS = 1000;
/** Where a terminal does not know its size. */
const USUAL: Size = { columns: 80, rows: 24 };

/** What a terminal can do. */
export interface TerminalKind {
  unicode: boolean;
  colours: boolean;
}

/** What happens on a terminal. */
export interface TerminalEvents {
  /** Its size has changed, or the program goes on after it was stopped: all must be drawn. */
  onChange(): void;
  onKey(key: string): void;
}

/** Why nothing can be drawn on standard output; `undefined`: it can. Asks for no permission. */
export function noTerminal(): string | undefined {
  if (!Deno.stdout.isTerminal()) return "standard output is no terminal";
  return variable("TERM") === "dumb"
    ? "this terminal cannot move its cursor (TERM=dumb)"
    : undefined;
}

/** What the environment says of the terminal. Asks for no permission. */
export function terminalKind(): TerminalKind {
  const locale = variable("LC_ALL") || variable("LC_CTYPE") || variable("LANG") || "";
  return { unicode: /utf-?8/i.test(locale), colours: !Deno.noColor };
}

/** Standard output, and standard input where it is a terminal. */
export class Terminal {
  readonly #keys = Deno.stdin.isTerminal();
  readonly #undo: (() => void)[] = [];
  #entered = false;
  #raw = false;

  constructor(readonly events: TerminalEvents) {}

  /** Whether keys are heard. */
  get hasKeys(): boolean {
    return this.#keys;
  }

  /** Whether it has not taken yet what was written last. */
  get busy(): boolean {
    return standardOutput.busy;
  }

  /** Its size now. */
  get size(): Size {
    try {
      const { columns, rows } = Deno.consoleSize();
      return columns > 0 && rows > 0 ? { columns, rows } : USUAL;
    } catch {
      return USUAL;
    }
  }

  /** Takes it. */
  enter(): void {
    this.#listen();
    this.#take();
    if (this.#keys) this.#hear();
  }

  /** Sends `text`; to be called while it is not `busy`. */
  write(text: string): void {
    if (this.#entered) standardOutput.send(text);
  }

  /** Gives it back, and waits until it has taken what was written, but not for long. */
  async leave(): Promise<void> {
    await this.#giveBack();
    this.#undo.splice(0).forEach((undo) => undo());
    if (this.#raw) addEventListener("unload", this.#echo);
  }

  #take(): void {
    this.#raw = this.#keys;
    if (this.#keys) Deno.stdin.setRaw(true, { cbreak: true }); // Ctrl-C and Ctrl-Z stay signals
    this.#entered = true;
    this.write(ENTER);
  }

  async #giveBack(): Promise<void> {
    if (!this.#entered) return;
    this.#entered = false;
    standardOutput.send(LEAVE);
    await standardOutput.settle(PATIENCE_MS);
    if (!standardOutput.busy) this.#echo();
  }

  /** Gives it back at once, whatever is under way; a second time does nothing. */
  readonly #release = (): void => {
    if (!this.#entered) return;
    this.#entered = false;
    standardOutput.sendNow(LEAVE);
    this.#echo();
  };

  /** Linux lets the mode be changed only after all that is being written is taken. */
  readonly #echo = (): void => {
    if (!this.#raw || standardOutput.givenUp) return;
    this.#raw = false;
    try {
      Deno.stdin.setRaw(false);
    } catch {
      // It is gone.
    }
  };

  #listen(): void {
    const change = () => this.events.onChange();
    const stop = async () => {
      await this.#giveBack();
      suspend();
      if (this.#undo.length === 0) return; // it has been left meanwhile
      this.#take();
      change();
    };
    const signals = { SIGWINCH: change, SIGCONT: change, SIGTSTP: stop };
    for (const [name, listener] of Object.entries(signals)) {
      const signal = name as Deno.Signal;
      Deno.addSignalListener(signal, listener);
      this.#undo.push(() => Deno.removeSignalListener(signal, listener));
    }
    // An error that nobody has caught, and Deno.exit.
    for (const event of ["error", "unhandledrejection", "unload"]) {
      addEventListener(event, this.#release);
      this.#undo.push(() => removeEventListener(event, this.#release));
    }
  }

  async #hear(): Promise<void> {
    const bytes = new Uint8Array(64), decoder = new TextDecoder();
    try {
      for (;;) {
        const length = await Deno.stdin.read(bytes);
        if (length === null) return;
        if (this.#entered) this.events.onKey(decoder.decode(bytes.subarray(0, length)));
      }
    } catch {
      // It is gone: SIGHUP says so, too.
    }
  }
}

/** A variable of the environment, where we may read it. */
function variable(name: string): string | undefined {
  const { state } = Deno.permissions.querySync({ name: "env", variable: name });
  return state === "granted" ? Deno.env.get(name) : undefined;
}
