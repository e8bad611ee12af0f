import type { DatabaseSync } from "node:sqlite";
import type { Experiment } from "../../entities/experiment.ts";
import { StoreError } from "../../errors.ts";
import { openDatabaseFile } from "./database-file.ts";
import { findTableFault, isMigrating } from "./database-tables.ts";
import { getExperiment, getExperimentByName } from "./experiments.ts";

/** What a look at a database told: the experiment, or that it has none of that name or id. */
export interface Glance {
  readonly experiment: Experiment | undefined;
}

/**
 * Looks an experiment up in an existing database at once and without leaving this turn of the event loop: a command waits for it.
 * `undefined` where anything is out of the ordinary (a lock, other tables, no database at all): `openTrackingStore` then tells what.
 */
export function glanceAtExperiment(
  path: string,
  experiment: { readonly experimentId: string } | { readonly experimentName: string },
): Glance | undefined {
  let db: DatabaseSync | undefined;
  try {
    db = openDatabaseFile(path, "read", 0);
    db.exec("BEGIN");
    if (isOrdinary(db)) return { experiment: find(db, experiment) };
    return undefined;
  } catch {
    // Whatever it is, the patient and explaining way meets it again.
    return undefined;
  } finally {
    db?.close();
  }
}

function isOrdinary(db: DatabaseSync): boolean {
  return !isMigrating(db) && findTableFault(db) === undefined;
}

function find(
  db: DatabaseSync,
  experiment: { readonly experimentId: string } | { readonly experimentName: string },
): Experiment | undefined {
  if ("experimentName" in experiment) return getExperimentByName(db, experiment.experimentName);
  try {
    return getExperiment(db, experiment.experimentId);
  } catch (error) {
    if (error instanceof StoreError && error.errorCode === "RESOURCE_DOES_NOT_EXIST") return undefined;
    throw error;
  }
}
