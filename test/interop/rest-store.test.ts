import { DatabaseSync } from "node:sqlite";
import { describe } from "vitest";
import { plainAccess } from "../../src/entities/server-access.ts";
import { openRestStore } from "../../src/store/rest/rest-store.ts";
import { describeTrackingStore, type StoreRig } from "../store/tracking-store-contract.ts";
import { isInstalled, mlflowVersions } from "./mlflow-versions.ts";
import { serveMlflow } from "./served.ts";

const versions = mlflowVersions.filter(isInstalled);

describe.each(versions)("a tracking server, MLflow $version on SQLite", (version) => {
  const served = serveMlflow({ version });

  const open = (): Promise<StoreRig> => {
    emptyDatabase(`${served.folder}/mlflow.db`);
    const store = openRestStore(plainAccess(served.server.url));
    return Promise.resolve({ store, [Symbol.asyncDispose]: () => store[Symbol.asyncDispose]() });
  };
  describeTrackingStore("REST store", open, { keepsExperimentTags: version.version === "3.1.4" });
});

/** Below a running server, which remembers nothing of it: a start of its own for each test would take an hour. */
function emptyDatabase(path: string): void {
  using db = new DatabaseSync(path);
  db.exec("PRAGMA foreign_keys = OFF; BEGIN");
  const tables = db.prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'").all();
  for (const { name } of tables) {
    if (name === "experiments") db.exec("DELETE FROM experiments WHERE experiment_id <> 0");
    else if (name !== "alembic_version" && name !== "workspaces") db.exec(`DELETE FROM "${String(name)}"`);
  }
  db.exec("COMMIT");
}
