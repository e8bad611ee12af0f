import type { EndedStatus } from "../../entities/run-status.ts";
import type { ShellSyntax } from "../launch/shell-syntax.ts";

export interface EndOptions {
  readonly status?: EndedStatus;
  /** The status is the one that a command with this exit code gets. */
  readonly exitCode?: number;
  /** How long a shell's run may be waited for until it is stored, ms. */
  readonly syncTimeoutMs?: number;
  /** Print what puts the shell's variables back. */
  readonly printEnv?: boolean;
  readonly shell?: ShellSyntax;
  readonly quiet?: boolean;
  readonly json?: boolean;
  readonly trackingUri?: string;
}
