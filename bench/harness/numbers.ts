/**
 * Purpose: what benches say of a list of measurements.
 */

/** The middle one; of an even number the mean of the two. NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b), middle = sorted.length >> 1;
  if (sorted.length === 0) return NaN;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** The n-th root of the product of n values above 0. NaN of none. */
export function geometricMean(values: readonly number[]): number {
  return Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);
}

/** Smallest and largest; NaN of none. */
export function range(values: readonly number[]): { min: number; max: number } {
  if (values.length === 0) return { min: NaN, max: NaN };
  return { min: Math.min(...values), max: Math.max(...values) };
}

/** How far apart the middle half of them lies, as a share of the median: 0 where all agree, NaN of fewer than two. */
export function spread(values: readonly number[]): number {
  if (values.length < 2) return NaN;
  return (quantile(values, 0.75) - quantile(values, 0.25)) / median(values);
}

/** The value below which the share `q` of them lies, between two of them in proportion. */
function quantile(values: readonly number[], q: number): number {
  const sorted = values.toSorted((a, b) => a - b), at = (sorted.length - 1) * q;
  const low = Math.floor(at), high = Math.ceil(at);
  return sorted[low] + (sorted[high] - sorted[low]) * (at - low);
}

/** A share as text: "4.56 %". */
export function percent(share: number): string {
  if (!Number.isFinite(share)) return "-";
  return share === 0 ? "0 %" : `${digits(share * 100)} %`;
}

/** As text with three digits that count: 0.00012, 0.123, 4.56, 78.9, 1230. */
export function digits(value: number): string {
  if (!Number.isFinite(value)) return "-";
  if (value !== 0 && Math.abs(value) < 0.01) return String(Number(value.toPrecision(2)));
  const places = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value) || 1)));
  return value.toFixed(Math.min(places, 3));
}
