import { join } from "node:path";
import { programs, type StartOptions, type TrackRig } from "./rig.ts";

export interface TerminalResult {
  readonly output: string;
  /** Negative for a signal. */
  readonly status: number | null;
  /** The step that never came true; `null` when all did. */
  readonly failed: unknown;
}

/** Plays a script on a fresh terminal in the rig; fixtures/programs/pty-session.py knows the steps. */
export async function onTerminal(
  rig: TrackRig,
  steps: readonly object[],
  argv: readonly string[],
  options: StartOptions = {},
): Promise<TerminalResult> {
  const session = join(programs, "pty-session.py");
  const started = rig.spawn("python3", [session, JSON.stringify(steps), ...argv], options);
  const { code, stdout, stderr } = await started.finished;
  if (code !== 0) throw new Error(stderr);
  return JSON.parse(stdout) as TerminalResult;
}

/** What a terminal shows in the end of what was written to its other screen; lines without blanks at their ends. */
export function lastScreen(output: string): readonly string[] {
  const drawn = output.slice(0, output.lastIndexOf("\u001b[?1049l")).split("\u001b[H").at(-1) ?? "";
  return drawn
    .replaceAll(/\u001b\[[0-9;?]*[A-Za-z]/gu, "")
    .split("\r\n")
    .map((line) => line.trimEnd());
}
