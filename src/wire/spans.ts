/** Part of a text, from `start` up to but not including `end`. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** Appends a span; one that adds nothing to the last is left out, so that a run full of prefixes stays small. */
export function addSpan<T extends Span>(spans: T[], span: T): void {
  const last = spans.at(-1);
  if (last === undefined || span.start < last.start || span.end > last.end) spans.push(span);
}

/** The same coverage by ascending spans with a gap between any two: those that overlap or touch become one. */
export function mergeSpans(spans: readonly Span[]): readonly Span[] {
  if (spans.length < 2) return spans;
  const merged: { start: number; end: number }[] = [];
  for (const { start, end } of [...spans].sort((left, right) => left.start - right.start)) {
    const last = merged.at(-1);
    if (last !== undefined && start <= last.end) last.end = Math.max(last.end, end);
    else merged.push({ start, end });
  }
  return merged;
}
