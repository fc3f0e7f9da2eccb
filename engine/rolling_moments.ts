/**
 * Mean and standard deviation of the last samples of many series.
 *
 * A row of float64 for each series:
 *
 * ```text
 *  0      1         2             2 + window
 * ┌──────┬─────────┬─────────────┐
 * │ mean │ squares │ samples …   │   squares: sum of (sample - mean)²
 * └──────┴─────────┴─────────────┘
 * ```
 *
 * A count of samples seen stands beside it: while the row fills, up to `window`;
 * from then on it runs from `window` to `2 * window - 1`, and the oldest sample is
 * at `seen - window`.
 *
 * A full window is moved by Welford's update with the oldest sample taken out,
 * which unlike a sum of squares does not cancel when the mean is large. Its
 * rounding errors still add up, and an outlier's remain after it has left: so
 * whenever the row wraps, both moments are computed anew from the samples, and
 * no error is older than one window. That is one pass in `window` pushes.
 *
 * @module
 */

/** Smallest window: one sample has no deviation. */
export const MIN_WINDOW = 2;
/** Largest window, in samples. */
export const MAX_WINDOW = 65_536;
/** Largest sum of all windows, in samples: 1 GiB; the system backs only rows in use. */
export const MAX_SAMPLES = 134_217_728;

const MEAN = 0;
const SQUARES = 1;
const SAMPLES = 2;

/** Sliding mean and standard deviation over a fixed window, for series 0 to `seriesCount - 1`. */
export class RollingMoments {
  readonly #rows: Float64Array;
  readonly #seen: Int32Array;
  readonly #window: number;
  readonly #stride: number;
  readonly #perSample: number;

  /**
   * Makes empty windows.
   *
   * @param seriesCount number of series
   * @param window samples that count, 2 to 65,536
   * @throws {RangeError} if the window is out of range, or the series together need over 1 GiB
   */
  constructor(seriesCount: number, window: number) {
    if (!(Number.isInteger(window) && window >= MIN_WINDOW && window <= MAX_WINDOW)) {
      throw new RangeError(
        `Cannot create window: size is "${window}" samples: pass a whole number from ${MIN_WINDOW} to ${MAX_WINDOW}`,
      );
    }
    if (seriesCount * (window + SAMPLES) > MAX_SAMPLES) {
      throw new RangeError(
        `Cannot create window: "${seriesCount}" instruments with "${window}" samples need over 1 GiB: lower either`,
      );
    }
    this.#window = window;
    this.#stride = window + SAMPLES;
    this.#perSample = 1 / window;
    this.#seen = new Int32Array(seriesCount);
    this.#rows = new Float64Array(seriesCount * this.#stride);
  }

  /** Whether `series` has had a whole window of samples. */
  full(series: number): boolean {
    return this.#seen[series] >= this.#window;
  }

  /** Mean of the window; meaningful once it is full. */
  mean(series: number): number {
    return this.#rows[series * this.#stride + MEAN];
  }

  /** Standard deviation of the window, of the whole and not of a sample; meaningful once it is full. */
  deviation(series: number): number {
    const squares = this.#rows[series * this.#stride + SQUARES];
    // Rounding can leave a sum of squares just below 0.
    return Math.sqrt(Math.max(squares * this.#perSample, 0));
  }

  /** Appends a finite sample to `series`; the oldest of a full window leaves. */
  push(series: number, sample: number): void {
    const seen = this.#seen[series]++;
    const window = this.#window;
    const row = series * this.#stride;
    if (seen < window) return this.#fill(series, sample);
    const rows = this.#rows;
    const at = row + SAMPLES + seen - window;
    const oldest = rows[at];
    const change = sample - oldest;
    const mean = rows[row + MEAN];
    const moved = mean + change * this.#perSample;
    rows[at] = sample;
    rows[row + MEAN] = moved;
    rows[row + SQUARES] += change * (sample - moved + oldest - mean);
    if (seen + 1 === window * 2) this.#rebuild(series);
  }

  #fill(series: number, sample: number): void {
    const row = series * this.#stride;
    const seen = this.#seen[series];
    // The first sample is a guess at the mean; the rebuild at the end makes it right.
    if (seen === 1) this.#rows[row + MEAN] = sample;
    this.#rows[row + SAMPLES + seen - 1] = sample;
    if (seen === this.#window) this.#rebuild(series);
  }

  /** Computes both moments from the samples, the present mean being near enough to not cancel. */
  #rebuild(series: number): void {
    const rows = this.#rows;
    const row = series * this.#stride;
    const mean = rows[row + MEAN];
    const end = row + this.#stride;
    let sum = 0;
    let squares = 0;
    for (let at = row + SAMPLES; at < end; at++) {
      const deviation = rows[at] - mean;
      sum += deviation;
      squares += deviation * deviation;
    }
    rows[row + MEAN] = mean + sum * this.#perSample;
    rows[row + SQUARES] = squares - sum * sum * this.#perSample;
    this.#seen[series] = this.#window;
  }
}
