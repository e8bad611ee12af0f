import type {
  JournalMemo,
  LogBatchOperation,
  MetricTuple,
  ScrapePosition,
  StoreOperation,
  TakenIn,
} from "../entities/journal-entry.ts";
import type { LogBatchRecord } from "../entities/log-record.ts";
import type { Metric } from "../entities/metric.ts";
import type { Run } from "../entities/run.ts";
import type { Tag } from "../entities/tag.ts";
import { attemptTag, mlflowTags } from "../entities/tag-keys.ts";
import { truncateParamValue, truncateTagValue } from "../entities/validation.ts";
import { invalidParameter } from "../errors.ts";
import type { LogBatchRequest } from "../store/tracking-store.ts";
import type { SecretMasker } from "../wire/redact.ts";
import { numberToJson } from "../wire/rest-json.ts";
import { LatestMetrics } from "./latest-metrics.ts";
import { maskOperation } from "./redact.ts";
import { PendingBatch } from "./pending-batch.ts";

/** A source of what is said: two values of one param from one speaker are a conflict, from two they are kept both. */
export type Speaker = number | { readonly port: number };

export interface LiveRunOptions {
  readonly runId: string;
  /** Whether an id that was said is this run's: the tracking server may have given it another. */
  readonly isOwnId?: (runId: string) => boolean;
  readonly attempt: number;
  /** False where the journal is a program's, whose runs are all other ones; default true. */
  readonly isOwnRunStored?: boolean;
  readonly masker: SecretMasker;
  /** Writes one entry to the journal. */
  append(operation: StoreOperation, takenIn?: TakenIn, memo?: JournalMemo): void;
  /** Asked only where two values of a param differ; absent: the very same speaker. */
  isSameSpeaker?(one: Speaker, other: Speaker): boolean;
  /** One line for the user, once per kind. */
  warn(kind: string, text: string): void;
  now(): number;
}

interface KnownParam {
  readonly value: string;
  /** Absent: said before this attempt, or by a speaker that is gone. */
  readonly speaker?: Speaker;
}

/** Entries of this many points are one write to the journal, whatever the socket delivers. */
const pointsPerEntry = 2000;

/**
 * The run as it is known while it lives: everything said goes through here, is masked, checked against write-once
 * params, collected, and journaled; reads of what is not stored yet are answered from here.
 */
export class LiveRun {
  readonly #options: LiveRunOptions;
  readonly #params = new Map<string, KnownParam>();
  readonly #tags = new Map<string, string>();
  readonly #metrics = new LatestMetrics();
  readonly #pending = new Map<string, PendingBatch>();
  #own: PendingBatch;
  #lastOther: PendingBatch | undefined;
  #scraped: readonly ScrapePosition[] | undefined;
  #maskedNames = new Set<string>();

  constructor(options: LiveRunOptions) {
    this.#options = options;
    this.#own = new PendingBatch(options.runId);
    this.#pending.set(options.runId, this.#own);
  }

