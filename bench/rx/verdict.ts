/** What a kind's figures are worth. */
export interface Verdict {
  /** What held the flood back. */
  bottleneck: "sender" | "link" | "receiver" | "unclear";
  /** The rule that says so, with its figures, as a sentence. */
  because: string;
  /** Whether the throughput is the receiver's own; whether its service time and CPU time can be believed. */
  throughputMeans: boolean;
  serviceMeans: boolean;
  /** What makes the figures doubtful: a machine that was disturbed, runs that disagree. */
  warnings: string[];
}
