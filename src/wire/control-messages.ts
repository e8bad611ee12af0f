import type { ProcessOutcome } from "../entities/process-outcome.ts";
import type { EndedStatus, RunStatus } from "../entities/run-status.ts";
import type { ProcessIdentity } from "./journal-header.ts";

/** What the wrapper reads along while the command runs. */
export type ConsoleSource =
  /** The wrapper appends the raw bytes to the journal's `console.raw`. */
  | { readonly kind: "spool" }
  /** The command writes regular files itself; the recorder reads them along from these offsets (bytes). */
  | { readonly kind: "files"; readonly files: readonly { readonly path: string; readonly offset: number }[] }
  | { readonly kind: "none"; readonly reason?: string };

/** Whose life the run shares: a command that a wrapper stands for, or a shell that only says its pid. */
export type RecorderKind = "command" | "shell" | "program";

/** Of a program's recorder: a pipe whose other end the program alone has. */
export const deathPipeFd = 4;

/** From the wrapper to the recorder, over Node's own IPC channel. Its end without an outcome means that the wrapper died. */
export type WrapperMessage =
  /** Only to a recorder that the launcher has started, before anything else: the environment that the caller gave. */
  | { readonly type: "environment"; readonly env: Readonly<Record<string, string>> }
  /** The first message; the listening Unix server comes with it as its handle. */
  | {
      readonly type: "hello";
      readonly kind: RecorderKind;
      readonly journalFolder: string;
      readonly socketPath: string;
      readonly verbose: boolean;
    }
  /** Behind the hello: the listening loopback server comes as its handle. Nobody is served who does not know the token. */
  | { readonly type: "endpoint"; readonly token: string }
  /** A connection that the wrapper's copy of a server accepted; the socket comes as its handle. */
  | { readonly type: "connection"; readonly to: "socket" | "endpoint" }
  /** `runId`: the id that the command was given. */
  | {
      readonly type: "started";
      readonly command: ProcessIdentity;
      readonly console: ConsoleSource;
      readonly runId: string;
    }
  | { readonly type: "outcome"; readonly outcome: OutcomeRecord }
  /** Only of a shell's run, behind all that is handed over: whoever started the recorder leaves now. `runId`: as exported. */
  | { readonly type: "detach"; readonly runId: string };

/** Also the content of the journal's `outcome.json`. */
export interface OutcomeRecord {
  readonly outcome: ProcessOutcome;
  /** ms since the epoch. */
  readonly endTime: number;
  /** `--timeout` ran out, whatever the command then did. */
  readonly timedOut: boolean;
  /** Kernel's count of OOM kills in the command's cgroup went up while it ran. */
  readonly oomKilled: boolean;
}

/** The run's shell has said how it ended; the content of `outcome.json` then. */
export interface ChosenStatus {
  readonly status: EndedStatus;
  /** A terminal status that the script set by its own MLflow client stays. */
  readonly isScriptStatusKept: boolean;
  /** ms since the epoch. */
  readonly endTime: number;
}

export interface RunSummary {
  /** As the store knows it. */
  readonly runId: string;
  readonly status: RunStatus;
  readonly runName: string;
  readonly experimentName?: string;
  /** Latest value of a few metrics that are not `system/`. */
  readonly metrics: readonly (readonly [key: string, value: number])[];
  readonly peakMemoryMegabytes?: number;
  /** Mean utilisation of each GPU, percent. */
  readonly gpuUtilization: readonly (readonly [index: number, percent: number])[];
  /** Entries that are not in the store yet. */
  readonly pendingEntries: number;
  readonly refusedEntries: number;
}

/** From the recorder to the wrapper. */
export type RecorderMessage =
  /** The journal is claimed and the socket is served. */
  | { readonly type: "ready" }
  /** Answer to `detach`: everything has arrived. */
  | { readonly type: "detached" }
  /** A connection has been taken over, in the order of their handing over. */
  | { readonly type: "accepted" }
  /** The tracking server has made the run, under this id. */
  | { readonly type: "run-id"; readonly runId: string }
  /** Every 2 s: the event loop is alive. */
  | { readonly type: "alive" }
  /** One line for the user; the wrapper prints it behind `track: ` unless `--quiet`. */
  | { readonly type: "notice"; readonly text: string }
  | { readonly type: "progress"; readonly pendingEntries: number }
  /** All of this attempt is stored (or, when `pendingEntries` > 0, can't be for now). */
  | { readonly type: "done"; readonly summary: RunSummary };
