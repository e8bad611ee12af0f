import type { DrainState } from "../journal/drain.ts";
import { RunNotThereError } from "../journal/join-run.ts";

/** Some 0.5 s of them. */
const attemptsUntold = 3;
/** Some 10 s: ranks start in any order. */
const joinAttemptsUntold = 10;

/** What the user is told, under its kind, of a drain that waits. */
export function waitingNotice(state: DrainState): readonly [kind: string, text: string] | undefined {
  if (state.kind !== "waiting") return undefined;
  const { attempt, error } = state;
  if (error instanceof RunNotThereError) {
    return attempt > joinAttemptsUntold ? ["join", `${error.message}, recording goes on`] : undefined;
  }
  if (attempt <= attemptsUntold) return undefined;
  return ["store", `the store cannot be written for now, recording goes on: ${error.message}`];
}
