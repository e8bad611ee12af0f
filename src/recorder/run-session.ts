import type { Server } from "node:net";
import { trackTags } from "../entities/tag-keys.ts";
import type { SystemMetricsMonitor } from "../system-metrics/system-metrics-monitor.ts";
import type { ConsoleSource, RunSummary } from "../wire/control-messages.ts";
import type { AttemptEnd } from "../wire/final-status.ts";
import type { ProcessIdentity } from "../wire/journal-header.ts";
import { describeRun } from "./describe-run.ts";
import { joinedRank } from "./joined-rank.ts";
import { LifeTags } from "./life-tags.ts";
import { openReadAlong, type ReadAlong } from "./read-along.ts";
import { ProgramLife } from "./program-life.ts";
import { ProgramSampling } from "./program-sampling.ts";
import { Recording, type RecordingOptions } from "./recording.ts";
import type { ShellVoice } from "./record-handler.ts";
import { createRunMonitor, samplingTags } from "./run-sampling.ts";
import { SaidSources } from "./said-sources.ts";
import { SessionConsole } from "./session-console.ts";
import { summarizeRun } from "./summarize-run.ts";
import { endOpenRuns, endTimeOf, writeEnd } from "./write-end.ts";

export interface RunSessionOptions extends RecordingOptions {
  /** While this run is only finished by a later command: nothing is sampled or described any more. */
  readonly isRepair?: boolean;
  /** Of a run that belongs to a shell. */
  readonly shell?: ShellVoice | undefined;
}

/** One run as its recorder sees it: everything that is heard, sampled and described, until the final status. */
export class RunSession {
  readonly recording: Recording;
  /** Where the run's processes say things. */
  readonly sources: SaidSources;
  readonly console: SessionConsole;
  readonly #options: RunSessionOptions;
  readonly #lifeTags: LifeTags;
  readonly #monitor: SystemMetricsMonitor | undefined;
  readonly #programs: ProgramSampling;
  readonly #programLife: ProgramLife;
  #command: ProcessIdentity | undefined;
  #description: Promise<void> = Promise.resolve();

  /** `undefined` while another process has the journal. */
  static async open(options: RunSessionOptions): Promise<RunSession | undefined> {
    const recording = await Recording.open(options);
    if (recording === undefined) return undefined;
    await recording.view.seed();
    // What a dead recorder had not read any more was said before it fell silent.
    const { lastSaidAt } = recording.earlier;
    const now = options.isRepair === true ? () => lastSaidAt : options.now;
    return new RunSession(recording, options, await openReadAlong(recording, now));
  }

  private constructor(recording: Recording, options: RunSessionOptions, readAlong: ReadAlong) {
    const { isRepair = false, shell, env, now } = options;
    this.recording = recording;
    this.#options = options;
    this.#lifeTags = new LifeTags(recording, options.now);
    this.#programLife = new ProgramLife(recording, options.now);
    this.sources = new SaidSources(recording, {
      tensorboard: readAlong.tensorboard,
      shell,
      sample: isRepair ? undefined : (request) => this.#programs.set(request),
    });
    this.#programs = new ProgramSampling(recording, env);
    this.console = new SessionConsole(recording, { isRepair, metrics: readAlong.console });
    if (!isRepair && recording.header.sampling.enabled) {
      this.#monitor = createRunMonitor(recording, { env, now, rootPid: () => this.#command?.pid });
    }
  }

  get command(): ProcessIdentity | undefined {
    return this.#command;
  }

  /** Begins to listen, sample and describe. */
  start(server: Server | undefined): void {
    const { header, folder } = this.recording;
    this.sources.start(server);
    this.#monitor?.start();
    this.recording.start();
    if (header.kind === "program") this.#programLife.start();
    if (header.kind === "program" || joinedRank(header) !== undefined) return;
    this.#description = describeRun(this.recording, folder, this.#options.env);
    this.#lifeTags.startBeating();
  }

  /** `runId`: the id that the command was given. */
  commandStarted(command: ProcessIdentity, console: ConsoleSource, runId: string): void {
    this.#command = command;
    this.recording.ids.childRunId = runId;
    this.#noteOfflineId(runId);
    this.console.follow(console);
    if (joinedRank(this.recording.header) === undefined) this.#lifeTags.nameProcesses(command);
  }

  /** Started while no server could give the run its id: whoever has noted the one it had then must find it. */
  #noteOfflineId(runId: string): void {
    const { isServer, header, live } = this.recording;
    if (joinedRank(header) !== undefined) return;
    if (!isServer || header.isResumed || runId !== header.runId || live.tags.has(trackTags.offlineId)) return;
    this.recording.logTags([{ key: trackTags.offlineId, value: runId }]);
  }

  /** Takes in what is still on its way and writes how the attempt ended; the last thing written is the final status. */
  async end(end: AttemptEnd): Promise<void> {
    this.#lifeTags.stop();
    this.#programLife.stop();
    const stopped = Promise.all([this.#monitor?.stop(), this.#programs.stop()]);
    await this.sources.takeIn();
    await this.console.store();
    this.sources.tellEmptyFolders();
    await stopped;
    await this.#description;
    if (this.recording.header.kind === "program") return;
    const summaryTags = samplingTags(this.#monitor);
    writeEnd(this.recording, { end, endTime: this.#endTime(end), summaryTags, lifeTags: this.#lifeTags });
  }

  /** Of a run that is over. */
  summary(end: AttemptEnd): Promise<RunSummary> {
    return summarizeRun(this.recording, end, this.#monitor);
  }

  /** The command has created runs that nobody has ended. */
  get hasOpenRuns(): boolean {
    return this.recording.openRuns.running.length > 0;
  }

  /** Nobody is left who could end them: they end as the command did. */
  endOpenRuns(end: AttemptEnd): void {
    endOpenRuns(this.recording, end, this.#endTime(end));
  }

  #endTime(end: AttemptEnd): number {
    return endTimeOf(this.recording, end, this.#options.now());
  }

  /** Takes in what was said since, and ends listening and the journal's session. */
  async close(): Promise<void> {
    await this.sources.takeIn();
    await this.sources.close();
    await this.recording.close();
  }
}
