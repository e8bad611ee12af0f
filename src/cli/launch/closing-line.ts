import type { JournalHeader } from "../../wire/journal-header.ts";
import type { ProcessOutcome } from "../../entities/process-outcome.ts";
import type { RunStatus } from "../../entities/run-status.ts";
import type { RunSummary } from "../../wire/control-messages.ts";
import type { RunCommandResult } from "../../wrapper/run-command.ts";
import { formatDuration } from "../format-time.ts";
import { formatNumber } from "../format-number.ts";
import type { Preflight } from "./preflight.ts";

/** `run gifted-otter-77 (3f1c9a2e) in Default → sqlite:///mlflow.db`; ASCII off a terminal. */
export function announcement(header: JournalHeader, preflight: Preflight, isTerminal = false): string {
  const name = header.runName ?? preflight.run?.info.runName ?? "";
  const attempt = header.attempt === 1 ? "" : ` attempt ${header.attempt}`;
  const arrow = isTerminal ? "→" : "->";
  return `run ${name} (${header.runId.slice(0, 8)})${attempt} in ${experimentLabel(header, preflight)} ${arrow} ${shortUri(header)}`;
}

function experimentLabel(header: JournalHeader, preflight: Preflight): string {
  if (preflight.experimentName !== undefined) return preflight.experimentName;
  if ("experimentName" in header.experiment) return header.experiment.experimentName;
  return header.experiment.experimentId === "0" ? "Default" : `experiment ${header.experiment.experimentId}`;
}

/** Relative to the working folder where that is shorter. */
function shortUri({ trackingUri, cwd }: JournalHeader): string {
  const shown = trackingUri.replace(/\/\/[^/@]*@/u, "//***@");
  const prefix = `sqlite:///${cwd}/`;
  return shown.startsWith(prefix) ? `sqlite:///${shown.slice(prefix.length)}` : shown;
}

/** A run that is over, of a command or of a shell. */
export interface ClosedRun {
  readonly runId: string;
  readonly status: RunStatus;
  /** Everything is in the store. */
  readonly isStored: boolean;
  readonly summary?: RunSummary;
  /** Absent where only a status was given. */
  readonly outcome?: ProcessOutcome;
  readonly timedOut?: boolean;
}

export interface ClosingOptions {
  readonly isTerminal: boolean;
  readonly now: number;
}

/** `FINISHED in 12.4 s · exit 0 · loss 0.31 · peak 1.2 GB · GPU0 87 % · track show 3f1c9a2e`. */
export function closingLine(
  result: ClosedRun,
  header: Pick<JournalHeader, "startTime" | "isOffline">,
  options: ClosingOptions,
): string {
  const { summary } = result;
  const parts = [
    `${result.status} in ${formatDuration(Math.max(0, options.now - header.startTime))}`,
    ...(result.outcome === undefined ? [] : [describeEnd(result.outcome, result.timedOut ?? false)]),
    ...(summary?.metrics ?? []).map(([key, value]) => `${key} ${formatNumber(value)}`),
    ...(summary?.peakMemoryMegabytes === undefined ? [] : [`peak ${formatMegabytes(summary.peakMemoryMegabytes)}`]),
    ...(summary?.gpuUtilization ?? []).map(([index, percent]) => `GPU${index} ${Math.round(percent)} %`),
    ...leftOver(result, header),
    `track show ${(result.summary?.runId ?? result.runId).slice(0, 8)}`,
  ];
  return parts.join(options.isTerminal ? " · " : " | ");
}

function describeEnd(outcome: ProcessOutcome, timedOut: boolean): string {
  const end =
    outcome.kind === "signalled"
      ? outcome.signal
      : outcome.kind === "exited"
        ? `exit ${outcome.exitCode}`
        : `not started: ${outcome.message}`;
  return timedOut ? `timeout, ${end}` : end;
}

function leftOver(
  { summary, isStored }: ClosedRun,
  { isOffline }: Pick<JournalHeader, "isOffline">,
): readonly string[] {
  const refused = summary?.refusedEntries ?? 0;
  const left = isOffline === true ? "offline: track sync sends it" : "not all is stored yet: track sync goes on";
  return [
    ...(isStored ? [] : [left]),
    ...(refused > 0 ? [`${refused} ${refused === 1 ? "entry" : "entries"} refused`] : []),
  ];
}

const formatMegabytes = (megabytes: number): string =>
  megabytes >= 1000 ? `${(megabytes / 1000).toFixed(1)} GB` : `${Math.round(megabytes)} MB`;

/** Content of `--summary-file`. */
export function summaryJson(result: RunCommandResult, header: JournalHeader, now: number): string {
  const { outcome } = result;
  const summary = {
    run_id: result.summary?.runId ?? result.runId,
    run_name: result.summary?.runName ?? header.runName,
    status: result.status,
    exit_code: result.exitCode,
    signal: outcome.kind === "signalled" ? outcome.signal : null,
    timed_out: result.timedOut,
    attempt: header.attempt,
    start_time: header.startTime,
    duration_ms: Math.max(0, now - header.startTime),
    stored: result.isStored,
  };
  return `${JSON.stringify(summary, undefined, 2)}\n`;
}
