/**
 * Purpose: the checks at the end of a soak: what its intervals and totals must show.
 *
 * | check       | fails where                                                                             |
 * | ----------- | --------------------------------------------------------------------------------------- |
 * | memory      | from the end of the second interval to the last, resident memory grew by over 8 MB, or  |
 * |             | the heap after a collection by over 2 MB; or either grows steadily                       |
 * | counters    | one of the sums is not met, to the last packet; nothing was accepted; or packets that    |
 * |             | the sender may have sent were rejected or malformed                                      |
 * | service     | P99.9 of the last interval is over 1.5 times the second's                               |
 * | stalls      | a sync of the first second took over 2 ms of the thread's own CPU time                  |
 * | V8          | never: what was seen after the second interval is told                                  |
 *
 * Grows steadily: the least-squares slope is over 16 MB an hour in the first half of the time and in the
 * second, and comes to over 1 MB in all. An allocator takes memory in steps, and a step lies in one half
 * only; less than 1 MB cannot be told from the pages that it keeps for later.
 *
 * Memory and service are not judged with fewer than three intervals, and service not where nothing came in the
 * second or in the last.
 *
 * Only soft ports count every packet, so that sent = received + lost. Of the others some lose packets that
 * nobody counts: what is missing is told, but no sum can bound it. On a wire there may be strangers, too: what
 * the sender does not send (no UDP, another UDP port, a fragment) is not held against it. A UDP socket gets
 * only what goes to its port.
 *
 * Who takes the cores away makes packets wait: where the limit is exceeded and the hypervisor or other
 * programs took more than 0.5 % of one of the intervals, the service time is not judged.
 */
import type { Interval, Stalls, Totals } from "./intervals.ts";
import type { Deoptimisation } from "./v8_trace.ts";

const MB = 1e6;
const LIMITS = { resident: 8 * MB, heapUsed: 2 * MB };
const SLOPE = 16 * MB / 3600, NOISE = MB;
const SETTLED = 1; // index of the second interval
const LEAST_TO_JUDGE = 3, LEAST_OF_A_HALF = 3;
const WORST_RATIO = 1.5, TAKEN_SHARE = 0.005;
const LISTED = 10;

/** What became of a check. "noted" is neither good nor bad. */
export interface Check {
  name: string;
  verdict: "ok" | "FAILED" | "not judged" | "noted";
  /** Its figures, as a sentence. */
  figures: string;
}

/** Whether memory is flat. */
export function checkMemory(intervals: readonly Interval[]): Check {
  const name = "memory is flat";
  if (intervals.length < LEAST_TO_JUDGE) return notEnough(name, intervals);
  const settled = intervals.slice(SETTLED), parts: string[] = [];
  let flat = true;
  for (const [field, limit] of Object.entries(LIMITS)) {
    const values = settled.map((interval) => interval[field as keyof typeof LIMITS]);
    const growth = values.at(-1)! - values[0], steady = growsSteadily(settled, values);
    flat &&= growth <= limit && !steady;
    const what = field === "resident" ? "resident" : "heap";
    parts.push(
      `${what} ${mega(values[0])} to ${mega(values.at(-1)!)} MB, ${signed(growth / MB)} ` +
        `(at most +${limit / MB})${steady ? ", growing steadily" : ""}`,
    );
  }
  return { name, verdict: flat ? "ok" : "FAILED", figures: parts.join("; ") };
}

/** Whether nothing went missing without being counted. `receive` is the port's name. */
export function checkCounters({ counts, consumed }: Totals, sent: number, receive: string): Check {
  const { received, accepted, rejected, malformed, delivered, dropped, lost } = counts;
  const exact = receive.startsWith("soft:");
  const strange = exact || receive.startsWith("udp:") ? 0 : strangers(counts);
  const missing = sent - (received - strange) - (lost ?? 0);
  const refused = rejected + malformed - strange;
  const ours = Math.min(refused, sent - accepted - (lost ?? 0)); // as many may have been the sender's
  const wrong = [
    [sent === 0, "nothing was sent"],
    [accepted === 0, "nothing was accepted"],
    [ours > 0, `up to ${ours} of the sender's packets were rejected or malformed`],
    [missing < 0, "more came than was sent"],
    [exact && missing > 0, "packets are missing"],
    [received !== accepted + rejected + malformed, "received is not the sum of its parts"],
    [accepted !== delivered + dropped, "accepted is not the sum of its parts"],
    [delivered !== consumed, "the engine consumed something else"],
  ].filter(([isWrong]) => isWrong).map(([, what]) => `${what}; `);
  const others = strange > 0 ? ` (${strange} of them not the sender's)` : "";
  const share = sent > 0 ? ` (${(missing / sent * 100).toFixed(2)} %)` : "";
  const whereabouts = exact
    ? `sent ${sent} = received ${received} + lost ${lost ?? "unknown"} + missing ${missing}`
    : `sent ${sent}, received ${received}${others}, lost ${lost ?? "unknown"}; ` +
      `${missing} missing${share}, which this kind of port does not bound`;
  return {
    name: "counters add up",
    verdict: wrong.length > 0 ? "FAILED" : "ok",
    figures: `${wrong.join("")}${whereabouts}; ` +
      `received ${received} = accepted ${accepted} + rejected ${rejected} + malformed ${malformed}; ` +
      `accepted = delivered ${delivered} + dropped ${dropped}; delivered = consumed ${consumed}`,
  };
}

