import type { EndReason, ProcessOutcome } from "../entities/process-outcome.ts";
import type { RunStatus } from "../entities/run-status.ts";
import { trackTags } from "../entities/tag-keys.ts";
import type { Tag } from "../entities/tag.ts";
import type { ChosenStatus, OutcomeRecord } from "./control-messages.ts";

/** How an attempt ended, as it is written at its end (cli.md, "Status from the outcome"). */
export interface FinalStatus {
  readonly status: RunStatus;
  /** A terminal status that the script set itself stays. */
  readonly isScriptStatusKept: boolean;
  readonly tags: readonly Tag[];
}

/** What is known when the wrapper is gone: `killed` when its recorder saw it die, `lost` when nobody did. */
export type MissingOutcome = { readonly missing: "killed" | "lost"; readonly isScriptStatusKept?: boolean };

/** All that an attempt can end by. */
export type AttemptEnd = OutcomeRecord | ChosenStatus | MissingOutcome;

/** Exit codes by which a shell says that its command died of HUP, INT, QUIT, KILL or TERM. */
const shellSignalCodes = new Map([
  [129, "SIGHUP"],
  [130, "SIGINT"],
  [131, "SIGQUIT"],
  [137, "SIGKILL"],
  [143, "SIGTERM"],
]);

/** Deaths that are the program's own fault. */
const faultSignals = new Set([
  "SIGILL",
  "SIGTRAP",
  "SIGABRT",
  "SIGIOT",
  "SIGBUS",
  "SIGFPE",
  "SIGSEGV",
  "SIGSYS",
  "SIGXFSZ",
]);

const reasons: Readonly<Record<string, EndReason>> = {
  SIGINT: "user",
  SIGQUIT: "user",
  SIGTERM: "terminated",
  SIGHUP: "hangup",
  SIGKILL: "killed",
  SIGPIPE: "pipe",
};

export function finalStatus(end: AttemptEnd): FinalStatus {
  if ("missing" in end) return final("KILLED", { endReason: end.missing }, end.isScriptStatusKept === true);
  if ("status" in end) return final(end.status, {}, end.isScriptStatusKept);
  const { outcome } = end;
  const found = ofOutcome(outcome, end.oomKilled);
  if (!end.timedOut) return found;
  return final("KILLED", { exitCode: exitCodeOf(outcome), signal: signalOf(outcome), endReason: "timeout" });
}

function ofOutcome(outcome: ProcessOutcome, oomKilled: boolean): FinalStatus {
  const exitCode = exitCodeOf(outcome);
  const signal = signalOf(outcome);
  switch (outcome.kind) {
    case "spawn-failed":
      return final("FAILED", { exitCode, endReason: "spawn" });
    case "exited": {
      const isKept = outcome.exitCode === 0;
      if (isKept) return final("FINISHED", { exitCode }, isKept);
      return final(signal === undefined ? "FAILED" : "KILLED", { exitCode, signal });
    }
    case "signalled": {
      if (faultSignals.has(outcome.signal)) return final("FAILED", { exitCode, signal });
      const isOom = oomKilled && outcome.signal === "SIGKILL";
      return final("KILLED", { exitCode, signal, endReason: isOom ? "oom" : (reasons[outcome.signal] ?? "signal") });
    }
  }
}

/** The exit code as a shell says it: 128+n for a death by signal n. */
export function exitCodeOf(outcome: ProcessOutcome): number {
  return outcome.kind === "signalled" ? 128 + outcome.signalNumber : outcome.exitCode;
}

function signalOf(outcome: ProcessOutcome): string | undefined {
  if (outcome.kind === "signalled") return outcome.signal;
  return outcome.kind === "exited" ? shellSignalCodes.get(outcome.exitCode) : undefined;
}

interface EndTags {
  readonly exitCode?: number;
  readonly signal?: string | undefined;
  readonly endReason?: EndReason;
}

function final(status: RunStatus, end: EndTags, isScriptStatusKept = false): FinalStatus {
  const tags: Tag[] = [];
  if (end.exitCode !== undefined) tags.push({ key: trackTags.exitCode, value: String(end.exitCode) });
  if (end.signal !== undefined) tags.push({ key: trackTags.signal, value: end.signal });
  if (end.endReason !== undefined) tags.push({ key: trackTags.endReason, value: end.endReason });
  return { status, isScriptStatusKept, tags };
}
