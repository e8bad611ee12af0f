import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { ConsoleSource } from "../wire/control-messages.ts";
import type { ConsoleMetrics } from "./console-metrics.ts";
import { ConsoleParts } from "./console-parts.ts";
import { ConsoleRecorder, hasMoreOutput, takeMaskedPart } from "./console-recorder.ts";
import { joinedRank } from "./joined-rank.ts";
import type { OutputEnd } from "./output-files.ts";
import type { Recording } from "./recording.ts";

export interface SessionConsoleOptions {
  /** A later command finishes the run: it does not know the values of the dead run's secret variables. */
  readonly isRepair: boolean;
  /** Metrics are read from the output. */
  readonly metrics: ConsoleMetrics | undefined;
}

/** The console log of one run, written as far as it goes and written anew for what comes later. */
export class SessionConsole {
  readonly #recording: Recording;
  readonly #options: SessionConsoleOptions;
  #recorder: ConsoleRecorder;
  #source: ConsoleSource = { kind: "spool" };
  #ends: readonly OutputEnd[] = [];
  readonly #parts: ConsoleParts | undefined;

  constructor(recording: Recording, options: SessionConsoleOptions) {
    this.#recording = recording;
    this.#options = options;
    this.#recorder = this.#createRecorder();
    const isInParts = !options.isRepair && recording.isServer && joinedRank(recording.header) === undefined;
    this.#parts = isInParts ? this.#createParts() : undefined;
  }

  /** The command writes there from now on. */
  follow(source: ConsoleSource): void {
    this.#source = source;
    this.#recorder.follow(source);
    this.#parts?.start();
  }

  /** Where the command's output lies, as an earlier recorder was told. */
  use(source: ConsoleSource): void {
    this.#source = source;
  }

  /**
   * Writes the console log as far as it goes; what comes later replaces it. A later command stores what the run's own recorder
   * had masked, and no more, where the run had secrets.
   */
  async store(): Promise<void> {
    this.#parts?.stop();
    if (this.#options.isRepair && this.#recording.header.hasSecrets) {
      this.#write(takeMaskedPart(this.#recording.folder));
      if (this.#options.metrics !== undefined) await this.#scrapeRest();
      return;
    }
    this.#recorder.follow(this.#source);
    this.#write(await this.#recorder.finish());
    this.#ends = this.#recorder.ends;
    this.#recorder = this.#createRecorder();
  }

  /** Output that came after `store`. */
  hasMore(): boolean {
    return hasMoreOutput(this.#ends);
  }

  /** Reads the output for its metrics alone. */
  async #scrapeRest(): Promise<void> {
    this.#recorder.follow(this.#source);
    const spoolPath = await this.#recorder.finish();
    if (spoolPath !== undefined) rmSync(join(this.#recording.folder, spoolPath), { force: true });
    this.#recorder = this.#createRecorder();
  }

  #write(spoolPath: string | undefined): void {
    if (spoolPath === undefined) return;
    const { header, live } = this.#recording;
    const rank = joinedRank(header);
    const ofRank = rank === undefined ? "" : `-rank-${rank}`;
    const artifactFile = `console/attempt-${header.attempt}${ofRank}.log`;
    live.write({ op: "log-artifact", runId: header.runId, spoolPath, artifactFile });
  }

  #createParts(): ConsoleParts {
    const { folder } = this.#recording;
    return new ConsoleParts({
      size: () => this.#recorder.size,
      copy: () => this.#recorder.copy(),
      send: (spoolPath) => {
        this.#write(spoolPath);
        this.#recording.live.commit();
      },
      isWaiting: (spoolPath) => existsSync(join(folder, spoolPath)),
      isStoreAway: () => this.#recording.isStoreAway,
    });
  }

  #createRecorder(): ConsoleRecorder {
    const { header, masker, folder } = this.#recording;
    const { metrics } = this.#options;
    return new ConsoleRecorder({
      folder,
      limitBytes: header.consoleLimitBytes,
      createMasker: () => masker.createStreamMasker(),
      ...(metrics !== undefined && {
        createReader: (index) => metrics.createReader(index),
        congestion: () => this.#recording.congestion,
      }),
      onNotice: (text) => this.#recording.notice("console", text),
    });
  }
}
