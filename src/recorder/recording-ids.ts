import type { StoreOperation } from "../entities/journal-entry.ts";
import { RunIds } from "../journal/run-ids.ts";
import { journalFiles, type JournalHeader } from "../wire/journal-header.ts";
import { forgetOuter } from "./recording-files.ts";

export interface RecordingIdsOptions {
  readonly folder: string;
  readonly header: JournalHeader;
  readonly store: { readonly isServer: boolean; readonly isThroughOuter: boolean };
  /** The tracking server has made the run under this id, now or for an earlier recorder. */
  readonly onRunId: (runId: string) => void;
}

/** What things are called in the journal, in a store that gives ids of its own, and in the command's environment. */
export class RecordingIds {
  /** For the drain; `undefined` where the store takes the journal's ids. */
  readonly map: RunIds | undefined;
  readonly #runId: string;
  #childRunId: string | undefined;

  constructor(options: RecordingIdsOptions) {
    const { header, store } = options;
    this.#runId = header.runId;
    const isMapped = store.isServer || header.rank?.isRunKnown === false || header.isRetargeted === true;
    this.map = isMapped ? openRunIds(options) : undefined;
  }

  /** The run's id in the store: the journal's own until a tracking server has given another. */
  get storeRunId(): string {
    return this.toStore(this.#runId);
  }

  /** The id that the command was given, which its processes carry. */
  get childRunId(): string {
    return this.#childRunId ?? this.storeRunId;
  }

  set childRunId(runId: string) {
    this.#childRunId = runId;
  }

  /** The store's id of what the journal knows by another one. */
  toStore(id: string): string {
    return this.map?.toStore(id) ?? id;
  }

  /** The journal's id of what the store knows by another one. */
  fromStore(storeId: string): string {
    return this.map?.toJournal(storeId) ?? storeId;
  }

  /** A server has given one by now for what the journal knows by this; true where the store is none. */
  isOnServer(id: string): boolean {
    return this.map?.isCreated(id) ?? true;
  }

  /** To be told of what is written down for the first time: no server can have heard of it. */
  observe(operation: StoreOperation): void {
    if (operation.op === "create-run") this.map?.noteUntried(operation.runId);
    if (operation.op === "create-logged-model") this.map?.noteUntried(operation.modelId);
  }
}

function openRunIds({ folder, header, store, onRunId }: RecordingIdsOptions): RunIds {
  const { runId } = header;
  const onCreated = (created: string, storeRunId: string): void => {
    if (created === runId) onRunId(storeRunId);
  };
  const { isThroughOuter } = store;
  if (!isThroughOuter) forgetOuter(folder);
  const file = isThroughOuter ? journalFiles.outerRunIds : journalFiles.runIds;
  const earlierIds = header.isRetargeted === true ? (header.earlierIds ?? {}) : undefined;
  const runIds = new RunIds(folder, onCreated, file, earlierIds);
  if (runIds.isCreated(runId)) onRunId(runIds.toStore(runId));
  return runIds;
}
