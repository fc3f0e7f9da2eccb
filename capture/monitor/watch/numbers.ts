/**
 * Purpose: numbers in columns: never cut, for a number that lacks a digit is a lie; one that is too long
 * is written shorter. A width of 0 is as wide as it is.
 */

const UNKNOWN = "unknown";
const POWERS = ["", " k", " M", " G", " T", " P", " E"];

/** A whole number in `width` columns, at the right: 1,234,567, or 1234567, or 1.23 M; `null` is unknown. */
export function count(value: number | null, width: number): string {
  if (value === null) return (width < UNKNOWN.length ? "?" : UNKNOWN).padStart(width);
  const whole = Math.round(value) + 0; // no negative zero
  return shortest([grouped(whole.toFixed(0)), whole.toFixed(0), ...rounded(whole)], width);
}

/** A number with `digits` decimals. */
export function decimal(value: number, width: number, digits = 3): string {
  const texts = Array.from({ length: digits + 1 }, (_, i) => value.toFixed(digits - i));
  return shortest([grouped(texts[0]), ...texts, ...rounded(value)], width);
}

/** Money with its sign. */
export function money(value: number, width: number): string {
  const cents = Math.round(value * 100) / 100, sign = cents < 0 ? "-" : "+", size = Math.abs(cents);
  const texts = [grouped(size.toFixed(2)), size.toFixed(2), grouped(size.toFixed(0))];
  return shortest([...texts, ...rounded(size)].map((text) => sign + text), width);
}

/** A price, with the decimals that it needs. */
export function price(value: number | null, width: number): string {
  if (value === null) return "-".padStart(width);
  const small = value !== 0 && Math.abs(value) < 0.1;
  const texts = small ? [value.toPrecision(4)] : [4, 3, 2].map((digits) => value.toFixed(digits));
  return shortest([...texts, ...rounded(value)], width);
}

/** Nanoseconds: one decimal below a thousand. */
export function nanoseconds(value: number, width: number): string {
  return value < 999.95 ? decimal(value, width, 1) : count(value, width);
}

/** A share of one, in percent: `"  1.9 %"`. */
export function percent(share: number): string {
  return `${(Number.isFinite(share) ? share * 100 : 0).toFixed(1).padStart(5)} %`;
}

/** Hours, minutes and seconds. */
export function clock(ns: number): string {
  const seconds = Math.floor(ns / 1e9);
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  return [h, m, s].map((part) => String(part).padStart(2, "0")).join(":");
}

function grouped(digits: string): string {
  return digits.replace(/\B(?<!\.\d*)(?=(\d{3})+(?!\d))/g, ",");
}

/** With a power of a thousand, four, three or one digits of it. */
function rounded(value: number): string[] {
  const power = Math.min(
    POWERS.length - 1,
    Math.max(0, Math.floor(Math.log10(Math.abs(value)) / 3)),
  );
  const scaled = value / 1000 ** power;
  return [4, 3, 1].map((digits) => {
    const text = Math.abs(scaled) >= 1000 ? scaled.toExponential(2) : scaled.toPrecision(digits);
    return `${Number(text)}${POWERS[power]}`;
  });
}

/** The first that fits; where none does, the column is filled, for all to see. */
function shortest(texts: readonly string[], width: number): string {
  if (width === 0) return texts[0];
  return (texts.find((text) => text.length <= width) ?? "#".repeat(width)).padStart(width);
}
