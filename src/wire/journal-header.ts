import type { ExperimentReference } from "../entities/journal-entry.ts";
import type { Param } from "../entities/param.ts";
import type { Tag } from "../entities/tag.ts";

/** A process as a later command can recognise it: the pid alone is reused. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Field 22 of /proc/<pid>/stat, clock ticks since boot. */
  readonly startTicks: number;
}

/** Where a journal was written; only journals of the same place may be replayed without being asked for. */
export interface Place {
  readonly host: string;
  readonly machineId: string;
  readonly bootId: string;
  /** The link text of /proc/self/ns/pid. */
  readonly pidNamespace: string;
}

export interface PinnedChoices {
  readonly runName: boolean;
  readonly experiment: boolean;
  readonly tagKeys: readonly string[];
}

/**
 * `header.json` of a journal folder: all that is needed to create the run (or to resume it) if no recorder ever came up.
 * Written once by the wrapper before the command starts, 0600, secrets masked by the recorder's rules.
 */
export interface JournalHeader {
  readonly version: 1;
  /** Without userinfo or secrets; absolute. */
  readonly trackingUri: string;
  /** Only a folder's config file names the server: the user's credentials are not sent to it. */
  readonly isUntrusted?: boolean;
  /** MLFLOW_WORKSPACE of the tracking server. */
  readonly workspace?: string;
  /** A tracking server gives the run another id: `run-ids.json`. */
  readonly runId: string;
  readonly attempt: number;
  /**
   * The run belongs to a shell (`track start`); absent: to a command. `program`: a program makes its runs itself, by the library, and
   * `runId` is the journal's name and no run of the store's.
   */
  readonly kind?: "shell" | "program";
  /** The journal of the run that a shell's run was started in. */
  readonly outerJournal?: string;
  /** `true`: the run exists and is continued; `false`: it is created. */
  readonly isResumed: boolean;
  readonly createId: string;
  readonly experiment: ExperimentReference;
  /** Of an experiment that is given by its id, where it is known. */
  readonly experimentName?: string;
  /** For a resumed run: the new name, if the user gave one. */
  readonly runName?: string;
  readonly userId: string;
  /** ms since the epoch, of this attempt. */
  readonly startTime: number;
  /** The user's tags, parent, description and our own that are known before the start. */
  readonly tags: readonly Tag[];
  /** Keys of tags of the ended attempt that the run has and that are removed when it is continued. */
  readonly staleTags: readonly string[];
  readonly params: readonly Param[];
  /** The command waits for the run to be in the store, since its clients go there themselves. */
  readonly isDirect?: boolean;
  /** Nothing is sent before `track sync` is asked for. */
  readonly isOffline?: boolean;
  /** Its entries were meant for another store: ids of that one are mapped (`run-ids.json`). */
  readonly isRetargeted?: boolean;
  /** The ids that the other store had given before. */
  readonly earlierIds?: Readonly<Record<string, string>>;
  /** What was chosen on the command line, so that nothing that the command's programs say changes it; absent: nothing. */
  readonly pinned?: PinnedChoices;
  readonly command: readonly string[];
  readonly cwd: string;
  readonly place: Place;
  readonly wrapper: ProcessIdentity;
  /** The logging socket, so that `track log --run` from elsewhere on this host can speak to the run's own recorder. */
  readonly socketPath?: string;
  /** Several ranks share the run. */
  readonly rank?: HeaderRank;
  readonly survive: boolean;
  readonly redact: boolean;
  /** The command's environment holds secrets, whose values only its own recorder can mask in the console log. */
  readonly hasSecrets: boolean;
  readonly sampling: SamplingSettings;
  readonly consoleLimitBytes: number;
  /** `auto` or a pattern: metrics are taken from the console output; absent: they are not. */
  readonly scrape?: string;
  readonly tensorboard?: TensorboardSettings;
}

/** A rank's part in a run; rank 0 makes it, the others join it. */
export interface HeaderRank {
  readonly index: number;
  /** The tag `track.rank_group`. */
  readonly group: string;
  /** `runId` is the run's own; else it is mapped (`run-ids.json`) once the run is there. */
  readonly isRunKnown: boolean;
}

/** TensorBoard's event files that belong to the run. */
export interface TensorboardSettings {
  /** Absolute; need not be there. */
  readonly folders: readonly string[];
  /** Event files that were there before the command started, and their sizes in bytes: what they hold is not the run's. */
  readonly existing: Readonly<Record<string, number>>;
}

export interface SamplingSettings {
  readonly enabled: boolean;
  /** Seconds between samples; absent: adaptive (1 s in the first minute, then 10 s). */
  readonly intervalSeconds?: number;
  /** MLFLOW_SYSTEM_METRICS_NODE_ID: put between `system/` and the key. */
  readonly nodeId?: string;
}

/** Names inside a journal folder. */
export const journalFiles = {
  header: "header.json",
  /** Process identity of the command, written by the wrapper after the spawn. */
  command: "command.json",
  /** How the command ended, written by the wrapper. */
  outcome: "outcome.json",
  /** The append file, `$TRACK_LOG`. */
  appendFile: "log",
  /** Raw bytes of the captured console output, written by the wrapper; the first of its segments (console-segments). */
  console: "console.raw",
  /** Lines of our own in a file that the command writes as well, one JSON string a line. */
  ownLines: "own-lines",
  /** Position of the drain. */
  cursor: "cursor.json",
  /** JSON object: ids that the journal uses, and those that the tracking server gave instead. */
  runIds: "run-ids.json",
  /** JSON lines, process identities: shells within this run that have ended a run of their own. */
  endedShells: "ended-shells",
  /** The same, where the endpoint of an outer run stands for the server. */
  outerRunIds: "run-ids-outer.json",
  /** Lines `+<run id>` and `-<run id>`: runs that the command's processes have made or continued, and those of them that have ended. */
  openRuns: "open-runs",
  spool: "spool",
  /** The console log while it grows, secrets masked; a later recorder begins it anew. */
  consolePart: "spool/console.part",
  /** Entries that the store refused for good. */
  refused: "refused.ndjson",
  /** Empty; nothing is left to be done, the folder stays for what was refused. */
  finished: "finished",
} as const;
