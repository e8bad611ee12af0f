/** Ranges of code points that take two cells: East Asian Wide and Fullwidth, and emoji. */
const wideRanges: readonly (readonly [first: number, last: number])[] = [
  [0x1100, 0x115f],
  [0x231a, 0x231b],
  [0x23e9, 0x23ec],
  [0x2614, 0x2615],
  [0x26a1, 0x26a1],
  [0x2705, 0x2705],
  [0x274c, 0x274c],
  [0x2e80, 0x303e],
  [0x3041, 0x33ff],
  [0x3400, 0x4dbf],
  [0x4e00, 0x9fff],
  [0xa000, 0xa4cf],
  [0xa960, 0xa97f],
  [0xac00, 0xd7a3],
  [0xf900, 0xfaff],
  [0xfe30, 0xfe6f],
  [0xff00, 0xff60],
  [0xffe0, 0xffe6],
  [0x16fe0, 0x18cff],
  [0x1aff0, 0x1b2ff],
  [0x1f004, 0x1f004],
  [0x1f0cf, 0x1f0cf],
  [0x1f18e, 0x1f19a],
  [0x1f1e6, 0x1f1ff],
  [0x1f200, 0x1f64f],
  [0x1f680, 0x1f6ff],
  [0x1f7e0, 0x1f7eb],
  [0x1f90c, 0x1faff],
  [0x20000, 0x3fffd],
];

const isPlain = /^[\u0020-\u007e]*$/u;
const takesNoCell = /^[\p{Mn}\p{Me}\p{Cf}]$/u;
let segmenter: Intl.Segmenter | undefined;

/** Terminal cells that `text` takes: 2 for wide characters and emoji, 0 for combining marks. No control characters expected. */
export function textWidth(text: string): number {
  if (isPlain.test(text)) return text.length;
  return graphemes(text).reduce((sum, grapheme) => sum + graphemeWidth(grapheme), 0);
}

/** `text` in at most `cells` cells; what is cut is shown by `ellipsis` at the end. Never splits a grapheme. */
export function cutToWidth(text: string, cells: number, ellipsis = "…"): string {
  if (textWidth(text) <= cells) return text;
  const room = cells - textWidth(ellipsis);
  if (room < 0) return "";
  let width = 0;
  let kept = "";
  for (const grapheme of graphemes(text)) {
    width += graphemeWidth(grapheme);
    if (width > room) break;
    kept += grapheme;
  }
  return kept + ellipsis;
}

function graphemes(text: string): string[] {
  segmenter ??= new Intl.Segmenter("en", { granularity: "grapheme" });
  return Array.from(segmenter.segment(text), (part) => part.segment);
}

function graphemeWidth(grapheme: string): number {
  // U+FE0F asks for the emoji form of a character that is narrow as text.
  if (grapheme.includes("\ufe0f")) return 2;
  const point = grapheme.codePointAt(0) ?? 0;
  if (takesNoCell.test(String.fromCodePoint(point))) return 0;
  return wideRanges.some(([first, last]) => point >= first && point <= last) ? 2 : 1;
}
