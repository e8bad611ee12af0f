import type { Run } from "../entities/run.ts";
import { trackTags } from "../entities/tag-keys.ts";
import { isProcessAlive } from "../util/proc.ts";
import type { Place, ProcessIdentity } from "./journal-header.ts";

/** Content of the tag `track.process`: where a run's processes are, so that a later command can tell a dead run from a live one. */
export interface RunProcesses extends Place {
  readonly recorder?: ProcessIdentity;
  readonly wrapper?: ProcessIdentity;
  readonly command?: ProcessIdentity;
}

/** `dead` and `alive` are certain; `unknown` means another host, boot or container: only the heartbeat can tell. */
export type Liveness = "alive" | "dead" | "unknown";

/** Whether a run's wrapper or command lives, judged from `here`. A run without the tag is not alive for us. */
export function runLiveness(run: Run, here: Place): Liveness {
  const processes = readRunProcesses(run);
  if (processes === undefined) return "unknown";
  if (processes.host !== here.host || processes.machineId !== here.machineId) return "unknown";
  if (processes.bootId !== here.bootId) return "dead";
  if (processes.pidNamespace !== here.pidNamespace) return "unknown";
  return [processes.wrapper, processes.command].some((one) => one !== undefined && isProcessAlive(one))
    ? "alive"
    : "dead";
}

/** Whether all processes of a run, its recorder among them, are certainly gone: nothing will end it any more. */
export function isGone(run: Run, here: Place): boolean {
  if (runLiveness(run, here) !== "dead") return false;
  const { bootId, recorder } = readRunProcesses(run) ?? {};
  return bootId !== here.bootId || recorder === undefined || !isProcessAlive(recorder);
}

/** The heartbeat of a run in ms since the epoch, if it has one. */
export function readHeartbeat(run: Run): number | undefined {
  const text = tagOf(run, trackTags.heartbeat);
  const time = Number(text);
  return text === undefined || !Number.isFinite(time) ? undefined : time;
}

/** The processes of a run; `undefined` without the tag or when it is not readable. */
export function readRunProcesses(run: Run): RunProcesses | undefined {
  const text = tagOf(run, trackTags.process);
  if (text === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return isRunProcesses(value) ? value : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Value of a run's tag. */
export const tagOf = (run: Run, key: string): string | undefined => run.data.tags.find((tag) => tag.key === key)?.value;

function isRunProcesses(value: unknown): value is RunProcesses {
  if (typeof value !== "object" || value === null) return false;
  const place = value as Readonly<Record<string, unknown>>;
  return ["host", "machineId", "bootId", "pidNamespace"].every((key) => typeof place[key] === "string");
}
