const decimal = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/iu;
const special = /^([+-]?)(nan|inf|infinity)$/iu;

/** A metric's value as a shell says it: a decimal number, `nan`, `inf`, `-Infinity`; `undefined` when it is none. */
export function parseMetricText(text: string): number | undefined {
  if (decimal.test(text)) return Number(text);
  const [, sign, word] = special.exec(text) ?? [];
  if (word === undefined) return undefined;
  if (word.toLowerCase() === "nan") return Number.NaN;
  return sign === "-" ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
}

/** A whole number as a shell says it, exact; `undefined` when it is none. */
export function parseIntegerText(text: string): number | undefined {
  const value = /^[+-]?\d+$/u.test(text) ? Number(text) + 0 : Number.NaN;
  return Number.isSafeInteger(value) ? value : undefined;
}
