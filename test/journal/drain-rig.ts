import { cpSync, existsSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import type { ArtifactRepository } from "../../src/artifacts/artifact-repository.ts";
import type { StoreOperation } from "../../src/entities/journal-entry.ts";
import type { DrainOptions } from "../../src/journal/drain.ts";
import { Drain } from "../../src/journal/drain.ts";
import { JournalWriter } from "../../src/journal/journal-writer.ts";
import { openTrackingStore } from "../../src/store/open-store.ts";
import { canGroup, type TrackingStore } from "../../src/store/tracking-store.ts";
import { queryFile } from "../store/sqlite-rig.ts";
import { runId, temporaryFolder } from "./journal-rig.ts";

export const createRun: StoreOperation = {
  op: "create-run",
  runId,
  createId: "create-1",
  experiment: { experimentName: "drained" },
  runName: "brave-owl-1",
  userId: "someone",
  startTime: 1_790_000_000_000,
  tags: [{ key: "track.attempt", value: "1" }],
};

export interface DrainRig extends Disposable {
  readonly journal: string;
  readonly database: string;
  /** Where `openArtifacts` of this rig puts files. */
  readonly artifacts: string;
  openStore(): Promise<TrackingStore>;
  options(): DrainOptions;
}

/** A journal folder, a SQLite database and a folder for artifacts, side by side. */
export function drainRig(): DrainRig {
  const folder = temporaryFolder();
  const database = join(folder.path, "mlflow.db");
  const artifacts = join(folder.path, "artifacts");
  const journal = join(folder.path, "journal");
  const openStore = (): Promise<TrackingStore> =>
    openTrackingStore(`sqlite:///${database}`, { mode: "write", busyTimeoutMs: 100 });
  return {
    journal,
    database,
    artifacts,
    openStore,
    options: () => ({
      folder: journal,
      openStore,
      openArtifacts: () => Promise.resolve(folderRepository(artifacts)),
      paceMs: 5,
    }),
    [Symbol.dispose]: () => folder[Symbol.dispose](),
  };
}

/** Appends operations in one session, all of one attempt. */
export async function journalOf(folder: string, operations: readonly StoreOperation[], attempt = 1): Promise<void> {
  const writer = JournalWriter.open(folder);
  for (const operation of operations) writer.append({ receivedAt: 1_790_000_000_000, attempt, operation });
  await writer.close();
}

/** Drains all that is in the journal. */
export async function drainAll(options: DrainOptions): Promise<void> {
  const drain = new Drain(options);
  drain.start();
  await drain.finish();
}

const volatile = new Set(["deleted_time", "last_update_time", "last_updated_timestamp_ms"]);

/** All rows of all tables, but for the times of the last change. */
export function dump(database: string): Record<string, unknown[]> {
  const tables = queryFile(database, "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name");
  const rows = (name: string): unknown[] =>
    queryFile(database, `SELECT * FROM "${name}"`)
      .map((row) => JSON.stringify(Object.entries(row as object).filter(([column]) => !volatile.has(column))))
      .sort();
  return Object.fromEntries(tables.map((table) => (table as { name: string }).name).map((name) => [name, rows(name)]));
}

function folderRepository(root: string): ArtifactRepository {
  return {
    async logArtifact(localPath, artifactFile) {
      const path = join(root, artifactFile);
      mkdirSync(dirname(path), { recursive: true });
      cpSync(localPath, path, { recursive: true });
    },
    listArtifacts: () => Promise.resolve([]),
    downloadArtifact: () => Promise.reject(new Error("not asked for here")),
    deleteArtifacts: () => Promise.reject(new Error("not asked for here")),
    localPath: (artifactFile) => (existsSync(root) ? join(root, artifactFile) : root),
  };
}

/** A real store, one of whose methods fails as told: no real store fails on command. */
export function failing<Name extends "logBatch" | "updateRun">(
  store: TrackingStore,
  name: Name,
  fail: (...values: Parameters<TrackingStore[Name]>) => Error | undefined,
): TrackingStore {
  return new Proxy(store, {
    get(target, property) {
      const value: unknown = Reflect.get(target, property, target);
      if (typeof value !== "function") return value;
      if (property === "together" && canGroup(target)) {
        return (work: (part: TrackingStore) => Promise<unknown>) =>
          target.together((part) => work(failing(part, name, fail)));
      }
      if (property !== name) return value.bind(target) as unknown;
      return (...values: Parameters<TrackingStore[Name]>) => {
        const error = fail(...values);
        return error === undefined ? (value.apply(target, values) as unknown) : Promise.reject(error);
      };
    },
  });
}
