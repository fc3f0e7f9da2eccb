/**
 * Purpose: one object for all values that are written alike, so that `===` says whether two are the same.
 */
import type { Value } from "./tree.ts";

/** Gives values numbers: the same to those that are written alike. */
export class Interner {
  readonly #byText = new Map<string, { value: Value; id: number }>();
  readonly #byValue = new Map<Value, { value: Value; id: number }>();

  /** The value that stands for all that are written like this one. */
  one(value: Value): Value {
    return this.#find(value).value;
  }

  /** Its number, from 0 on. */
  id(value: Value): number {
    return this.#find(value).id;
  }

  #find(value: Value): { value: Value; id: number } {
    const known = this.#byValue.get(value);
    if (known !== undefined) return known;
    const inner = this.#withInner(value), text = this.#text(inner);
    const found = this.#byText.get(text) ?? { value: inner, id: this.#byText.size };
    this.#byText.set(text, found);
    this.#byValue.set(value, found);
    this.#byValue.set(inner, found);
    return found;
  }

  /** The same, of values that stand for all that are written like them. */
  #withInner(value: Value): Value {
    if (value.kind === "operation") {
      return { ...value, left: this.one(value.left), right: this.one(value.right) };
    }
    return value.kind === "load" && value.base !== undefined
      ? { ...value, base: this.one(value.base) }
      : value;
  }

  #text(value: Value): string {
    switch (value.kind) {
      case "number":
        return `${value.value}`;
      case "length":
        return "length";
      case "load": {
        const base = value.base === undefined ? "" : this.id(value.base);
        return `load ${base},${value.offset},${value.bytes},${value.order ?? ""}`;
      }
      case "operation":
        return `${this.id(value.left)} ${value.operator} ${this.id(value.right)}`;
    }
  }
}
