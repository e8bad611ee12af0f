import type { ServerAccess } from "../../entities/server-access.ts";
import type { Tag } from "../../entities/tag.ts";
import type { Cluster } from "../../settings/cluster.ts";
import type { RunSettings } from "../../settings/run-settings.ts";
import type { TensorboardSettings } from "../../wire/journal-header.ts";
import type { LaunchNotes } from "../../wrapper/launch-notes.ts";
import type { Preflight } from "./preflight.ts";

/** What a run is to be started with: the settings, and what was looked up for them. */
export interface LaunchRequest {
  readonly settings: RunSettings;
  readonly preflight: Preflight;
  readonly command: readonly string[];
  /** No command is started: the run is for the shell that asks for it. */
  readonly kind?: "shell";
  /** The journal of the run that the shell is in already. */
  readonly outerJournal?: string;
  readonly cwd: string;
  /** Another folder than this process's is to be the command's. */
  readonly isElsewhere: boolean;
  readonly notes: LaunchNotes;
  readonly userName: string;
  /** mlflow.source.name and mlflow.source.type. */
  readonly sourceTags: readonly Tag[];
  /** JSON of the options given, for `resume`; no secrets. */
  readonly recordedOptions: string;
  readonly tensorboard?: TensorboardSettings;
  /** The tracking server and how it is reached. */
  readonly server?: LaunchServer;
  /** What a scheduler says of this start. */
  readonly cluster?: Cluster;
}

export interface LaunchServer {
  readonly access: ServerAccess;
  /** Only a folder's config file names it. */
  readonly isUntrusted: boolean;
  /** With the credentials beside the URI that they are for. */
  readonly recorderEnv: Readonly<Record<string, string>>;
  /** How long the start may still wait for the server to give the run its id, ms. */
  readonly runIdWaitMs: number;
}

/** Of a rank that joins the run of rank 0. */
export function joiningRank({ cluster }: LaunchRequest): number | undefined {
  const index = cluster?.rank?.index ?? 0;
  return index > 0 ? index : undefined;
}

/** What a rank's clients would ask for is not in the store under this id. */
export const isRunUnknown = (request: LaunchRequest): boolean =>
  joiningRank(request) !== undefined && request.preflight.joined === undefined;

/** How long a command whose clients go to a database themselves waits for its run to be there. */
const directWaitMs = 2000;

/** A run that is continued has its id; a server that is away now gives none. Clients that go to the store themselves must find the run. */
export function runIdWait(request: LaunchRequest, isDirect: boolean): number | undefined {
  const { server, preflight, settings } = request;
  if (preflight.run !== undefined || settings.offline || joiningRank(request) !== undefined) return undefined;
  if (server === undefined) return isDirect ? directWaitMs : undefined;
  return preflight.fault === undefined ? server.runIdWaitMs : undefined;
}
