/**
 * Purpose: what is wrong with an expression, where, and what was expected there.
 */
import type { Span } from "./language/syntax.ts";

const WIDTH = 72, BEFORE = 40; // of a long expression so much is shown, and so much of it before the place

/**
 * An expression that cannot be compiled; the message shows the place with a caret.
 *
 * @example Where a mistake is
 * ```ts
 * import { Expression, ExpressionError } from "@uspf/uspf";
 *
 * try {
 *   new Expression("udp prot 5001");
 * } catch (error) {
 *   console.assert(error instanceof ExpressionError && error.offset === 4);
 * }
 * ```
 */
export class ExpressionError extends SyntaxError {
  /** Always `ExpressionError`. */
  override readonly name = "ExpressionError";
  /** Where it begins in the expression, in characters from 0. */
  readonly offset: number;

  /** `state` says what is there, `remedy` what to write instead, as in `"tpc" is no keyword`, `expected "tcp"`. */
  constructor(expression: string, at: Span, state: string, remedy: string) {
    super(
      `Cannot compile the filter: column ${at.from + 1}: ${state}: ${remedy}\n${
        excerpt(expression, at)
      }`,
    );
    this.offset = at.from;
  }
}

/** The expression's piece around the place, and carets below it. */
function excerpt(expression: string, { from, to }: Span): string {
  const begin = expression.length <= WIDTH ? 0 : Math.max(0, from - BEFORE);
  const piece = expression.slice(begin, begin + WIDTH).replace(/\s/g, " ");
  const left = begin > 0 ? "…" : "", right = begin + WIDTH < expression.length ? "…" : "";
  const carets = "^".repeat(Math.max(1, Math.min(to - from, begin + WIDTH - from)));
  return `  ${left}${piece}${right}\n  ${" ".repeat(left.length + from - begin)}${carets}`;
}
