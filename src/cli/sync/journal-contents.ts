import { existsSync } from "node:fs";
import { join } from "node:path";
import type { StoreOperation } from "../../entities/journal-entry.ts";
import { readCursor } from "../../journal/cursor.ts";
import { readEntries } from "../../journal/journal-reader.ts";
import { type FoundJournal, isJoined } from "../../recorder/dead-journals.ts";
import type { JournalHeader } from "../../wire/journal-header.ts";

/** What a journal is about, in the ids that it uses. */
export interface JournalContents {
  /** Runs that it makes, or joins. */
  readonly madeRuns: ReadonlySet<string>;
  /** Runs that were there before: continued by it, or only written to. */
  readonly earlierRuns: ReadonlySet<string>;
  /** Its own run is the one that rank 0 of its group makes. */
  readonly joinsBy: string | undefined;
  /** Experiments that it does not make. */
  readonly experimentIds: ReadonlySet<string>;
  /** Some of it was stored before. */
  readonly isBegun: boolean;
  /** Files that were stored before, and are in the journal no longer. */
  readonly goneFiles: number;
}

/** Reads a journal, header and entries, to its present end. */
export function readContents({ folder, header }: FoundJournal): JournalContents {
  const ids = new Ids();
  const joinsBy = isJoined(header) && header.rank?.isRunKnown === false ? header.rank.group : undefined;
  if (header.kind !== "program" && joinsBy === undefined) ids.addOwn(header);
  const cursor = readCursor(folder);
  const files = new Map<string, string>();
  for (const { entry } of readEntries(folder)) {
    const { operation } = entry;
    ids.add(operation);
    if (operation.op === "log-artifact") files.set(`${operation.runId} ${operation.artifactFile}`, operation.spoolPath);
  }
  if (joinsBy !== undefined) ids.madeRuns.add(header.runId);
  return {
    madeRuns: ids.madeRuns,
    earlierRuns: without(ids.saidRuns, ids.madeRuns),
    joinsBy,
    experimentIds: without(ids.experimentIds, ids.madeExperiments),
    isBegun: cursor !== undefined,
    goneFiles: [...files.values()].filter((path) => !existsSync(join(folder, path))).length,
  };
}

class Ids {
  readonly madeRuns = new Set<string>();
  readonly saidRuns = new Set<string>();
  readonly experimentIds = new Set<string>();
  readonly madeExperiments = new Set<string>();

  addOwn(header: JournalHeader): void {
    if (header.isResumed || isJoined(header)) this.saidRuns.add(header.runId);
    else this.#makeRun(header);
  }

  add(operation: StoreOperation): void {
    if (operation.op === "create-run") return this.#makeRun(operation);
    if (operation.op === "create-experiment") {
      if (operation.experimentId !== undefined) this.madeExperiments.add(operation.experimentId);
      return;
    }
    if ("experimentId" in operation) this.experimentIds.add(operation.experimentId);
    if ("runId" in operation && !("modelId" in operation)) this.saidRuns.add(operation.runId);
  }

  #makeRun({ runId, experiment }: Pick<JournalHeader, "runId" | "experiment">): void {
    this.madeRuns.add(runId);
    if ("experimentId" in experiment) this.experimentIds.add(experiment.experimentId);
  }
}

function without(ids: ReadonlySet<string>, others: ReadonlySet<string>): ReadonlySet<string> {
  return new Set([...ids].filter((id) => !others.has(id)));
}
