/**
 * Purpose: opens what a capture is made of, and closes it again: capture threads, the writer of a file, the
 * built-in sender, the web server. Where one cannot be had, those before it are closed.
 */
import { allowedCores } from "../ffi/host.ts";
import { recordedCommit } from "../ffi/version.ts";
import { complain } from "../ffi/voice.ts";
import type { CaptureGroup } from "./capture_group.ts";
import type { CaptureOptions } from "./capture_options.ts";
import { CaptureWriter } from "./capture_writer.ts";
import { type DemoSender, startDemoSender } from "./demo_sender.ts";
import { WebServer } from "./monitor/web_server.ts";
import type { PushedFilter } from "./push_filter.ts";
import { startPushed } from "./start_captures.ts";

/** What a capture is made of. */
export class OpenCapture {
  /** The writer of `--write`. */
  writer?: CaptureWriter;
  /** The built-in sender, without a port. */
  sender?: DemoSender;
  /** What serves `--metrics` and `--dashboard`. */
  web?: WebServer;

  private constructor(readonly group: CaptureGroup, readonly pushed: PushedFilter) {}

  /**
   * Opens all of it; nothing is captured before `group.go()`.
   *
   * @throws {CaptureError} where a part cannot be had.
   */
  static async open(options: CaptureOptions, nsPerTick: number): Promise<OpenCapture> {
    const { group, pushed } = await startPushed(options);
    const open = new OpenCapture(group, pushed);
    try {
      // The writer empties a file that is there: not before all that may be refused.
      open.web = await startWeb(options, group, nsPerTick);
      open.writer = await startWriter(options, group);
      open.sender = options.port === "" ? await startSender(group) : undefined;
    } catch (error) {
      await open.stopCapturing();
      await open.writer?.stop();
      await open.web?.stop();
      throw error;
    }
    return open;
  }

  /** Ends the sender first: what it sent is then captured. */
  async stopCapturing(): Promise<void> {
    await this.sender?.stop();
    await this.group.stop();
  }
}

async function startWriter(
  { write }: CaptureOptions,
  group: CaptureGroup,
): Promise<CaptureWriter | undefined> {
  if (write === undefined) return undefined;
  return await CaptureWriter.record(group.captures, {
    ...write,
    onFailed: (message) => complain(message),
  });
}

/** On another core than the capture's, where there is one. */
function startSender({ captures: [capture] }: CaptureGroup): Promise<DemoSender> {
  const core = allowedCores().find((other) => other !== capture.core) ?? capture.core;
  return startDemoSender(capture.port.replace(/capture$/, "sender"), core);
}

async function startWeb(
  { metrics, dashboard }: CaptureOptions,
  group: CaptureGroup,
  nsPerTick: number,
): Promise<WebServer | undefined> {
  if (metrics === undefined && dashboard === undefined) return undefined;
  const captures = group.captures.map(({ port, core, mode, state }, i) => ({
    port,
    core,
    mode,
    state: state.buffer,
    ticks: group.rings[i].buffer,
  }));
  const commit = recordedCommit() ?? undefined;
  return await WebServer.start({ metrics, dashboard, captures, nsPerTick, commit });
}
