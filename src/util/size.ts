const exponents = "kmgt";

/** Bytes of `500MB`, `1GB` (powers of 1000), `64MiB` (powers of 1024) or a bare number; `undefined` for anything else. */
export function parseSize(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?) ?(?:([kmgt])(i)?)?(?:b)?$/iu.exec(text);
  if (match === null) return undefined;
  const base = match[3] === undefined ? 1000 : 1024;
  const exponent = match[2] === undefined ? 0 : exponents.indexOf(match[2].toLowerCase()) + 1;
  const bytes = Math.round(Number(match[1]) * base ** exponent);
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}
