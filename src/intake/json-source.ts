interface RawJson {
  rawJSON(text: string): object;
}

/**
 * Parses JSON with every number as it was written, so that `JSON.stringify` of any part gives its text back:
 * `1.0`, `1e-05` and 20 digits survive. Slow beside `JSON.parse`. Throws RangeError on absurd nesting.
 */
export function parseKeepingNumberText(text: string): unknown {
  const revive = (_key: string, value: unknown, context?: { readonly source?: string }): unknown =>
    typeof value === "number" && context?.source !== undefined
      ? (JSON as unknown as RawJson).rawJSON(context.source)
      : value;
  return JSON.parse(text, revive);
}
