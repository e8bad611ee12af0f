import type { DatasetInput } from "./dataset.ts";
import type { LoggedModelStatus } from "./logged-model.ts";
import type { Metric } from "./metric.ts";
import type { Param } from "./param.ts";
import type { RunStatus } from "./run-status.ts";
import type { Tag } from "./tag.ts";

/** What else a point is about: a logged model, a dataset (MLflow 3). */
export type MetricAbout = Pick<Metric, "modelId" | "datasetName" | "datasetDigest">;

/** `[key, value, timestamp in ms, step]`; a value that JSON cannot say is the string "NaN", "Infinity" or "-Infinity". */
export type MetricTuple = readonly [
  key: string,
  value: number | string,
  timestamp: number,
  step: number,
  about?: MetricAbout,
];

/** By name: created when missing, as MLflow's `set_experiment` does. */
export type ExperimentReference = { readonly experimentId: string } | { readonly experimentName: string };

export interface CreateRunOperation {
  readonly op: "create-run";
  readonly runId: string;
  /** Tag `track.create_id`: looked up before a second creation. */
  readonly createId: string;
  readonly experiment: ExperimentReference;
  readonly runName: string;
  readonly userId: string;
  readonly startTime: number;
  readonly tags: readonly Tag[];
}

/** The run that rank 0 of a group makes is this rank's as well, under an id of its own until it is found. */
export interface JoinRunOperation {
  readonly op: "join-run";
  readonly runId: string;
  /** Tag `track.rank_group`. */
  readonly group: string;
  /** The run of this command is preferred. */
  readonly command: readonly string[];
  /** When this rank was started, ms since the epoch. */
  readonly startTime: number;
}

export interface UpdateRunOperation {
  readonly op: "update-run";
  readonly runId: string;
  readonly status?: RunStatus;
  /** The status is left as it is where the run has a terminal one already: the script has set it. */
  readonly unlessTerminal?: boolean;
  /** The end of one of several ranks: `owner` ends the run, no better than the worst rank; `joined` makes an ended one no better. */
  readonly share?: "owner" | "joined";
  /** `null` clears the end time, which MLflow itself cannot do. */
  readonly endTime?: number | null;
  readonly runName?: string;
}

export interface LogBatchOperation {
  readonly op: "log-batch";
  readonly runId: string;
  readonly metrics?: readonly MetricTuple[];
  readonly params?: readonly Param[];
  readonly tags?: readonly Tag[];
}

/** The file lies in the journal's spool folder until it is stored. `sha256` tells a replay that it is there already. */
export interface LogArtifactOperation {
  readonly op: "log-artifact";
  readonly runId: string;
  /** The file is a logged model's, not the run's. */
  readonly modelId?: string;
  /** Path of a file or folder, relative to the journal folder. */
  readonly spoolPath: string;
  /** Path below the artifact root of the run (of the model), POSIX, of the file (or folder) itself. */
  readonly artifactFile: string;
}

/** The closed union of everything that can be written to a store: one operation = one store write. */
export type StoreOperation =
  | CreateRunOperation
  | JoinRunOperation
  | UpdateRunOperation
  | LogBatchOperation
  | LogArtifactOperation
  | { readonly op: "delete-tag"; readonly runId: string; readonly key: string }
  | { readonly op: "delete-run" | "restore-run"; readonly runId: string }
  | { readonly op: "move-run"; readonly runId: string; readonly experimentId: string }
  | {
      readonly op: "log-inputs";
      readonly runId: string;
      readonly datasets: readonly DatasetInput[];
      readonly modelIds: readonly string[];
    }
  | {
      readonly op: "log-outputs";
      readonly runId: string;
      readonly models: readonly { readonly modelId: string; readonly step: number }[];
    }
  | {
      readonly op: "create-experiment";
      /** The id that the command's processes know, where the store could not be asked for one in time. */
      readonly experimentId?: string;
      readonly name: string;
      readonly artifactLocation?: string;
      readonly tags: readonly Tag[];
    }
  | { readonly op: "rename-experiment"; readonly experimentId: string; readonly name: string }
  | { readonly op: "delete-experiment" | "restore-experiment"; readonly experimentId: string }
  | { readonly op: "set-experiment-tag"; readonly experimentId: string; readonly key: string; readonly value: string }
  | { readonly op: "delete-experiment-tag"; readonly experimentId: string; readonly key: string }
  | {
      readonly op: "create-logged-model";
      readonly modelId: string;
      readonly experimentId: string;
      readonly name?: string;
      readonly modelType?: string;
      readonly sourceRunId?: string;
      readonly params: readonly Param[];
      readonly tags: readonly Tag[];
    }
  | { readonly op: "finalize-logged-model"; readonly modelId: string; readonly status: LoggedModelStatus }
  | { readonly op: "log-logged-model-params"; readonly modelId: string; readonly params: readonly Param[] }
  | { readonly op: "set-logged-model-tags"; readonly modelId: string; readonly tags: readonly Tag[] }
  | { readonly op: "delete-logged-model-tag"; readonly modelId: string; readonly key: string }
  | { readonly op: "delete-logged-model"; readonly modelId: string };

/** How far the sources of a run that can be read again are taken in, once an entry is in the journal. */
export interface TakenIn {
  /** Of `$TRACK_LOG`, in bytes. */
  readonly logOffset?: number;
  /** Of each file of console output. */
  readonly scraped?: readonly ScrapePosition[];
}

/** How many records were scraped from a file of console output, and how far its raw bytes were read with the last of them. */
export type ScrapePosition = readonly [records: number, offset: number];

/** What a later recorder of the same journal must know, and no store keeps. */
export interface JournalMemo {
  /** What the command's own client last said of this run's status; applied when the command is gone. `RUNNING` clears it. */
  readonly scriptStatus?: RunStatus;
  /** The command has asked for this run: later runs that it creates are other ones. */
  readonly isTaken?: true;
  /** Key of the request that was answered with this run (`requestKey`): the same request said again gets it again. */
  readonly requestKey?: string;
}

/** One line of a journal segment. */
export interface JournalEntry extends TakenIn {
  /** Counts up by one within a journal, over all its sessions. */
  readonly sequence: number;
  /** ms since the epoch, when it was said. */
  readonly receivedAt: number;
  /** Attempt of the run that said it. */
  readonly attempt: number;
  readonly memo?: JournalMemo;
  readonly operation: StoreOperation;
}
