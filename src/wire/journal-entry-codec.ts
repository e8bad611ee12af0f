import type {
  JournalEntry,
  JournalMemo,
  LogBatchOperation,
  MetricTuple,
  ScrapePosition,
  StoreOperation,
} from "../entities/journal-entry.ts";

type Pair = readonly [key: string, value: string];

/** A line of a segment. Batches are nearly all of a journal, so they have short keys; any other operation stands under `o` as it is. */
interface JournalLine {
  readonly s: number;
  readonly t: number;
  readonly a: number;
  readonly l?: number;
  readonly c?: readonly ScrapePosition[];
  readonly k?: JournalMemo;
  readonly r?: string;
  readonly m?: readonly MetricTuple[];
  readonly p?: readonly Pair[];
  readonly g?: readonly Pair[];
  readonly o?: StoreOperation;
}

/** One line without its newline, ASCII control characters escaped, so that it holds no newline itself. */
export function encodeEntry(entry: JournalEntry): string {
  const { operation } = entry;
  const line: JournalLine = {
    s: entry.sequence,
    t: entry.receivedAt,
    a: entry.attempt,
    ...(entry.logOffset === undefined ? {} : { l: entry.logOffset }),
    ...(entry.scraped === undefined ? {} : { c: entry.scraped }),
    ...(entry.memo === undefined ? {} : { k: entry.memo }),
    ...(operation.op === "log-batch" ? batchFields(operation) : { o: operation }),
  };
  return JSON.stringify(line);
}

/** `undefined` for a line that no `encodeEntry` has written (torn, overwritten, not JSON). */
export function decodeEntry(text: string): JournalEntry | undefined {
  const line = parseLine(text);
  if (line === undefined) return undefined;
  const operation = line.o ?? batchOf(line);
  if (operation === undefined || typeof operation.op !== "string") return undefined;
  return {
    sequence: line.s,
    receivedAt: line.t,
    attempt: line.a,
    operation,
    ...(line.l !== undefined && { logOffset: line.l }),
    ...(line.c !== undefined && { scraped: line.c }),
    ...(line.k !== undefined && { memo: line.k }),
  };
}

function batchFields(operation: LogBatchOperation): Partial<JournalLine> {
  const { metrics, params, tags } = operation;
  return {
    r: operation.runId,
    ...(metrics === undefined ? {} : { m: metrics.every(isFinite) ? metrics : metrics.map(spellOut) }),
    ...(params === undefined ? {} : { p: params.map(({ key, value }) => [key, value] as const) }),
    ...(tags === undefined ? {} : { g: tags.map(({ key, value }) => [key, value] as const) }),
  };
}

function isFinite(metric: MetricTuple): boolean {
  return typeof metric[1] === "string" || Number.isFinite(metric[1]);
}

/** JSON would turn NaN and the infinities into null. */
function spellOut(metric: MetricTuple): MetricTuple {
  if (isFinite(metric)) return metric;
  const [key, value, timestamp, step, ...about] = metric;
  return [key, String(value), timestamp, step, ...about];
}

function batchOf(line: JournalLine): LogBatchOperation | undefined {
  if (typeof line.r !== "string") return undefined;
  return {
    op: "log-batch",
    runId: line.r,
    ...(line.m === undefined ? {} : { metrics: line.m }),
    ...(line.p === undefined ? {} : { params: line.p.map(keyAndValue) }),
    ...(line.g === undefined ? {} : { tags: line.g.map(keyAndValue) }),
  };
}

const keyAndValue = ([key, value]: Pair): { key: string; value: string } => ({ key, value });

function parseLine(text: string): JournalLine | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isLine(value) ? value : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function isLine(value: unknown): value is JournalLine {
  if (typeof value !== "object" || value === null) return false;
  const line = value as Partial<JournalLine>;
  return Number.isSafeInteger(line.s) && typeof line.t === "number" && typeof line.a === "number";
}
