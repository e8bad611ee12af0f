import type { LoggingServer } from "../client/logging-server.ts";
import type { LoopbackServer } from "../client/loopback-server.ts";
import { leaveEarlyWord } from "../client/early-word.ts";
import { RecorderProcess } from "../client/recorder-process.ts";
import type { ProcessOutcome } from "../entities/process-outcome.ts";
import type { RunStatus } from "../entities/run-status.ts";
import type { CaptureMode } from "../settings/run-options.ts";
import { messageOf } from "../util/error-code.ts";
import { describeDescriptors } from "../util/describe-descriptors.ts";
import { readStartTicks } from "../util/proc.ts";
import { writePrivate } from "../util/write-private.ts";
import { armFaults, failOnPurpose } from "../util/test-fault.ts";
import type { OutcomeRecord, RecorderMessage, RunSummary, WrapperMessage } from "../wire/control-messages.ts";
import { consoleSegmentBytes } from "../wire/console-segments.ts";
import { exitCodeOf, finalStatus } from "../wire/final-status.ts";
import { journalFiles, type ProcessIdentity } from "../wire/journal-header.ts";
import { startCommand, type StartedCommand } from "./child-process.ts";
import type { SpoolPlace } from "./stdio/console-capture.ts";
import type { LaunchNotes } from "./launch-notes.ts";
import { leaveLike } from "./leave.ts";
import { OomWatch } from "./oom-watch.ts";

export interface RunCommandRequest {
  readonly argv: readonly string[];
  /** Absent: this process's own, also when that folder has been deleted. */
  readonly cwd?: string;
  /** The command's environment; called once, right before it starts, with the id that a tracking server has given the run. */
  readonly environment: (serverRunId: string | undefined) => Readonly<Record<string, string>>;
  /** The id that the command is given where no server has given one. */
  readonly runId: string;
  /** A tracking server gives the run its id: the recorder starts first, and the id is waited for, ms. */
  readonly runIdWaitMs?: number;
  /** The recorder's environment; default: the caller's. */
  readonly recorderEnv?: Readonly<Record<string, string>>;
  readonly notes: LaunchNotes;
  readonly capture: CaptureMode;
  readonly consoleLimitBytes: number;
  /** The command and its output go on when this process is killed. */
  readonly survive: boolean;
  /** Absent: the run is not recorded, the command runs all the same. */
  readonly journalFolder?: string;
  readonly logging?: LoggingServer | undefined;
  readonly loopback?: LoopbackServer | undefined;
  readonly timeoutMs?: number;
  readonly graceMs: number;
  readonly syncTimeoutMs: number;
  /** One line on stderr, unless `--quiet`. */
  say(text: string): void;
  /** The wait for the store may be shown as it goes on. */
  readonly showProgress: boolean;
}

export interface RunCommandResult {
  readonly outcome: ProcessOutcome;
  readonly timedOut: boolean;
  /** As the shell will see it. */
  readonly exitCode: number;
  readonly status: RunStatus;
  /** Everything is in the store. */
  readonly isStored: boolean;
  readonly summary?: RunSummary;
  /** The id that the command was given. */
  readonly runId: string;
  /** Ends this process as the command ended. */
  leave(exit: (exitCode: number) => never): never;
}

const timeoutExitCode = 124;

/** How the recorder's words begin as well: a full disk is told once. */
const journalTrouble = "the journal cannot be written";

/** Node's timers hold no more than 24.8 days, and fire at once beyond. */
const longestTimerMs = 2 ** 31 - 1;

/** Runs the command and has it recorded. Rejects only where the command was not started; a fault of recording is told in one line. */
export async function runCommand(request: RunCommandRequest): Promise<RunCommandResult> {
  // Node ends a process that only waits for things that were unref'd, with code 0: never while the command's code is not passed on.
  const keepAlive = setInterval(() => {}, 2 ** 30);
  armFaults(request.notes.environment["TRACK_TEST_FAULT"]);
  try {
    return await new CommandRun(request).run();
  } finally {
    clearInterval(keepAlive);
  }
}

function spoolIn(journalFolder: string, limitBytes: number): SpoolPlace {
  return { path: `${journalFolder}/${journalFiles.console}`, segmentBytes: consoleSegmentBytes(limitBytes) };
}

