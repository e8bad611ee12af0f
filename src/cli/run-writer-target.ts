import { resolve } from "node:path";
import { basename, join } from "node:path/posix";
import { limits } from "../entities/limits.ts";
import type { LogArtifactRecord, LogBatchRecord, LogRecord } from "../entities/log-record.ts";
import type { Metric } from "../entities/metric.ts";
import { truncateParamValue, truncateTagValue, type TruncatedValue } from "../entities/validation.ts";
import { StoreError } from "../errors.ts";
import { parseLine } from "../intake/record-parser.ts";
import type { LogBatchRequest } from "../store/tracking-store.ts";
import type { LineAnswer, LogTarget } from "./log-target.ts";
import { withTextFile } from "./text-file.ts";

/** Writes to one run in a store, whoever opened it. */
export interface RunWriter extends AsyncDisposable {
  logBatch(request: LogBatchRequest): Promise<void>;
  /** `artifactFile`: path of the file or folder itself below the run's artifact root. */
  logArtifact(localPath: string, artifactFile: string): Promise<void>;
}

export interface RunWriterTargetOptions {
  /** For relative paths of artifacts. */
  readonly cwd: string;
  /** ms since the epoch. */
  now(): number;
  /** One line for the user. */
  warn(message: string): void;
}

/**
 * The store itself, taking the same lines as the socket. Metrics alone are collected and written together, at the end
 * at the latest: then a store that fails is an error of the whole, not of a line.
 */
export class RunWriterTarget implements LogTarget {
  readonly #writer: RunWriter;
  readonly #options: RunWriterTargetOptions;
  #metrics: Metric[] = [];
  #last: Promise<unknown> = Promise.resolve();

  constructor(writer: RunWriter, options: RunWriterTargetOptions) {
    this.#writer = writer;
    this.#options = options;
  }

  /** One after the other, in the order of the calls. */
  send(text: string): Promise<LineAnswer> {
    const answer = this.#last.then(() => this.#handle(text));
    this.#last = answer.catch(() => {});
    return answer;
  }

  async #handle(text: string): Promise<LineAnswer> {
    const request = parseLine(text);
    switch (request.kind) {
      case "bad":
        return { ok: false, message: request.message };
      case "get":
      case "end":
      case "sampling":
        return { ok: false, message: `"${request.kind}" asks a socket, not a store` };
      case "flush":
        await this.#writeMetrics();
        return { ok: true };
      case "record":
        return this.#take(request.record);
    }
  }

  async finish(): Promise<void> {
    await this.#last;
    await this.#writeMetrics();
  }

  async #writeMetrics(): Promise<void> {
    if (this.#metrics.length === 0) return;
    const metrics = this.#metrics;
    this.#metrics = [];
    await this.#writer.logBatch({ metrics });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writer[Symbol.asyncDispose]();
  }

  async #take(record: LogRecord): Promise<LineAnswer> {
    if (record.type === "batch" && record.params === undefined && record.tags === undefined) {
      this.#metrics.push(...this.#toMetrics(record));
      if (this.#metrics.length >= limits.metricsPerBatch) await this.#writeMetrics();
      return { ok: true };
    }
    await this.#writeMetrics();
    try {
      await this.#write(record);
      return { ok: true };
    } catch (error) {
      if (error instanceof StoreError && error.errorCode === "INVALID_PARAMETER_VALUE") {
        return { ok: false, message: error.message };
      }
      throw error;
    }
  }

  async #write(record: LogRecord): Promise<void> {
    switch (record.type) {
      case "batch":
        return this.#writer.logBatch(this.#toRequest(record));
      case "artifact":
        return this.#writer.logArtifact(...this.#artifactPaths(record));
      case "text":
        return withTextFile(record.artifactFile, record.text, (path) =>
          this.#writer.logArtifact(path, record.artifactFile),
        );
    }
  }

  #artifactPaths({ path, cwd = this.#options.cwd, artifactPath = "" }: LogArtifactRecord): [string, string] {
    const localPath = resolve(cwd, path);
    return [localPath, join(artifactPath, basename(localPath))];
  }

  #toMetrics(record: LogBatchRecord): Metric[] {
    const { metrics = [], step = 0, timestamp = this.#options.now() } = record;
    return metrics.map(([key, value]) => ({ key, value, step, timestamp }));
  }

  #toRequest(record: LogBatchRecord): LogBatchRequest {
    const { params = [], tags = [] } = record;
    return {
      metrics: this.#toMetrics(record),
      params: params.map(([key, value]) => ({ key, value: this.#cut("param", key, truncateParamValue(value)) })),
      tags: tags.map(([key, value]) => ({ key, value: this.#cut("tag", key, truncateTagValue(value)) })),
    };
  }

  #cut(kind: string, key: string, { value, isCut }: TruncatedValue): string {
    if (isCut) this.#options.warn(`the value of ${kind} ${key} is too long for MLflow and was cut`);
    return value;
  }
}
