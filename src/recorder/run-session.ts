import { rmSync } from "node:fs";
import type { Server, Socket } from "node:net";
import { join } from "node:path";
import { isTerminalStatus, type RunStatus } from "../entities/run-status.ts";
import { trackTags } from "../entities/tag-keys.ts";
import type { Tag } from "../entities/tag.ts";
import { rankEndTags } from "../journal/group-status.ts";
import { AppendFileReader } from "../intake/append-file.ts";
import { LogSocketServer } from "../intake/log-socket.ts";
import { SystemMetricsMonitor } from "../system-metrics/system-metrics-monitor.ts";
import { readStartTicks } from "../util/proc.ts";
import type { ConsoleSource, RunSummary } from "../wire/control-messages.ts";
import { journalFiles, type ProcessIdentity } from "../wire/journal-header.ts";
import { ArtifactIntake } from "./artifact-intake.ts";
import { ConsoleRecorder, hasMoreOutput, takeMaskedPart } from "./console-recorder.ts";
import type { Endpoint } from "./endpoint/endpoint.ts";
import { describeRun } from "./describe-run.ts";
import { type AttemptEnd, finalStatus } from "../wire/final-status.ts";
import type { OutputEnd } from "./output-files.ts";
import { openReadAlong, type ReadAlong } from "./read-along.ts";
import { Recording, type RecordingOptions } from "./recording.ts";
import { RecordHandler, type ShellVoice } from "./record-handler.ts";

export interface RunSessionOptions extends RecordingOptions {
  /** While this run is only finished by a later command: nothing is sampled or described any more. */
  readonly isRepair?: boolean;
  /** Of a run that belongs to a shell. */
  readonly shell?: ShellVoice | undefined;
}

const heartbeatMs = 30_000;
const processTagAfterMs = 1000;
const socketIdleMs = 50;
const untouchedSocketIdleMs = 2;