class CommandRun {
  readonly #request: RunCommandRequest;
  readonly #oom = new OomWatch();
  readonly #notices: string[] = [];
  /** What the recorder has to say before the run is announced. */
  #held: string[] | undefined;
  #recorder: RecorderProcess | undefined;
  #endWait: (() => void) | undefined;
  #onRunId: ((runId: string) => void) | undefined;
  #runId: string;
  #summary: RunSummary | undefined;
  #timedOut = false;
  #timer: NodeJS.Timeout | undefined;
  #record: OutcomeRecord | undefined;

  constructor(request: RunCommandRequest) {
    this.#request = request;
    this.#runId = request.runId;
  }

  async run(): Promise<RunCommandResult> {
    const request = this.#request;
    const serverRunId = request.runIdWaitMs === undefined ? undefined : await this.#askForRunId(request.runIdWaitMs);
    if (serverRunId !== undefined) this.#runId = serverRunId;
    const env = request.environment(serverRunId);
    this.#sayHeld();
    this.#attempt(() => this.#leaveWord());
    const started = await startCommand({
      argv: request.argv,
      ...(request.cwd !== undefined && { cwd: request.cwd }),
      env,
      notes: request.notes,
      capture: request.capture,
      ...(request.journalFolder !== undefined && { spool: spoolIn(request.journalFolder, request.consoleLimitBytes) }),
      survive: request.survive,
      onCaptureEnd: (reason) => request.say(`console output is no longer captured: ${reason}`),
      onLateSignal: () => this.#endWait?.(),
    });
    this.#surviveFaults();
    if (started.kind === "started" && request.timeoutMs !== undefined) this.#armTimeout(started, request.timeoutMs);
    this.#attempt(() => this.#oom.begin());
    const command = started.kind === "started" ? started : undefined;
    if (this.#recorder === undefined) this.#attempt(() => this.#startRecorder(command));
    if (command !== undefined) this.#attempt(() => this.#tellStarted(command));
    const outcome = started.kind === "started" ? await started.outcome : started;
    clearTimeout(this.#timer);
    const record = this.#recordOf(outcome);
    await this.#tellOutcome(record).catch((error: unknown) => this.#tellFault(error));
    return this.#result(record, started.kind === "started" && started.hasTerminal);
  }

  #armTimeout(command: StartedCommand, leftMs: number): void {
    const stepMs = Math.min(leftMs, longestTimerMs);
    this.#timer = setTimeout(() => {
      if (leftMs > stepMs) return this.#armTimeout(command, leftMs - stepMs);
      this.#timedOut = true;
      command.terminate(this.#request.graceMs);
    }, stepMs);
  }