  get #isOwnRunStored(): boolean {
    return this.#options.isOwnRunStored !== false;
  }

  get params(): ReadonlyMap<string, string> {
    return new Map(Array.from(this.#params, ([key, { value }]) => [key, value]));
  }

  get tags(): ReadonlyMap<string, string> {
    return this.#tags;
  }

  get metrics(): LatestMetrics["points"] {
    return this.#metrics.points;
  }

  /** What the store holds of a run that is continued, without the tags of its ended attempt. */
  seed(run: Run, staleTags: readonly string[]): void {
    for (const { key, value } of run.data.params) if (!this.#params.has(key)) this.#params.set(key, { value });
    for (const { key, value } of run.data.tags) {
      if (!this.#tags.has(key) && !staleTags.includes(key)) this.#tags.set(key, value);
    }
    for (const metric of run.data.metrics) this.#metrics.note(metric.key, metric.value, metric.timestamp, metric.step);
  }

  isOwn(runId: string): boolean {
    return runId === this.#options.runId || this.#options.isOwnId?.(runId) === true;
  }

  /** What an earlier recorder of this journal had written down. */
  observe(operation: StoreOperation): void {
    if (!("runId" in operation) || operation.runId !== this.#options.runId) return;
    if (operation.op === "create-run") this.#noteTags(operation.tags);
    // The store gives the run the tag of its name by itself.
    if ((operation.op === "create-run" || operation.op === "update-run") && (operation.runName ?? "") !== "") {
      this.#tags.set(mlflowTags.runName, operation.runName ?? "");
    }
    if (operation.op === "delete-tag") this.#tags.delete(operation.key);
    if (operation.op === "log-batch") this.#observeBatch(operation);
  }

  #observeBatch({ params = [], tags = [], metrics = [] }: LogBatchOperation): void {
    for (const { key, value } of params) this.#params.set(key, { value });
    this.#noteTags(tags);
    for (const [key, value, timestamp, step] of metrics) this.#metrics.note(key, Number(value), timestamp, step);
  }

  #noteTags(tags: readonly Tag[]): void {
    for (const { key, value } of tags) this.#tags.set(key, value);
  }

  /** Takes in one record, without writing it yet. Throws `StoreError` for a param that conflicts; nothing of the record is kept then. */
  log(record: LogBatchRecord, speaker?: Speaker): void {
    const batch = this.#batchOf(record.runId);
    if (record.params !== undefined) this.#logParams(batch, record.params, speaker);
    if (record.metrics !== undefined) this.#logMetrics(batch, record.metrics, record);
    if (record.tags !== undefined) for (const [key, value] of record.tags) this.#logTag(batch, key, value);
    if (batch.points >= pointsPerEntry) this.commit();
  }

  /** How far each file of console output is taken in: said with the next entry, so to be noted before its last record is logged. */
  noteScraped(positions: readonly ScrapePosition[]): void {
    this.#scraped = [...positions];
  }

  /** Writes what was collected as entries of the journal; the last of them says how far the append file is taken in. */
  commit(logOffset?: number): void {
    const takenIn = this.#takenIn(logOffset);
    let isSaid = takenIn === undefined;
    for (const batch of this.#pending.values()) {
      const operation = batch.take();
      if (operation === undefined) continue;
      const saysIt = !isSaid && (batch === this.#own || !this.#isOwnRunStored);
      this.#options.append(operation, saysIt ? takenIn : undefined);
      if (saysIt) isSaid = true;
    }
    if (!isSaid && this.#isOwnRunStored) this.#options.append({ op: "log-batch", runId: this.#options.runId }, takenIn);
    if (this.#pending.size > 1) this.#forgetOthers();
  }

  #takenIn(logOffset: number | undefined): TakenIn | undefined {
    const scraped = this.#scraped;
    this.#scraped = undefined;
    if (logOffset === undefined && scraped === undefined) return undefined;
    return { ...(logOffset !== undefined && { logOffset }), ...(scraped !== undefined && { scraped }) };
  }

  /**
   * The same for a request of MLflow's API, whose points have each a time and step of their own; it is one entry.
   * Names and numbers are checked by the caller.
   */
  logRequest({ metrics = [], params = [], tags = [] }: LogBatchRequest, speaker: Speaker, memo?: JournalMemo): void {
    this.commit();
    if (params.length > 0) {
      const pairs = params.map(({ key, value }) => [key, value] as const);
      this.#logParams(this.#own, pairs, speaker);
    }
    for (const metric of metrics) {
      this.#own.metrics.push(tupleOf(metric));
      this.#metrics.note(metric.key, metric.value, metric.timestamp, metric.step);
    }
    for (const { key, value } of tags) this.#logTag(this.#own, key, value);
    const operation = this.#own.take() ?? { op: "log-batch", runId: this.#options.runId };
    this.#options.append(operation, undefined, memo);
  }

  /** The same for another run, which the caller has checked it against. */
  writeRequest(runId: string, { metrics = [], params = [], tags = [] }: LogBatchRequest): void {
    this.write({
      op: "log-batch",
      runId,
      ...(metrics.length > 0 && { metrics: metrics.map(tupleOf) }),
      ...(params.length > 0 && { params }),
      ...(tags.length > 0 && { tags }),
    });
  }

  /** Writes any other operation, in order with what was collected; returns it as it was written, secrets masked. */
  write<Operation extends StoreOperation>(operation: Operation, memo?: JournalMemo): Operation {
    const masked = maskOperation(this.#options.masker, operation) as Operation;
    this.commit();
    this.observe(masked);
    this.#options.append(masked, undefined, memo);
    return masked;
  }

  #forgetOthers(): void {
    this.#lastOther = undefined;
    this.#pending.clear();
    this.#pending.set(this.#options.runId, this.#own);
  }

  #batchOf(runId: string | undefined): PendingBatch {
    if (runId === undefined) return this.#own;
    // The hot path: a program says the same id a million times.
    if (runId === this.#lastOther?.runId) return this.#lastOther;
    if (this.isOwn(runId)) return this.#own;
    const known = this.#pending.get(runId);
    if (known !== undefined) return (this.#lastOther = known);
    const batch = new PendingBatch(runId);
    this.#pending.set(runId, batch);
    return (this.#lastOther = batch);
  }

  #logMetrics(batch: PendingBatch, metrics: NonNullable<LogBatchRecord["metrics"]>, record: LogBatchRecord): void {
    const timestamp = record.timestamp ?? this.#options.now();
    const step = record.step ?? 0;
    for (const [key, value] of metrics) {
      const tuple: MetricTuple = [key, Number.isFinite(value) ? value : numberToJson(value), timestamp, step];
      batch.metrics.push(tuple);
      if (batch === this.#own) this.#metrics.note(key, value, timestamp, step);
    }
  }

  #logParams(batch: PendingBatch, params: NonNullable<LogBatchRecord["params"]>, speaker?: Speaker): void {
    const masked = params.map(([key, value]) => [key, this.#clean("param", key, value)] as const);
    if (batch === this.#own) for (const [key, value] of masked) this.#refuseConflict(key, value, speaker);
    for (const [key, value] of masked) this.#logParam(batch, key, value, speaker);
  }

  #refuseConflict(key: string, value: string, speaker: Speaker | undefined): void {
    const known = this.#params.get(key);
    if (known === undefined || known.value === value) return;
    if (speaker === undefined || known.speaker === undefined) return;
    if (known.speaker !== speaker && this.#options.isSameSpeaker?.(known.speaker, speaker) !== true) return;
    throw invalidParameter(
      `Changing param values is not allowed. Param with key='${key}' was already logged with value='${known.value}' ` +
        `for run ID='${this.#options.runId}'. Attempted logging new value '${value}'.`,
    );
  }

  #logParam(batch: PendingBatch, key: string, value: string, speaker: Speaker | undefined): void {
    if (batch !== this.#own) {
      batch.params.set(key, value);
      return;
    }
    const known = this.#params.get(key);
    if (known === undefined) {
      this.#params.set(key, { value, ...(speaker !== undefined && { speaker }) });
      batch.params.set(key, value);
    } else if (known.value !== value) {
      const tag = attemptTag(this.#options.attempt, `param.${key}`);
      this.#options.warn("param", `param ${key} is ${known.value} already; ${value} is kept as tag ${tag}`);
      this.#setTag(batch, tag, value);
    }
  }

  #logTag(batch: PendingBatch, key: string, value: string): void {
    this.#setTag(batch, key, this.#clean("tag", key, value));
  }

  #setTag(batch: PendingBatch, key: string, value: string): void {
    batch.tags.set(key, value);
    if (batch === this.#own) this.#tags.set(key, value);
  }

  #clean(kind: "param" | "tag", key: string, value: string): string {
    const masked = this.#options.masker.maskKeyValue(key, value);
    if (masked !== value && !this.#maskedNames.has(key)) {
      this.#maskedNames.add(key);
      this.#options.warn("secret", `the value of ${kind} ${key} looks like a secret and is stored as ***`);
    }
    const { value: cut, isCut } = kind === "param" ? truncateParamValue(masked) : truncateTagValue(masked);
    if (isCut) this.#options.warn(`long ${kind}`, `the value of ${kind} ${key} is too long and was cut`);
    return cut;
  }
}

/** A point as a journal entry has it. */
export function tupleOf({ key, value, timestamp, step, ...about }: Metric): MetricTuple {
  const said = Number.isFinite(value) ? value : numberToJson(value);
  return Object.keys(about).length === 0 ? [key, said, timestamp, step] : [key, said, timestamp, step, about];
}
