/** How a wrapped command ended. Never called "status": that word is the run's. */
export type ProcessOutcome =
  | { readonly kind: "exited"; readonly exitCode: number }
  | { readonly kind: "signalled"; readonly signal: string; readonly signalNumber: number }
  | { readonly kind: "spawn-failed"; readonly exitCode: 126 | 127; readonly message: string };

/** `track.end_reason` (cli.md): why a run ended that did not simply exit. */
export type EndReason =
  | "user"
  | "terminated"
  | "hangup"
  | "killed"
  | "oom"
  | "timeout"
  | "pipe"
  | "signal"
  | "spawn"
  | "lost";
