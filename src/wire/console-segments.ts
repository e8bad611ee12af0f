/** Read before the part of a log that is kept, so that no half of a secret stands at its beginning; bytes. */
export const consoleMarginBytes = 64 * 1024;

/**
 * The raw console output of a run lies in segments of this size, the last one apart: `console.raw`, `console.raw.1`, ... The first
 * and the last two are kept, which holds both halves of a log of `limitBytes`.
 */
export function consoleSegmentBytes(limitBytes: number): number {
  return Math.ceil(limitBytes / 2) + 2 * consoleMarginBytes;
}

/** The path of a segment, the first one being `path`. */
export function consoleSegmentPath(path: string, index: number): string {
  return index === 0 ? path : `${path}.${index}`;
}

/** The segment that is removed when this one is begun; `undefined` while all are kept. */
export function outdatedSegment(index: number): number | undefined {
  return index > 2 ? index - 2 : undefined;
}
