/** Draws lines into a grid of cells; which line owns a cell is kept, so that it can be coloured and marked. */
export interface ChartCanvas {
  /** Dots across and down. */
  readonly width: number;
  readonly height: number;
  /** Lights one dot, 0/0 at the top left; outside of the canvas nothing happens. */
  dot(x: number, y: number, line: number): void;
  /** The rows of cells, each with the line that was drawn into it last; `undefined` for an empty cell. */
  rows(): readonly (readonly (CanvasCell | undefined)[])[];
}

export interface CanvasCell {
  readonly glyph: string;
  readonly line: number;
}

/** Bits of the dots in a braille cell (U+2800), by row and column. */
const brailleBits = [
  [0x01, 0x08],
  [0x02, 0x10],
  [0x04, 0x20],
  [0x40, 0x80],
] as const;
const brailleBase = 0x2800;

/** Two dots across and four down in each cell. */
export function createBrailleCanvas(columns: number, rows: number): ChartCanvas {
  const bits = new Uint8Array(columns * rows);
  const owners = new Int32Array(columns * rows).fill(-1);
  return {
    width: columns * 2,
    height: rows * 4,
    dot(x, y, line) {
      if (x < 0 || y < 0 || x >= columns * 2 || y >= rows * 4) return;
      const cell = (y >> 2) * columns + (x >> 1);
      bits[cell] = (bits[cell] ?? 0) | (brailleBits[y & 3]?.[x & 1] ?? 0);
      owners[cell] = line;
    },
    rows: () => cut(columns, rows, owners, (cell) => String.fromCodePoint(brailleBase + (bits[cell] ?? 0))),
  };
}

const asciiGlyphs = "*+ox#@%=";

/** One dot a cell, each line with a character of its own: for terminals that know nothing but ASCII. */
export function createAsciiCanvas(columns: number, rows: number): ChartCanvas {
  const owners = new Int32Array(columns * rows).fill(-1);
  return {
    width: columns,
    height: rows,
    dot(x, y, line) {
      if (x >= 0 && y >= 0 && x < columns && y < rows) owners[y * columns + x] = line;
    },
    rows: () => cut(columns, rows, owners, (cell) => asciiGlyphs.charAt((owners[cell] ?? 0) % asciiGlyphs.length)),
  };
}

function cut(
  columns: number,
  rows: number,
  owners: Int32Array,
  glyphOf: (cell: number) => string,
): readonly (readonly (CanvasCell | undefined)[])[] {
  return Array.from({ length: rows }, (_, row) =>
    Array.from({ length: columns }, (_unused, column) => {
      const cell = row * columns + column;
      const line = owners[cell] ?? -1;
      return line < 0 ? undefined : { glyph: glyphOf(cell), line };
    }),
  );
}

/** Lights the dots of a straight line (Bresenham). Whole numbers; what lies outside of the canvas is left out. */
export function drawLine(
  canvas: ChartCanvas,
  from: readonly [x: number, y: number],
  to: readonly [x: number, y: number],
  line: number,
): void {
  let [x, y] = from;
  const [endX, endY] = to;
  const stepX = x < endX ? 1 : -1;
  const stepY = y < endY ? 1 : -1;
  const distanceX = Math.abs(endX - x);
  const distanceY = -Math.abs(endY - y);
  let error = distanceX + distanceY;
  for (;;) {
    canvas.dot(x, y, line);
    if (x === endX && y === endY) return;
    const doubled = 2 * error;
    if (doubled >= distanceY) {
      error += distanceY;
      x += stepX;
    }
    if (doubled <= distanceX) {
      error += distanceX;
      y += stepY;
    }
  }
}
