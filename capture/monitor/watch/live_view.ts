/**
 * Purpose: `--watch`: draws what a capture does, four times a second.
 *
 * ```text
 *  sample, 4 a second ──▶ History ──▶ view ──▶ Screen ──▶ Terminal
 *                         rates       lines    changes    without waiting
 * ```
 */
import { complain, messageOf } from "../../../ffi/voice.ts";
import { SERVICE_BOUNDS_NS } from "../statistics.ts";
import { HeldMessages } from "./held_messages.ts";
import type { Sample } from "../statistics.ts";
import { History, type Recent } from "./history.ts";
import { Screen } from "./screen.ts";
import type { ViewSetup } from "./section.ts";
import { Terminal, type TerminalKind } from "./terminal.ts";
import { view } from "./view.ts";

/** Samples a second, each a frame. */
export const FRAMES_HZ = 4;
/** Every so many frames all is drawn anew, over what others may have written to the terminal. */
const WHOLE_EVERY = 5 * FRAMES_HZ;

const WARM_UP_SIZES = [{ columns: 80, rows: 24 }, { columns: 200, rows: 60 }];

/** What a live view is made for. */
export interface LiveViewOptions extends Omit<ViewSetup, "unicode"> {
  kind: TerminalKind;
  nsPerTick: number;
  /** Is called by the key q. */
  onQuit(): void;
}

/** A picture of a capture that runs. */
export class LiveView {
  readonly #history: History;
  readonly #screen: Screen;
  readonly #messages = new HeldMessages();
  readonly #terminal = new Terminal({
    onChange: () => {
      this.#screen.forget(true);
      this.#draw();
    },
    onKey: (keys) => this.#press(keys),
  });
  readonly #said = () => this.#messages.release();
  #recent: Recent | undefined;
  #frames = 0;
  #holding = false;
  #broken = false;
  #left: Promise<void> | undefined;

  constructor(readonly options: LiveViewOptions) {
    this.#history = new History(options.nsPerTick, SERVICE_BOUNDS_NS);
    this.#screen = new Screen(options.kind.colours);
  }

  /** Draws for nobody, at several sizes. */
  warmUp(sample: Sample): void {
    const { nsPerTick, kind: { unicode, colours } } = this.options;
    for (const size of WARM_UP_SIZES) {
      const recent = new History(nsPerTick, SERVICE_BOUNDS_NS).add(sample);
      const lines = view(recent, { ...this.options, unicode }, { keys: this.#keys() }, size);
      new Screen(colours).draw(lines, size);
    }
  }

  /** Takes the terminal. */
  enter(): void {
    this.#terminal.enter();
    addEventListener("unload", this.#said); // after the terminal's own
    this.#messages.hold();
  }

  /** Takes a sample, and draws it, unless the terminal has not taken the last frame yet. */
  show(sample: Sample): void {
    this.#recent = this.#history.add(sample);
    if (!this.#holding) this.#draw();
  }

  /** A picture that cannot be drawn is a bug of ours, but no reason to lose packets. */
  #giveUp(error: unknown): void {
    this.#broken = true;
    const why = messageOf(error);
    this.leave().then(() =>
      complain(`Cannot draw the view: ${why}: report this; the capture goes on`)
    );
  }

  /** Gives the terminal back, and says there what was held back meanwhile. */
  async leave(): Promise<void> {
    this.#left ??= this.#leave();
    await this.#left;
  }

  async #leave(): Promise<void> {
    await this.#terminal.leave();
    removeEventListener("unload", this.#said);
    this.#messages.release();
  }

  #draw(): void {
    if (this.#broken || this.#recent === undefined || this.#terminal.busy) return;
    try {
      this.#drawRecent(this.#recent);
    } catch (error) {
      this.#giveUp(error);
    }
  }

  #drawRecent(recent: Recent): void {
    if (++this.#frames % WHOLE_EVERY === 0) this.#screen.forget(false);
    const { size } = this.#terminal, { kind: { unicode } } = this.options;
    const foot = { keys: this.#keys(), message: this.#messages.last };
    const lines = view(recent, { ...this.options, unicode }, foot, size);
    const changes = this.#screen.draw(lines, size);
    if (changes !== "") this.#terminal.write(changes);
  }

  #keys(): string {
    if (!this.#terminal.hasKeys) return "Ctrl-C ends it";
    return this.#holding
      ? "the picture stands still: space lets it go on"
      : "q ends it, space holds the picture";
  }

  #press(keys: string): void {
    if (/q/i.test(keys)) this.options.onQuit();
    if (keys.includes(" ")) {
      this.#holding = !this.#holding;
      this.#draw();
    }
    if (keys.includes("\f")) { // Ctrl-L, as everywhere
      this.#screen.forget(true);
      this.#draw();
    }
  }
}
