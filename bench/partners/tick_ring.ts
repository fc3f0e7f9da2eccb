/**
 * Purpose: the thread at the other end of the rings of tick_ring.bench.ts: it produces, or sends back.
 */
import { TickRing } from "../../engine/tick_ring.ts";
import { serve } from "../harness/partner.ts";
import { pong, produce } from "../harness/tick_moves.ts";

/** What it is told. */
export interface TickOrders {
  there: SharedArrayBuffer;
  /** The ring in which ticks come back; nothing: none does. */
  back?: SharedArrayBuffer;
  ticks: number;
}

serve<TickOrders, void>(({ there, back, ticks }) => {
  const to = TickRing.attach(there), from = back && TickRing.attach(back);
  return {
    run: () => from === undefined ? produce(to, ticks) : pong(to, from, ticks),
    finish() {},
  };
});