/** Whether the last interval was served as well as the second. */
export function checkService(intervals: readonly Interval[]): Check {
  const name = "service time holds";
  if (intervals.length < LEAST_TO_JUDGE) return notEnough(name, intervals);
  const second = intervals[SETTLED], last = intervals.at(-1)!;
  if (second.received === 0 || last.received === 0) {
    const which = second.received === 0 ? "second" : "last";
    return { name, verdict: "not judged", figures: `no packets in the ${which} interval` };
  }
  const ratio = last.serviceNs.p999 / second.serviceNs.p999;
  const stolen = [second, last].map(({ stolenMs, seconds }) => stolenMs / 1e3 / seconds);
  const waited = [second, last].map(({ waitedMs, seconds }) => waitedMs / 1e3 / seconds);
  const disturbed = stolen.some((share, i) => share + waited[i] > TAKEN_SHARE);
  return {
    name,
    verdict: ratio <= WORST_RATIO ? "ok" : disturbed ? "not judged" : "FAILED",
    figures:
      `P99.9 of the second interval ${ns(second.serviceNs.p999)}, of the last ${
        ns(last.serviceNs.p999)
      }: ${ratio.toFixed(2)} times (at most ${WORST_RATIO}); of their time the hypervisor took ` +
      `${percent(stolen)}, other programs ${percent(waited)}`,
  };
}

/** Whether the capture itself never stalled in its first second. */
export function checkStalls(stalls: Stalls | null): Check {
  const name = "no stall in the first second";
  if (stalls === null) {
    const figures = "the capture has a thread of its own: only its own loop could time its bursts";
    return { name, verdict: "not judged", figures };
  }
  const { syncs, ours, others, worstOursMs, stolenMs } = stalls;
  return {
    name,
    verdict: ours === 0 ? "ok" : stolenMs > 0 ? "not judged" : "FAILED",
    figures: `of ${syncs} syncs ${ours} took over 2 ms of our own CPU time` +
      `${ours > 0 ? ` (up to ${worstOursMs.toFixed(1)} ms)` : ""}, ${others} while the scheduler ` +
      `had taken the core away; stolen meanwhile: ${stolenMs} ms`,
  };
}

/** What V8 did after the second interval. */
export function checkV8(intervals: readonly Interval[]): Check {
  const settled = intervals.slice(SETTLED + 1);
  const total: Record<string, number> = {};
  for (const { collections } of settled) {
    for (const [kind, count] of Object.entries(collections)) {
      total[kind] = (total[kind] ?? 0) + count;
    }
  }
  const paused = settled.reduce((sum, { pausedMs }) => sum + pausedMs, 0);
  const deoptimised = settled.flatMap(({ deoptimisations }) => deoptimisations);
  const collections = Object.entries(total).map(([kind, count]) => `${count} ${kind}`);
  const quiet = deoptimised.length === 0 && !("mark-compact" in total);
  return {
    name: "V8 is quiet",
    verdict: settled.length === 0 ? "not judged" : quiet ? "ok" : "noted",
    figures: `after the second interval ${deoptimised.length} deoptimisations; ` +
      `collections: ${collections.join(", ") || "none"}, ${paused.toFixed(1)} ms in all`,
  };
}

/** The commonest first, with how often: "3 x poll: wrong map". */
export function listDeoptimisations(all: readonly Deoptimisation[]): string[] {
  const times = new Map<string, number>();
  for (const { name, reason } of all) {
    const text = `${name || "(no name)"}: ${reason}`;
    times.set(text, (times.get(text) ?? 0) + 1);
  }
  const sorted = [...times].toSorted(([, a], [, b]) => b - a);
  const lines = sorted.slice(0, LISTED).map(([text, count]) => `${count} x ${text}`);
  return sorted.length > LISTED ? [...lines, `and ${sorted.length - LISTED} others`] : lines;
}

/** Packets of a kind that the sender does not send. */
function strangers({ rejectedBy, malformedBy }: Totals["counts"]): number {
  return rejectedBy.notIpv4 + rejectedBy.notUdp + rejectedBy.port + malformedBy.fragment;
}

/** A step in the series makes one half steep, a leak both. */
function growsSteadily(intervals: readonly Interval[], values: readonly number[]): boolean {
  const times = intervals.map(({ endS }) => endS), middle = values.length >> 1;
  if (middle < LEAST_OF_A_HALF) return false;
  const halves = [[0, middle], [middle, values.length]];
  const steep = halves.every(([a, b]) => slope(times.slice(a, b), values.slice(a, b)) > SLOPE);
  return steep && slope(times, values) * (times.at(-1)! - times[0]) > NOISE;
}

/** Of the least-squares line. */
function slope(x: readonly number[], y: readonly number[]): number {
  const meanX = mean(x), meanY = mean(y);
  let xy = 0, xx = 0;
  for (let i = 0; i < x.length; i++) {
    xy += (x[i] - meanX) * (y[i] - meanY);
    xx += (x[i] - meanX) ** 2;
  }
  return xy / xx;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function notEnough(name: string, intervals: readonly Interval[]): Check {
  const count = `${intervals.length} interval${intervals.length === 1 ? "" : "s"}`;
  const figures = `${count}: it takes ${LEAST_TO_JUDGE} to compare`;
  return { name, verdict: "not judged", figures };
}

function mega(bytes: number): string {
  return (bytes / MB).toFixed(2);
}

function signed(value: number): string {
  return `${value < 0 ? "" : "+"}${value.toFixed(2)}`;
}

function percent(shares: readonly number[]): string {
  return shares.map((share) => `${(share * 100).toFixed(2)} %`).join(" and ");
}

function ns(value: number): string {
  return `${value.toFixed(1)} ns`;
}
