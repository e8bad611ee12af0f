import { createReadStream } from "node:fs";
import type { ArtifactRepository } from "../artifacts/artifact-repository.ts";
import { TrackError, UsageError } from "../errors.ts";
import { findConfigFiles } from "../settings/find-config-files.ts";
import {
  type Environment,
  isServerUri,
  resolveTrackingUri,
  uriBehindEndpoint,
  variable,
} from "../settings/tracking-uri.ts";
import type { TrackingStore } from "../store/tracking-store.ts";
import { hasCode, messageOf } from "../util/error-code.ts";
import { isThere } from "../util/files.ts";
import { createIo, type Io } from "./io.ts";
import type { LoadedConfig } from "./load-config.ts";
import type { OptionSpec } from "./command-spec.ts";

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
  /** What the config files say; absent where there are none, and before `loadConfig`. */
  readonly config: LoadedConfig | undefined;
  /** Reads the config files, where there are any; a mistake in one is a `UsageError`. `runOptions`: the options of `track run`. */
  loadConfig(runOptions: readonly OptionSpec[]): Promise<void> | undefined;
  /** The URI in force: the option, else the environment, else the config files, else the default of this folder. */
  trackingUri(option?: string): string;
  /** Whom the user's credentials are for. */
  serverTrust(option?: string): ServerTrust;
  /** Opens the store behind `trackingUri(option)`; the caller disposes of it. `read` creates and changes nothing. */
  openStore(mode: "read" | "write", trackingUriOption?: string): Promise<TrackingStore>;
  /** The artifacts behind a run's artifact URI; `onBytes` hears of what goes up to a server or comes down, negative where a try is given up. */
  openArtifacts(
    artifactUri: string,
    trackingUriOption?: string,
    onBytes?: (bytes: number) => void,
  ): Promise<ArtifactRepository>;
  /** Standard input to its end, read from the descriptor itself. */
  stdin(): AsyncIterable<Uint8Array>;
}

export interface ServerTrust {
  /** The URI that goes with credentials that have none beside them: typed, or in the user's own config file. */
  readonly typedUri?: string;
  /** Where the URI in force is named by a folder's `track.toml` alone, its file and line: it gets no credentials. */
  readonly untrustedSource?: string;
}

export interface ContextParts {
  readonly env?: Environment;
  readonly cwd?: string;
  readonly io?: Io;
  readonly now?: () => number;
  readonly stdin?: () => AsyncIterable<Uint8Array>;
  /** What another context has read already. */
  readonly config?: LoadedConfig;
}

/** The process's own context; each part can be replaced. Cheap: nothing is opened or looked up before it is asked for. */
export function createContext(parts: ContextParts = {}): Context {
  const env = parts.env ?? process.env;
  let config = parts.config;
  const told = new Set<string>();
  const readConfig = async (paths: readonly string[], runOptions: readonly OptionSpec[]): Promise<void> => {
    try {
      // Most folders have no such file, and pay nothing for its reader.
      const { loadConfig } = await import("./load-config.ts");
      config = await loadConfig(paths, runOptions);
    } catch (error) {
      if (error instanceof UsageError) throw error;
      // Any other fault is one of the surroundings, and must not keep a command from running.
      context.io.say(`the config files are not used: ${messageOf(error)}`);
    }
  };
  const context: Context = {
    io: parts.io ?? createIo(env),
    env,
    get cwd() {
      return parts.cwd ?? currentFolder();
    },
    now: parts.now ?? Date.now,
    exit: (exitCode) => process.exit(exitCode),
    get config() {
      return config;
    },
    loadConfig: (runOptions) => {
      const paths = findConfigFiles(folderOrNone(context), env);
      return paths.length === 0 ? undefined : readConfig(paths, runOptions);
    },
    trackingUri: (option) => {
      const given = option ?? environmentUri(env) ?? config?.options.trackingUri;
      return resolveTrackingUri(given, env, context.cwd);
    },
    serverTrust: (option) => {
      if (option !== undefined) return { typedUri: option };
      return environmentUri(env) === undefined && config !== undefined ? configTrust(config) : {};
    },
    stdin: parts.stdin ?? readStdin,
    openStore: async (mode, option) => {
      const { repairDeadRuns } = await import("./repair-dead-runs.ts");
      await repairDeadRuns(context, option);
      const { openTrackingStore } = await import("../store/open-store.ts");
      return openTrackingStore(context.trackingUri(option), { mode, ...(await serverOptions(context, option, told)) });
    },
    openArtifacts: async (artifactUri, option, onBytes) => {
      const { openArtifactRepository } = await import("../artifacts/open-artifact-repository.ts");
      const server = await serverOptions(context, option, told);
      return openArtifactRepository(artifactUri, { ...server, ...(onBytes !== undefined && { onBytes }) });
    },
  };
  return context;
}

/** How the tracking server in force is reached; nothing for any other store. */
async function serverOptions(
  { io, env, trackingUri, serverTrust }: Context,
  option: string | undefined,
  told: Set<string>,
) {
  const uri = trackingUri(option);
  if (!isServerUri(uri)) return {};
  const { serverAccess } = await import("./server-access.ts");
  return serverAccess(io, env, { uri, trust: serverTrust(option), told });
}

function configTrust({ options: { trackingUri }, settings, trustedServers }: LoadedConfig): ServerTrust {
  const origin = URL.parse(trackingUri ?? "")?.origin;
  if (trackingUri === undefined || origin === undefined) return {};
  const source = settings.get("trackingUri")?.source;
  return trustedServers.includes(origin) || source === undefined
    ? { typedUri: trackingUri }
    : { untrustedSource: source };
}

/** A shell keeps the variables of a run that it has ended, whose endpoint serves nobody any more: the journal tells. */
function environmentUri(env: Environment): string | undefined {
  const behind = uriBehindEndpoint(env);
  const logPath = variable(env, "TRACK_LOG");
  const isOver = behind !== undefined && logPath !== undefined && !isThere(logPath);
  return isOver ? behind : variable(env, "MLFLOW_TRACKING_URI");
}

function readStdin(): AsyncIterable<Uint8Array> {
  return createReadStream("", { fd: 0, autoClose: false });
}

function folderOrNone(context: Context): string | undefined {
  try {
    return context.cwd;
  } catch (error) {
    if (error instanceof TrackError) return undefined;
    throw error;
  }
}

function currentFolder(): string {
  try {
    return process.cwd();
  } catch (error) {
    if (!hasCode(error, "ENOENT")) throw error;
    throw new TrackError("the current folder does not exist any more", { hint: "cd to another folder", cause: error });
  }
}
