import type { EndRequest } from "../wire/end-request.ts";
import type { SamplingRequest } from "../wire/sampling-request.ts";
import type { LogBatchRecord, LogRecord } from "../entities/log-record.ts";
import type { Param } from "../entities/param.ts";
import type {
  AppendFileHandler,
  BadLineKind,
  FlushLevel,
  IntakeHandler,
  RecordSource,
} from "../intake/intake-handler.ts";
import { StoreError } from "../errors.ts";
import type { ArtifactIntake } from "./artifact-intake.ts";
import type { LiveRun } from "./live-run.ts";

/** What the shell that a run belongs to has to say of itself. */
export interface ShellVoice {
  hearPid(pid: number): void;
  /** Resolves to a summary once all is stored. */
  end(request: EndRequest): Promise<unknown>;
}

export interface RecordHandlerOptions {
  readonly live: LiveRun;
  readonly artifacts: ArtifactIntake;
  maskText(text: string): string;
  flush(level: FlushLevel): Promise<void>;
  getRun(runId?: string): unknown;
  warn(kind: string, text: string): void;
  /** How far the append file is taken in, in bytes. */
  onOffset(offset: number): void;
  /** Checks params of another run, then calls `write`; `undefined`, and nothing called, where nothing can be checked. */
  passParams(runId: string, params: readonly Param[], write: () => void): Promise<void> | undefined;
  /** Absent where nothing is sampled any more. */
  readonly sample?: ((request: SamplingRequest) => void) | undefined;
  /** Where the run belongs to a shell. */
  readonly shell?: ShellVoice | undefined;
  /** After each chunk of records. */
  onBatch(): void;
}

/** What socket and append file say goes into the live run; bad lines are counted and told once per kind. */
export class RecordHandler implements IntakeHandler, AppendFileHandler {
  readonly #options: RecordHandlerOptions;
  readonly #badLines = new Map<BadLineKind, number>();
  #logOffset: number | undefined;

  constructor(options: RecordHandlerOptions) {
    this.#options = options;
  }

  get badLines(): number {
    return this.#badLines.values().reduce((sum, count) => sum + count, 0);
  }

  record(record: LogRecord, source: RecordSource): undefined | Promise<void> {
    if (record.type !== "batch") return this.#takeArtifact(record);
    const { params, runId } = record;
    const { live } = this.#options;
    if (params !== undefined && runId !== undefined && !live.isOwn(runId)) return this.#takeOthersParams(record, runId);
    live.log(record, source.kind === "socket" ? source.connectionId : undefined);
    return undefined;
  }

  /** Written at once, so that the next conflict is seen. */
  #takeOthersParams(record: LogBatchRecord, runId: string): undefined | Promise<void> {
    const { live, passParams } = this.#options;
    const write = (): void => {
      live.log(record);
      live.commit();
    };
    const params = record.params?.map(([key, value]) => ({ key, value })) ?? [];
    const passed = passParams(runId, params, write);
    if (passed === undefined) live.log(record);
    return passed;
  }

  fileOffset(offset: number): void {
    this.#logOffset = offset;
    this.#options.onOffset(offset);
  }

  batchEnd(): void {
    this.#options.live.commit(this.#logOffset);
    this.#logOffset = undefined;
    this.#options.onBatch();
  }

  flush(level: FlushLevel): Promise<void> {
    this.batchEnd();
    return this.#options.flush(level);
  }

  getRun(runId?: string): unknown {
    return this.#options.getRun(runId);
  }

  shellPid(pid: number): void {
    this.#options.shell?.hearPid(pid);
  }

  async end(request: EndRequest): Promise<unknown> {
    const { shell } = this.#options;
    if (shell === undefined) throw new StoreError("INVALID_STATE", "this run ends with its command");
    this.batchEnd();
    return await shell.end(request);
  }

  sample(request: SamplingRequest): void {
    this.#options.sample?.(request);
  }

  reportBad(kind: BadLineKind, message: string): void {
    this.#badLines.set(kind, (this.#badLines.get(kind) ?? 0) + 1);
    this.#options.warn(`bad line: ${kind}`, `a log line was dropped: ${message}`);
  }

  async #takeArtifact(record: Exclude<LogRecord, { readonly type: "batch" }>): Promise<void> {
    const { artifacts, live } = this.#options;
    const operation =
      record.type === "artifact"
        ? await artifacts.takeFile(record)
        : await artifacts.takeText(record, this.#options.maskText(record.text));
    live.write(operation);
  }
}