/** One run as its recorder sees it: everything that is heard, sampled and described, until the final status. */
export class RunSession {
  readonly recording: Recording;
  readonly #options: RunSessionOptions;
  readonly #handler: RecordHandler;
  readonly #socket: LogSocketServer;
  readonly #monitor: SystemMetricsMonitor | undefined;
  readonly #readAlong: ReadAlong;
  #appendFile: AppendFileReader;
  #logOffset: number;
  #console: ConsoleRecorder;
  #consoleSource: ConsoleSource = { kind: "spool" };
  #consoleEnds: readonly OutputEnd[] = [];
  #command: ProcessIdentity | undefined;
  #description: Promise<void> = Promise.resolve();
  #heartbeat: NodeJS.Timeout | undefined;
  #processTimer: NodeJS.Timeout | undefined;
  #hasConnections = false;
  #endpoint: Endpoint | undefined;

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
    this.recording = recording;
    this.#options = options;
    this.#readAlong = readAlong;
    this.#logOffset = recording.earlier.logOffset;
    this.#handler = this.#createHandler();
    this.#socket = new LogSocketServer(this.#handler);
    this.#appendFile = this.#createAppendFile();
    this.#console = this.#createConsole();
    this.#monitor = options.isRepair === true || !recording.header.sampling.enabled ? undefined : this.#createMonitor();
  }

  get runId(): string {
    return this.recording.header.runId;
  }

  get command(): ProcessIdentity | undefined {
    return this.#command;
  }

  /** Begins to listen, sample and describe. */
  start(server: Server | undefined): void {
    if (server !== undefined) this.#socket.serve(server);
    this.#appendFile.start();
    this.#readAlong.tensorboard?.start();
    this.#monitor?.start();
    this.recording.start();
    if (this.recording.header.kind === "program") return;
    if (this.#joinedRank !== undefined) return;
    this.#description = describeRun(this.recording, this.#options.folder, this.#options.env);
    this.#heartbeat = setInterval(() => this.#beat(), heartbeatMs).unref();
  }

  accept(socket: Socket): void {
    this.#hasConnections = true;
    this.#socket.accept(socket);
  }

  /** It is closed with the session. */
  useEndpoint(endpoint: Endpoint): void {
    this.#endpoint = endpoint;
  }

  /** A connection of an MLflow client. */
  acceptClient(socket: Socket): void {
    if (this.#endpoint === undefined) socket.destroy();
    else this.#endpoint.accept(socket);
  }

  /** `runId`: the id that the command was given. */
  commandStarted(command: ProcessIdentity, console: ConsoleSource, runId: string): void {
    this.#command = command;
    this.recording.ids.childRunId = runId;
    this.#noteOfflineId(runId);
    this.#consoleSource = console;
    this.#console.follow(console);
    if (this.#joinedRank !== undefined) return;
    // A run of a moment needs no tag that its end would remove again; until then its journal tells who is alive.
    this.#processTimer = setTimeout(() => this.#writeProcesses(command), processTagAfterMs).unref();
  }

  /** Started while no server could give the run its id: whoever has noted the one it had then must find it. */
  #noteOfflineId(runId: string): void {
    const { isServer, header, live } = this.recording;
    if (this.#joinedRank !== undefined) return;
    if (!isServer || header.isResumed || runId !== header.runId || live.tags.has(trackTags.offlineId)) return;
    this.recording.logTags([{ key: trackTags.offlineId, value: runId }]);
  }

  /** Of a rank that joins rank 0's run: what tells of the run's life and of how it came about is not its own to say. */
  get #joinedRank(): number | undefined {
    const index = this.recording.header.rank?.index ?? 0;
    return index > 0 ? index : undefined;
  }

  #writeProcesses(command: ProcessIdentity): void {
    const { place, wrapper } = this.recording.header;
    const recorder = { pid: process.pid, startTicks: readStartTicks(process.pid) ?? 0 };
    this.recording.logTags([
      { key: trackTags.process, value: JSON.stringify({ ...place, recorder, wrapper, command }) },
      { key: trackTags.heartbeat, value: String(this.#options.now()) },
    ]);
  }

  /** Takes in what is still on its way and writes how the attempt ended; the last thing written is the final status. */
  async end(end: AttemptEnd): Promise<void> {
    clearInterval(this.#heartbeat);
    clearTimeout(this.#processTimer);
    const stopped = this.#monitor?.stop();
    await this.takeIn();
    await this.storeConsole();
    this.#tellEmptyFolders();
    await stopped;
    await this.#description;
    if (this.recording.header.kind !== "program") this.#writeEnd(end);
  }

  /** Everything that was said until now is in the journal. Sources go on for what the command left running. */
  async takeIn(): Promise<void> {
    const idleMs = this.#hasConnections || this.#socket.connectionCount > 0 ? socketIdleMs : untouchedSocketIdleMs;
    await Promise.all([
      this.#socket.settle(idleMs),
      this.#appendFile.finish(),
      this.#readAlong.tensorboard?.finish(),
      this.#endpoint?.settle(untouchedSocketIdleMs),
    ]);
    this.#handler.batchEnd();
    this.#appendFile = this.#createAppendFile();
  }

  /** For processes that outlive the command. */
  keepListening(): void {
    this.#appendFile.start();
    this.#readAlong.tensorboard?.start();
  }

  /**
   * Writes the console log as far as it goes; what comes later replaces it. A later command does not know the values of the
   * dead run's secret variables: it stores what the run's own recorder had masked, and no more.
   */
  async storeConsole(): Promise<void> {
    if (this.#options.isRepair === true && this.recording.header.hasSecrets) {
      this.#writeConsole(takeMaskedPart(this.#options.folder));
      if (this.#readAlong.console !== undefined) await this.#scrapeRest();
      return;
    }
    this.#console.follow(this.#consoleSource);
    this.#writeConsole(await this.#console.finish());
    this.#consoleEnds = this.#console.ends;
    this.#console = this.#createConsole();
  }

  /** Reads the output for its metrics alone. */
  async #scrapeRest(): Promise<void> {
    this.#console.follow(this.#consoleSource);
    const spoolPath = await this.#console.finish();
    if (spoolPath !== undefined) rmSync(join(this.#options.folder, spoolPath), { force: true });
    this.#console = this.#createConsole();
  }

  #tellEmptyFolders(): void {
    for (const folder of this.#readAlong.tensorboard?.emptyFolders ?? []) {
      this.recording.notice(`tensorboard ${folder}`, `no TensorBoard event file has come in ${folder}`);
    }
  }

  #writeConsole(spoolPath: string | undefined): void {
    if (spoolPath === undefined) return;
    const ofRank = this.#joinedRank === undefined ? "" : `-rank-${this.#joinedRank}`;
    const artifactFile = `console/attempt-${this.recording.header.attempt}${ofRank}.log`;
    this.recording.live.write({ op: "log-artifact", runId: this.runId, spoolPath, artifactFile });
  }

  /** Where the command's output lies, as an earlier recorder was told. */
  useConsole(source: ConsoleSource): void {
    this.#consoleSource = source;
  }

  /** Output that came after `storeConsole`. */
  hasMoreConsole(): boolean {
    return hasMoreOutput(this.#consoleEnds);
  }

  async summary(end: AttemptEnd): Promise<RunSummary> {
    const { recording } = this;
    const { run, experimentName } = await recording.view.stored();
    const ownStatus = finalStatus(end).status;
    // Of one of several ranks it is that rank's own.
    const status: RunStatus = this.#joinedRank === undefined ? (run?.info.status ?? ownStatus) : ownStatus;
    // The store also has what an MLflow client of the command's wrote past us.
    const known = run?.data.metrics ?? Array.from(recording.live.metrics, ([key, { value }]) => ({ key, value }));
    // NaN and infinities become null on their way through IPC's JSON.
    const metrics = known.filter(({ key, value }) => !key.startsWith("system/") && Number.isFinite(value));
    const peak = this.#monitor?.peakMemoryMegabytes;
    return {
      runId: recording.ids.storeRunId,
      status,
      runName: run?.info.runName ?? recording.header.runName ?? "",
      ...(experimentName !== undefined && { experimentName }),
      metrics: metrics.slice(0, 3).map(({ key, value }) => [key, value]),
      ...(peak !== undefined && { peakMemoryMegabytes: peak }),
      gpuUtilization: [...(this.#monitor?.gpuUtilization ?? [])],
      pendingEntries: recording.pendingEntries,
      refusedEntries: recording.refusedEntries,
    };
  }

  /** Takes in what was said since, and ends listening and the journal's session. */
  async close(): Promise<void> {
    await this.takeIn();
    this.#socket.close();
    await this.#endpoint?.close();
    await this.recording.close();
  }

  /** The command has created runs that nobody has ended. */
  get hasOpenRuns(): boolean {
    return this.recording.openRuns.running.length > 0;
  }

  /** Nobody is left who could end them: they end as the command did. */
  endOpenRuns(end: AttemptEnd): void {
    const { status } = finalStatus(end);
    for (const runId of this.recording.openRuns.running) {
      this.recording.live.write({ op: "update-run", runId, status, endTime: this.#endTimeOf(end) });
    }
  }

  #endTimeOf(end: AttemptEnd): number {
    const endTime =
      "endTime" in end ? end.endTime : end.missing === "lost" ? this.recording.earlier.lastSaidAt : this.#options.now();
    // A clock that was set back must not end a run before it began.
    return Math.max(endTime, this.recording.header.startTime);
  }

  #writeEnd(end: AttemptEnd): void {
    const { live, memo } = this.recording;
    const final = finalStatus(end);
    const said = memo.scriptStatus ?? "RUNNING";
    const isSaid = final.isScriptStatusKept && isTerminalStatus(said);
    const status = isSaid ? said : final.status;
    if (this.#joinedRank !== undefined) {
      this.recording.logTags(rankEndTags(this.#joinedRank, status, final.tags));
      live.write({ op: "update-run", runId: this.runId, status, share: "joined" });
      return;
    }
    this.recording.logTags([...this.#summaryTags(), ...final.tags]);
    for (const key of [trackTags.process, trackTags.heartbeat]) {
      if (live.tags.has(key)) live.write({ op: "delete-tag", runId: this.runId, key });
    }
    live.write({
      op: "update-run",
      runId: this.runId,
      status,
      ...(this.recording.header.rank !== undefined && { share: "owner" as const }),
      ...(final.isScriptStatusKept && !isSaid && { unlessTerminal: true }),
      endTime: this.#endTimeOf(end),
    });
  }

  #summaryTags(): readonly Tag[] {
    const summary = this.#monitor?.summary();
    if (summary === undefined) return [];
    const toTags = (kind: string, values: ReadonlyMap<string, number>) =>
      Array.from(values, ([key, value]) => ({ key: `track.${kind}.${key}`, value: String(value) }));
    return [...toTags("peak", summary.peak), ...toTags("mean", summary.mean)];
  }

  #beat(): void {
    this.recording.logTags([{ key: trackTags.heartbeat, value: String(this.#options.now()) }]);
  }

  #createHandler(): RecordHandler {
    const { recording } = this;
    return new RecordHandler({
      live: recording.live,
      artifacts: new ArtifactIntake({ folder: this.#options.folder, runId: this.runId, cwd: recording.header.cwd }),
      maskText: (text) => recording.masker.maskText(text),
      flush: (level) => recording.flush(level),
      getRun: (runId) => recording.view.toJson(runId),
      warn: (kind, text) => recording.notice(kind, text),
      onOffset: (offset) => (this.#logOffset = offset),
      shell: this.#options.shell,
      onBatch: () => this.#slowDown(),
    });
  }

  /** Back pressure while the journal makes progress. */
  #slowDown(): void {
    const congestion = this.recording.congestion;
    if (congestion === undefined) return;
    this.#socket.pause();
    void congestion.finally(() => this.#socket.resume());
  }

  #createAppendFile(): AppendFileReader {
    const path = join(this.#options.folder, journalFiles.appendFile);
    return new AppendFileReader({ path, handler: this.#handler, offset: this.#logOffset });
  }

  #createConsole(): ConsoleRecorder {
    const { header, masker } = this.recording;
    const metrics = this.#readAlong.console;
    return new ConsoleRecorder({
      folder: this.#options.folder,
      limitBytes: header.consoleLimitBytes,
      createMasker: () => masker.createStreamMasker(),
      ...(metrics !== undefined && {
        createReader: (index) => metrics.createReader(index),
        congestion: () => this.recording.congestion,
      }),
      onNotice: (text) => this.recording.notice("console", text),
    });
  }

  #createMonitor(): SystemMetricsMonitor {
    const { sampling } = this.recording.header;
    return new SystemMetricsMonitor({
      sink: (record) => {
        if (record.type === "batch") this.recording.live.log(record);
        this.recording.live.commit();
      },
      runId: this.runId,
      rootPid: () => this.#command?.pid,
      ownPids: [process.pid],
      intervalSeconds: sampling.intervalSeconds,
      nodeId: sampling.nodeId,
      firstStep: Math.max(this.recording.earlier.nextSystemStep, nextSystemStep(this.recording)),
      env: this.#options.env,
      onNotice: (text) => this.recording.notice(`system metrics: ${text}`, text),
      now: this.#options.now,
    });
  }
}

/** A continued run goes on behind the steps of its earlier attempts, each node behind its own. */
function nextSystemStep(recording: Recording): number {
  const { nodeId } = recording.header.sampling;
  const prefix = nodeId === undefined ? "system/" : `system/${nodeId}/`;
  let next = 0;
  for (const [key, { step }] of recording.live.metrics) if (key.startsWith(prefix)) next = Math.max(next, step + 1);
  return next;
}
