import type { Result } from "../harness/result.ts";
import type { RxResults } from "./rx_results.ts";
export function drawRx(_: Result<RxResults>): string {
  return "";
}
