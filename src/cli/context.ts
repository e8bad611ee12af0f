import { createReadStream } from "node:fs";
import { TrackError } from "../errors.ts";
import { type Environment, resolveTrackingUri } from "../settings/tracking-uri.ts";
import type { TrackingStore } from "../store/tracking-store.ts";
import { hasCode } from "../util/error-code.ts";
import { createIo, type Io } from "./io.ts";

export type { Environment } from "../settings/tracking-uri.ts";

/** Everything a command takes from outside, so that a test can hand it something else. */
export interface Context {
  readonly io: Io;
  readonly env: Environment;
  /** The working folder; throws `TrackError` where it has been removed. */
  readonly cwd: string;
  /** ms since the epoch. */
  now(): number;
  /** Ends the process; only for a command that stands for another one, and so may have to die of a signal instead. */
  exit(exitCode: number): never;
  /** The URI in force: the option, else the environment, else the default of this folder. */
  trackingUri(option?: string): string;
  /** Opens the store behind `trackingUri(option)`; the caller disposes of it. `read` creates and changes nothing. */
  openStore(mode: "read" | "write", trackingUriOption?: string): Promise<TrackingStore>;
  /** Standard input to its end, read from the descriptor itself. */
  stdin(): AsyncIterable<Uint8Array>;
}

export interface ContextParts {
  readonly env?: Environment;
  readonly cwd?: string;
  readonly io?: Io;
  readonly now?: () => number;
  readonly stdin?: () => AsyncIterable<Uint8Array>;
}

/** The process's own context; each part can be replaced. Cheap: nothing is opened or looked up before it is asked for. */
export function createContext(parts: ContextParts = {}): Context {
  const env = parts.env ?? process.env;
  const context: Context = {
    io: parts.io ?? createIo(env),
    env,
    get cwd() {
      return parts.cwd ?? currentFolder();
    },
    now: parts.now ?? Date.now,
    exit: (exitCode) => process.exit(exitCode),
    trackingUri: (option) => resolveTrackingUri(option, env, context.cwd),
    stdin: parts.stdin ?? readStdin,
    openStore: async (mode, option) => {
      const { repairDeadRuns } = await import("./repair-dead-runs.ts");
      await repairDeadRuns(context, context.trackingUri(option));
      const { openTrackingStore } = await import("../store/open-store.ts");
      return openTrackingStore(context.trackingUri(option), { mode });
    },
  };
  return context;
}

function readStdin(): AsyncIterable<Uint8Array> {
  return createReadStream("", { fd: 0, autoClose: false });
}

function currentFolder(): string {
  try {
    return process.cwd();
  } catch (error) {
    if (!hasCode(error, "ENOENT")) throw error;
    throw new TrackError("the current folder does not exist any more", { hint: "cd to another folder", cause: error });
  }
}
