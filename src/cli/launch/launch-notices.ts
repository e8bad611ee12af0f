import type { RunSettings } from "../../settings/run-settings.ts";
import { parseTrackingUri } from "../../store/tracking-uri.ts";
import type { Preflight } from "./preflight.ts";
import { hookIgnoringFlag } from "./python-hook.ts";
import { refusedStart } from "./refused-start.ts";

/** One line for the user, unless `--quiet`. */
export type Say = (text: string) => void;

/** The run starts without the id that the store gives; refused by `--strict`. */
export function sayLate({ strict }: RunSettings, isDirect: boolean, say: Say): void {
  if (strict) throw refusedStart("the tracking server has not made the run in time");
  say(
    isDirect
      ? "the store has not made the run in time: the command's MLflow clients start runs of their own"
      : "the tracking server has not made the run in time: the command starts under an id that is mapped later",
  );
}

/** Its command line is the user's: it is not rewritten. */
export function sayIgnored(command: readonly string[], say: Say): void {
  const flag = hookIgnoringFlag(command);
  if (flag !== undefined) say(`--autolog does nothing here: python ${flag} ignores PYTHONPATH`);
}

/** What the user is told of a store that cannot be used now. */
export function faultLine({ missedRunId }: Preflight, fault: string): string {
  if (missedRunId === undefined) return `the store cannot be used now, recording goes on: ${fault}`;
  return `run ${missedRunId} cannot be looked up, recording goes on as a new run below it: ${fault}`;
}

/** What the preflight said of the database need not be said again by the recorder. */
export function isToldAlready(text: string, { fault }: Preflight, { trackingUri }: RunSettings): boolean {
  if (fault === undefined || !text.startsWith("the store cannot")) return false;
  const uri = parseTrackingUri(trackingUri);
  return text.includes(uri.kind === "sqlite" ? uri.path : new URL(uri.url).origin);
}

/** Ranks share a terminal: each of those that join says which one it is. */
export const inRanksName = (rank: number | undefined, text: string): string =>
  rank === undefined ? text : `rank ${rank}: ${text}`;
