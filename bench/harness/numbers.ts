/**
 * Purpose: what benches say of a list of measurements.
 */

/** The middle one; of an even number the mean of the two. NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b), middle = sorted.length >> 1;
  if (sorted.length === 0) return NaN;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Smallest and largest; NaN of none. */
export function range(values: readonly number[]): { min: number; max: number } {
  if (values.length === 0) return { min: NaN, max: NaN };
  return { min: Math.min(...values), max: Math.max(...values) };
}

/** How far apart the middle half of them lies, as a share of the median: 0 where all agree. */
export function spread(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b), last = sorted.length - 1;
  const at = (q: number) => sorted[Math.round(last * q)];
  return (at(0.75) - at(0.25)) / median(values);
}

/** A share as text: "4.56 %". */
export function percent(share: number): string {
  return share === 0 ? "0 %" : `${digits(share * 100)} %`;
}

/** As text with three digits that count: 0.123, 4.56, 78.9, 1230. */
export function digits(value: number): string {
  if (!Number.isFinite(value)) return "-";
  const places = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value) || 1)));
  return value.toFixed(Math.min(places, 3));
}
