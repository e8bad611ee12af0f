import { cutToWidth, textWidth } from "../util/text-width.ts";
import { formatCell } from "./format-cell.ts";
import type { Io, Style } from "./io.ts";

export interface Column<Row> {
  readonly title: string;
  cell(row: Row): string;
  readonly isRight?: boolean;
  /** May be cut down to this many cells when the terminal is narrow; never cut when absent. */
  readonly minWidth?: number;
  /** On a narrow terminal the column with the highest number goes first; 0, the default, stays. */
  readonly dropOrder?: number;
  style?(row: Row): Style | undefined;
}

const gap = "  ";

/**
 * Writes a table to stdout. Terminal: a title line, aligned columns, never wider than the terminal as long as the columns
 * that must stay can be cut that far. Pipe: one line a row, tab-separated, nothing cut, no titles.
 */
export function writeTable<Row>(io: Io, columns: readonly Column<Row>[], rows: readonly Row[]): void {
  if (rows.length === 0) return;
  if (!io.isTerminal) {
    io.out(rows.map((row) => `${columns.map((column) => formatCell(column.cell(row))).join("\t")}\n`).join(""));
    return;
  }
  io.out(layOut(io, columns, rows));
}

interface Measured<Row> {
  readonly column: Column<Row>;
  readonly cells: readonly string[];
  readonly width: number;
}

function layOut<Row>(io: Io, columns: readonly Column<Row>[], rows: readonly Row[]): string {
  const measured = columns.map((column) => measure(column, rows));
  const fitted = shrink(drop(measured, io.columns), io.columns);
  const titles = joinCells(fitted.map((one) => pad(io, one, formatCell(one.column.title), "dim")));
  const lines = rows.map((row, index) =>
    joinCells(fitted.map((one) => pad(io, one, one.cells[index] ?? "", one.column.style?.(row)))),
  );
  return [titles, ...lines].map((line) => `${line}\n`).join("");
}

function measure<Row>(column: Column<Row>, rows: readonly Row[]): Measured<Row> {
  const cells = rows.map((row) => formatCell(column.cell(row)));
  // Not Math.max(...cells): as arguments, 100,000 cells overflow the stack.
  const width = cells.reduce((widest, cell) => Math.max(widest, textWidth(cell)), textWidth(formatCell(column.title)));
  return { column, cells, width };
}

/** Leaves out columns until the rest fits, each cut as far as it may be. */
function drop<Row>(measured: readonly Measured<Row>[], available: number): readonly Measured<Row>[] {
  const needed = total(measured.map((one) => Math.min(one.width, one.column.minWidth ?? one.width)));
  const last = measured.toSorted((one, other) => dropOrder(other) - dropOrder(one))[0];
  if (needed <= available || last === undefined || dropOrder(last) === 0) return measured;
  return drop(
    measured.filter((one) => one !== last),
    available,
  );
}

function dropOrder<Row>(measured: Measured<Row>): number {
  return measured.column.dropOrder ?? 0;
}

/** Takes the cells that are too many from the widest column that can still give. */
function shrink<Row>(measured: readonly Measured<Row>[], available: number): readonly Measured<Row>[] {
  const widths = measured.map((one) => one.width);
  for (let excess = total(widths) - available; excess > 0; excess -= 1) {
    let widest = -1;
    for (const [index, { column }] of measured.entries()) {
      const width = widths[index] ?? 0;
      if (width > (column.minWidth ?? Infinity) && width > (widths[widest] ?? 0)) widest = index;
    }
    if (widest === -1) break;
    widths[widest] = (widths[widest] ?? 0) - 1;
  }
  return measured.map((one, index) => ({ ...one, width: widths[index] ?? one.width }));
}

function total(widths: readonly number[]): number {
  return widths.reduce((sum, width) => sum + width, gap.length * Math.max(0, widths.length - 1));
}

/** Blanks stay without colour, so that those at the end of a line can go. */
function pad<Row>(io: Io, { column, width }: Measured<Row>, text: string, style: Style | undefined): string {
  const cut = cutToWidth(text, width, ellipsisOf(io));
  const painted = cut === "" || style === undefined ? cut : io.style(style, cut);
  const blanks = " ".repeat(Math.max(0, width - textWidth(cut)));
  return column.isRight === true ? blanks + painted : painted + blanks;
}

/** What stands for the part of a text that was cut off. */
export const ellipsisOf = (io: Io): string => (io.isUtf8 ? "…" : "~");

function joinCells(cells: readonly string[]): string {
  return cells.join(gap).trimEnd();
}