  /** A bug of ours in some event must not end the process that stands for the command. */
  #surviveFaults(): void {
    const survive = (error: unknown): void => {
      this.#tellFault(error);
      // What would have ended the wait may be what has failed.
      this.#endWait?.();
    };
    process.on("uncaughtException", survive);
    process.on("unhandledRejection", survive);
  }

  #tellFault(error: unknown): void {
    this.#notice(`the run may not be recorded in full: ${messageOf(error)}`);
  }

  /** The command runs by now: whatever we lack (descriptors, memory), its exit code is still to be passed on. */
  #attempt<Value>(action: () => Value): Value | undefined {
    try {
      return action();
    } catch (error) {
      this.#tellFault(error);
      return undefined;
    }
  }

  /** `undefined` where none comes in time: the command starts under the journal's id, which is mapped later. */
  async #askForRunId(waitMs: number): Promise<string | undefined> {
    this.#held = [];
    let timer: NodeJS.Timeout | undefined;
    const answered = new Promise<string | undefined>((resolve) => {
      this.#onRunId = resolve;
      timer = setTimeout(() => resolve(undefined), waitMs);
    });
    this.#attempt(() => this.#startRecorder(undefined));
    const runId = this.#recorder === undefined ? undefined : await answered;
    clearTimeout(timer);
    return runId;
  }

  #sayHeld(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const text of held) this.#request.say(text);
  }

  /** For a recorder that is not met yet, should this process be killed before that: the command is not to outlive it. */
  #leaveWord(): void {
    const { notes, recorderEnv = notes.environment } = this.#request;
    const { wordFd } = notes.earlyRecorder ?? {};
    const hello = this.#hello();
    if (wordFd === undefined || hello === undefined || this.#recorder !== undefined) return;
    leaveEarlyWord(wordFd, [{ type: "environment", env: recorderEnv }, hello]);
  }

  #hello(): (WrapperMessage & { readonly type: "hello" }) | undefined {
    const { journalFolder, logging } = this.#request;
    if (journalFolder === undefined) return undefined;
    return { type: "hello", kind: "command", journalFolder, socketPath: logging?.path ?? "", verbose: false };
  }

  #startRecorder(command: StartedCommand | undefined): void {
    const { logging, loopback, notes, recorderEnv = notes.environment } = this.#request;
    const hello = this.#hello();
    if (hello === undefined) return;
    const recorder = new RecorderProcess({
      hello,
      ...(logging !== undefined && { server: logging.server }),
      ...(loopback !== undefined && { endpoint: { server: loopback.server, token: loopback.token } }),
      env: recorderEnv,
      ...(notes.earlyRecorder !== undefined && { earlyKey: notes.earlyRecorder }),
      foreignDescriptors: describeDescriptors([...notes.inheritedFds, ...(command?.leakingFds ?? [])]),
      onMessage: (message) => this.#hear(message),
      onGivenUp: () => this.#giveUp(),
    });
    this.#recorder = recorder;
    recorder.start();
    logging?.handTo((socket) => recorder.handConnection(socket));
    loopback?.handTo((socket) => recorder.handConnection(socket, "endpoint"));
  }

  #tellStarted({ pid, console }: StartedCommand): void {
    if (this.#recorder === undefined) return;
    const identity: ProcessIdentity = { pid, startTicks: readStartTicks(pid) ?? 0 };
    this.#recorder.tell({ type: "started", command: identity, console, runId: this.#runId });
    this.#keep(journalFiles.command, { ...identity, console, runId: this.#runId });
  }

  #hear(message: RecorderMessage): void {
    failOnPurpose("control");
    if (message.type === "notice") this.#notice(message.text);
    if (message.type === "run-id") this.#onRunId?.(message.runId);
    if (
      message.type === "progress" &&
      this.#record !== undefined &&
      this.#request.showProgress &&
      message.pendingEntries > 0
    ) {
      this.#notice(`waiting for the store: ${message.pendingEntries} entries left`);
    }
    if (message.type !== "done") return;
    this.#summary = message.summary;
    this.#endWait?.();
  }

  #notice(text: string): void {
    const isKnown = (told: string): boolean => told.startsWith(journalTrouble) && text.startsWith(journalTrouble);
    if (this.#notices.at(-1) === text || this.#notices.some(isKnown)) return;
    this.#notices.push(text);
    if (this.#held === undefined) this.#request.say(text);
    else this.#held.push(text);
  }

  #giveUp(): void {
    this.#request.logging?.close();
    this.#request.loopback?.close();
    this.#request.say("the recorder failed three times; what was said until now is kept in the journal");
    this.#endWait?.();
  }

  #recordOf(outcome: ProcessOutcome): OutcomeRecord {
    const oomKilled = this.#attempt(() => this.#oom.hasKilled()) ?? false;
    return { outcome, endTime: Date.now(), timedOut: this.#timedOut, oomKilled };
  }

  async #tellOutcome(record: OutcomeRecord): Promise<void> {
    this.#record = record;
    this.#keep(journalFiles.outcome, record);
    failOnPurpose("end");
    if (this.#recorder === undefined || this.#recorder.isGivenUp) return;
    const done = new Promise<void>((resolve) => (this.#endWait = resolve));
    const timer = setTimeout(() => this.#endWait?.(), this.#request.syncTimeoutMs);
    this.#recorder.tell({ type: "outcome", outcome: record });
    await done;
    clearTimeout(timer);
    await this.#recorder.isTold;
    this.#recorder.release();
  }

  /** Beside the journal, so that any later command can finish the work if both processes die. */
  #keep(name: string, content: unknown): void {
    if (this.#request.journalFolder === undefined) return;
    try {
      writePrivate(this.#request.journalFolder, name, JSON.stringify(content));
    } catch (error) {
      this.#notice(`${journalTrouble}: ${messageOf(error)}`);
    }
  }

  #result(record: OutcomeRecord, hasTerminal: boolean): RunCommandResult {
    const { outcome, timedOut } = record;
    const summary = this.#summary;
    return {
      outcome,
      timedOut,
      exitCode: timedOut ? timeoutExitCode : exitCodeOf(outcome),
      status: summary?.status ?? finalStatus(record).status,
      isStored: summary !== undefined && summary.pendingEntries === 0,
      ...(summary !== undefined && { summary }),
      runId: this.#runId,
      leave: (exit) => {
        const end: ProcessOutcome = timedOut ? { kind: "exited", exitCode: timeoutExitCode } : outcome;
        return leaveLike(end, { exit, hasTerminal });
      },
    };
  }
}
