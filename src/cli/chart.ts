import { cutToWidth, textWidth } from "../util/text-width.ts";
import { type ChartCanvas, createAsciiCanvas, createBrailleCanvas, drawLine } from "./chart-canvas.ts";
import { durationScale, isPlaced, linearScale, logScale, type Scale, type Tick, timeScale } from "./chart-scale.ts";
import { formatNumber } from "./format-number.ts";
import type { Io, Style } from "./io.ts";

/** Where it stands for several points, `low` and `high` are their extremes. A `value` that is no finite number is a gap. */
export interface ChartPoint {
  readonly x: number;
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

export interface ChartLine {
  /** For the legend; harmless to a terminal. */
  readonly label: string;
  /** In the order of `x`. */
  readonly points: readonly ChartPoint[];
}

/** What the horizontal axis is: steps, moments (ms since the epoch), or ms since the start. */
export type ChartAxis = "step" | "time" | "relative";

export interface ChartOptions {
  readonly axis: ChartAxis;
  readonly isLog: boolean;
  /** Cells of the whole chart, legend and all. */
  readonly columns: number;
  readonly rows: number;
}

type Terminal = Pick<Io, "isUtf8" | "style">;

const colours: readonly Style[] = ["cyan", "yellow", "magenta", "green", "blue", "red"];
const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
/** A line is told from others by its letter, wherever colours are not. */
export const mostLines = letters.length;
const fewestRows = 4;
const fewestColumns = 10;
const markerDistance = 24;

/** The text of a chart: axes with round ticks, the lines, and a legend with last, lowest and highest value; no line wider than `columns`. */
export function layOutChart(terminal: Terminal, lines: readonly ChartLine[], options: ChartOptions): string {
  const legend = layOutLegend(terminal, lines, options);
  const rows = Math.max(fewestRows, options.rows - legend.length - 2);
  const scaleY = yScale(lines, rows, options.isLog);
  const margin = Math.max(4, ...scaleY.ticks.map(({ label }) => label.length));
  const columns = Math.max(fewestColumns, options.columns - margin - 2);
  const scaleX = xScale(lines, columns, options.axis);
  const grid = drawGrid(terminal, lines, { columns, rows, scaleX, scaleY });
  const frame = terminal.isUtf8 ? boxFrame : asciiFrame;
  const labels = placeTicks(scaleY, rows, true);
  const body = grid.map((cells, row) => {
    const label = labels.get(row);
    const edge = label === undefined ? frame.side : frame.sideTick;
    return `${(label ?? "").padStart(margin)} ${edge}${cells}`.trimEnd();
  });
  return [...body, ...layOutAxis(scaleX, { margin, columns, frame, name: axisNames[options.axis] }), ...legend]
    .map((line) => `${line}\n`)
    .join("");
}

const axisNames: Readonly<Record<ChartAxis, string>> = { step: "step", time: "time", relative: "time" };

interface Frame {
  readonly side: string;
  readonly sideTick: string;
  readonly corner: string;
  readonly bottom: string;
  readonly bottomTick: string;
}

const boxFrame: Frame = { side: "│", sideTick: "┤", corner: "└", bottom: "─", bottomTick: "┬" };
const asciiFrame: Frame = { side: "|", sideTick: "+", corner: "+", bottom: "-", bottomTick: "+" };

function yScale(lines: readonly ChartLine[], rows: number, isLog: boolean): Scale {
  const values = lines.flatMap(({ points }) => points.flatMap(({ low, high, value }) => [low, high, value]));
  const most = Math.max(2, Math.ceil(rows / 2));
  return isLog ? logScale(values, most) : linearScale(values, most);
}

function xScale(lines: readonly ChartLine[], columns: number, axis: ChartAxis): Scale {
  const values = lines.flatMap(({ points }) => points.map(({ x }) => x));
  const most = Math.max(2, Math.floor(columns / 12));
  if (axis === "time") return timeScale(values, most);
  if (axis === "relative") return durationScale(values, most);
  return linearScale(values, most, 1);
}

interface Area {
  readonly columns: number;
  readonly rows: number;
  readonly scaleX: Scale;
  readonly scaleY: Scale;
}

/** The rows of the area inside of the axes. */
function drawGrid(terminal: Terminal, lines: readonly ChartLine[], area: Area): readonly string[] {
  const { columns, rows } = area;
  const canvas = (terminal.isUtf8 ? createBrailleCanvas : createAsciiCanvas)(columns, rows);
  const markers = new Map<string, number>();
  for (const [line, { points }] of lines.entries()) {
    const trace = drawPoints(canvas, points, { area, line });
    if (lines.length > 1) placeMarkers(markers, trace, { line, count: lines.length, columns });
  }
  return canvas.rows().map((cells, row) => {
    const pieces: { readonly line: number | undefined; text: string }[] = [];
    for (const [column, cell] of cells.entries()) {
      const marker = markers.get(`${row} ${column}`);
      const line = marker ?? cell?.line;
      const glyph = marker === undefined ? (cell?.glyph ?? " ") : letters.charAt(marker);
      const last = pieces.at(-1);
      if (last !== undefined && last.line === line) last.text += glyph;
      else pieces.push({ line, text: glyph });
    }
    return pieces.map(({ line, text }) => (line === undefined ? text : paint(terminal, line, text))).join("");
  });
}

function paint(terminal: Terminal, line: number, text: string): string {
  return terminal.style(colours[line % colours.length] ?? "cyan", text);
}

/** Draws one line; the row of cells at which it passes each column it touches. */
function drawPoints(
  canvas: ChartCanvas,
  points: readonly ChartPoint[],
  { area, line }: { readonly area: Area; readonly line: number },
): ReadonlyMap<number, number> {
  const trace = new Map<number, number>();
  const dotsAcross = canvas.width / area.columns;
  const dotsDown = canvas.height / area.rows;
  const traced: ChartCanvas = {
    ...canvas,
    dot: (x, y, owner) => {
      canvas.dot(x, y, owner);
      trace.set(Math.floor(x / dotsAcross), Math.floor(y / dotsDown));
    },
  };
  const toX = (value: number) => Math.round(area.scaleX.place(value) * (canvas.width - 1));
  const toY = (value: number) => Math.round((1 - area.scaleY.place(value)) * (canvas.height - 1));
  let previous: readonly [x: number, y: number] | undefined;
  for (const point of points) {
    const here = [toX(point.x), toY(point.value)] as const;
    if (Number.isNaN(here[0]) || Number.isNaN(here[1])) {
      previous = undefined;
      continue;
    }
    const [low, high] = [toY(point.low), toY(point.high)];
    if (low !== high && !Number.isNaN(low + high)) drawLine(canvas, [here[0], low], [here[0], high], line);
    drawLine(traced, previous ?? here, here, line);
    previous = here;
  }
  return trace;
}

/** A letter every few columns, those of different lines at different places; at least one on each line. */
function placeMarkers(
  markers: Map<string, number>,
  trace: ReadonlyMap<number, number>,
  { line, count, columns }: { readonly line: number; readonly count: number; readonly columns: number },
): void {
  const distance = Math.max(markerDistance, count * 2);
  const first = Math.floor(((line + 0.5) * Math.min(distance, columns)) / count);
  let isPlaced = false;
  for (let column = first; column < columns; column += distance) {
    const row = trace.get(column);
    if (row === undefined) continue;
    markers.set(`${row} ${column}`, line);
    isPlaced = true;
  }
  const [end] = [...trace].toReversed();
  if (!isPlaced && end !== undefined) markers.set(`${end[1]} ${end[0]}`, line);
}

/** Labels by row or column of cells; of two that share one, the first. */
function placeTicks(scale: Scale, cells: number, isUpwards: boolean): ReadonlyMap<number, string> {
  const placed = new Map<number, string>();
  for (const { value, label } of scale.ticks) {
    const place = scale.place(value);
    const cell = Math.round((isUpwards ? 1 - place : place) * (cells - 1));
    if (!placed.has(cell)) placed.set(cell, label);
  }
  return placed;
}

interface AxisOptions {
  readonly margin: number;
  readonly columns: number;
  readonly frame: Frame;
  readonly name: string;
}

/** The axis below, and its labels, each under its tick as far as there is room. */
function layOutAxis(scale: Scale, { margin, columns, frame, name }: AxisOptions): readonly string[] {
  const ticks = fitLabels(placeTicks(scale, columns, false), columns);
  const axis = Array.from({ length: columns }, (_, column) =>
    ticks.some(({ value }) => value === column) ? frame.bottomTick : frame.bottom,
  );
  let labels = "";
  for (const { value, label } of ticks) labels = labels.padEnd(labelStart(value, label, columns)) + label;
  return [`${" ".repeat(margin + 1)}${frame.corner}${axis.join("")}`, `${name.padEnd(margin + 2)}${labels}`.trimEnd()];
}

function labelStart(column: number, label: string, columns: number): number {
  return Math.max(0, Math.min(columns - label.length, column - Math.floor((label.length - 1) / 2)));
}

/** Leaves out every second one, and so on, until the rest does not touch. */
function fitLabels(placed: ReadonlyMap<number, string>, columns: number): readonly Tick[] {
  const ticks = Array.from(placed, ([value, label]) => ({ value, label })).toSorted(
    (one, other) => one.value - other.value,
  );
  for (let stride = 1; ; stride += 1) {
    const kept = ticks.filter((_, index) => index % stride === 0);
    const isFree = kept.every(({ value, label }, index) => {
      const before = kept[index - 1];
      const end = before === undefined ? -1 : labelStart(before.value, before.label, columns) + before.label.length;
      return labelStart(value, label, columns) > end;
    });
    if (isFree || kept.length <= 1) return kept;
  }
}

function layOutLegend(terminal: Terminal, lines: readonly ChartLine[], options: ChartOptions): readonly string[] {
  const most = Math.max(1, Math.min(lines.length, options.rows - fewestRows - 3));
  const shown = most < lines.length ? lines.slice(0, most - 1) : lines;
  const left = lines.length - shown.length;
  const mark = terminal.isUtf8 ? "…" : "~";
  return [
    ...shown.map((line, index) => {
      const name = lines.length > 1 ? `${letters.charAt(index)} ` : "";
      const room = options.columns - name.length;
      const values = summaryOf(line);
      const label = cutToWidth(line.label, Math.max(8, room - textWidth(values) - 2), mark);
      return paint(terminal, index, name) + cutToWidth(`${label}  ${values}`, room, mark);
    }),
    ...(left > 0 ? [`... ${left} more`] : []),
  ];
}

function summaryOf({ points }: ChartLine): string {
  const last = points.findLast(({ value }) => !Number.isNaN(value));
  const finite = points.filter(({ low, high }) => isPlaced(low) && isPlaced(high));
  if (last === undefined) return "no numbers";
  const lastValue = isPlaced(last.value) ? last.value : Math.sign(last.value) * Infinity;
  if (finite.length === 0) return `last ${formatNumber(lastValue)}`;
  const low = finite.reduce((least, point) => Math.min(least, point.low), Infinity);
  const high = finite.reduce((most, point) => Math.max(most, point.high), -Infinity);
  return `last ${formatNumber(lastValue)}  min ${formatNumber(low)}  max ${formatNumber(high)}`;
}
